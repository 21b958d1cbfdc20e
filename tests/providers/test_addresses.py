"""Addresses in settings: which are ones, and which a key may be sent to."""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from errors import ConfigError
from pipelines.config import parse
from providers.addresses import (
    LOOPBACK,
    KeyEnv,
    SecureHttpUrl,
    SecureWsUrl,
    ServerUrl,
    of_this_machine,
)
from providers.reach import answers

pytestmark = pytest.mark.unit

HTTP: TypeAdapter[str] = TypeAdapter(SecureHttpUrl)
WS: TypeAdapter[str] = TypeAdapter(SecureWsUrl)
SERVER: TypeAdapter[str] = TypeAdapter(ServerUrl)
HERE = ["127.0.0.1", "127.0.0.1:80", "localhost:65535", "LOCALHOST", "[::1]", "[::1]:8000"]
AWAY = ["api.groq.com", "host:8000", "vllm_1", "10.0.0.1", "127.0.0.1.evil.example", "[fe80::1]:80"]
NO_PLACE = [
    "",
    ":80",
    "host:",
    "host:0",
    "host:65536",
    "host:80000",
    "host:8e1",
    "host:\u0661",
    "[::1",
    "::1",
    "[::1]80",
    "[:::]",
    "[1.2.3.4]",
    "[fe80::1%eth0]",
    "evil.example[::1]",
    "user@127.0.0.1",
    "127.0.0.1:a@evil.example",
    "127.0.0.1\\@evil.example",
    "two words",
    "host\n",
    "a..b",
    ".b",
    "a" * 64,
    "300.1.1.1",
    "1",
    "\u00fcber.example",
]


@pytest.mark.parametrize("place", HERE)
def test_this_machine_needs_no_encryption(place: str) -> None:
    for path in ("", "/v1"):
        assert HTTP.validate_python(f"http://{place}{path}") == f"http://{place}{path}"
        assert WS.validate_python(f"ws://{place}{path}") == f"ws://{place}{path}"
    assert of_this_machine(f"ws://{place}/v1?model=nova-3")


@pytest.mark.parametrize("place", AWAY)
def test_the_world_needs_it(place: str) -> None:
    assert HTTP.validate_python(f"https://{place}/v1") == f"https://{place}/v1"
    assert WS.validate_python(f"wss://{place}") == f"wss://{place}"
    assert SERVER.validate_python(f"http://{place}/v1") == f"http://{place}/v1"
    assert not of_this_machine(f"http://{place}")
    with pytest.raises(ValidationError, match="must begin with https://"):
        HTTP.validate_python(f"http://{place}/v1")
    with pytest.raises(ValidationError, match="must begin with wss://"):
        WS.validate_python(f"ws://{place}/v1")


@pytest.mark.parametrize("place", NO_PLACE)
def test_what_is_no_host_and_port(place: str) -> None:
    for kind, scheme in ((HTTP, "https"), (WS, "wss"), (SERVER, "http")):
        with pytest.raises(ValidationError, match="an address is"):
            kind.validate_python(f"{scheme}://{place}/v1")
    assert not of_this_machine(f"http://{place}/v1")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.groq.com",
        "ftp://host",
        "wss://host",
        "HTTPS://host",
        "https:/host",
        "https://host/v1?key=1",
        "https://host/v1#top",
        "https://host?",
        "https://host/a b",
        "https://host/a\\b",
    ],
)
def test_what_is_no_address(url: str) -> None:
    for kind in (HTTP, SERVER):
        with pytest.raises(ValidationError, match="an address is https://HOST or http://HOST"):
            kind.validate_python(url)


def test_a_slash_at_the_end_changes_nothing() -> None:
    assert SERVER.validate_python("http://host:8000/v1/") == "http://host:8000/v1"


def test_whatever_is_accepted_can_be_reached_and_keeps_its_promise() -> None:
    """Any mixture of the parts that deceive: no other reader of addresses sees another host."""
    dice = random.Random(7)
    parts = [
        *HERE,
        *AWAY,
        *NO_PLACE,
        "http://",
        "https://",
        "@",
        ":",
        "/",
        "\\",
        "[",
        "]",
        "?",
        ".",
    ]
    accepted: list[str] = []
    for _ in range(20_000):
        url = dice.choice(("http://", "https://")) + "".join(
            dice.choices(parts, k=dice.randint(1, 4))
        )
        try:
            accepted.append(HTTP.validate_python(url))
        except ValidationError:
            continue
    assert len(accepted) > 100
    for url in accepted:
        split, seen = urlsplit(url), httpx.URL(url)
        assert split.hostname == seen.host.lower()
        assert (split.port or 443) <= 65_535
        assert not (split.username or split.password or seen.userinfo)
        assert split.scheme == "https" or seen.host.lower() in LOOPBACK


class Settings(BaseModel):
    base_url: ServerUrl = "http://127.0.0.1:8000/v1"
    key_env: KeyEnv | None = None


@pytest.mark.parametrize(
    "url", ["https://vllm.example/v1", "http://[::1]:8000", "http://localhost"]
)
def test_a_key_may_go_there(url: str) -> None:
    assert Settings(base_url=url, key_env="MY_KEY").key_env == "MY_KEY"


def test_a_key_may_not_go_in_the_clear() -> None:
    with pytest.raises(ValidationError, match="key_env\n  a key is only sent encrypted"):
        Settings(base_url="http://vllm:8000/v1", key_env="MY_KEY")
    assert Settings(base_url="http://vllm:8000/v1").key_env is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:80000/v1", "http://[::1/v1"])
def test_a_person_is_told_in_a_sentence(url: str) -> None:
    stt = {"provider": "openai_compatible", "base_url": url}
    stages: dict[str, Any] = {"llm": {"provider": "simulated"}, "tts": {"provider": "simulated"}}
    with pytest.raises(ConfigError) as refused:
        parse({"name": "mine", "summary": "Mine.", "stt": stt} | stages)
    assert refused.value.field == "stt.base_url"
    assert refused.value.message.startswith("stt.base_url: an address is https://HOST or http://")
    assert refused.value.message.endswith(f"it is {url!r}.")
    assert not answers(url)
