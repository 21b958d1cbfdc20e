from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bots.bot import load_bot
from errors import ConfigError, MissingError
from evals.simulators.behaviour import Fault
from evals.simulators.vendors import Vendors
from providers.llm.openai_compatible import OpenAiCompatibleLlm
from tests.support.llms import Site, asked, bodies, caller, price, saying, talking

pytestmark = pytest.mark.integration


@pytest.fixture
async def vendors() -> AsyncGenerator[Vendors]:
    async with Vendors(saying("Hello.")) as vendors:
        yield vendors


async def test_it_asks_in_the_words_that_every_server_knows(vendors: Vendors) -> None:
    body = await asked(vendors, "openai_compatible")
    assert set(body) == {"model", "messages", "stream", "stream_options", "max_tokens"}
    assert vendors.desk.seen[0].headers["authorization"] == "Bearer none"


async def test_settings_reach_the_wire(vendors: Vendors) -> None:
    settings: dict[str, Any] = {
        "model": "qwen3-8b",
        "temperature": 0.3,
        "top_p": 0.9,
        "seed": 7,
        "max_tokens": 200,
        "frequency_penalty": 0.5,
        "presence_penalty": -0.5,
        "reasoning_effort": "none",
        "parallel_tool_calls": True,
    }
    extra = {"chat_template_kwargs": {"enable_thinking": False}}
    body = await asked(vendors, "openai_compatible", tools=[price], request=extra, **settings)
    assert {name: body[name] for name in settings} == settings
    assert body["chat_template_kwargs"] == {"enable_thinking": False}


async def test_its_key_is_in_the_variable_that_is_named(
    vendors: Vendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_SERVER_KEY", "planted-key-0123456789")
    llm = OpenAiCompatibleLlm(base_url=f"{vendors.url}/openai/v1", key_env="MY_SERVER_KEY")
    async with talking(llm.build(Site()), caller("Hello?")) as talk:
        await talk.ask()
    assert (talk.said, talk.errors) == ("Hello.", [])
    assert vendors.desk.seen[0].headers["authorization"] == "Bearer planted-key-0123456789"


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_SERVER_KEY", raising=False)
    with pytest.raises(MissingError, match="MY_SERVER_KEY"):
        OpenAiCompatibleLlm(key_env="MY_SERVER_KEY").build(Site())


def test_its_server_can_be_looked_for() -> None:
    assert OpenAiCompatibleLlm().server() == "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize("settings", [{"base_url": "127.0.0.1:8000"}, {"key_env": "sk-live-1"}])
def test_what_is_no_address_and_no_variable(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OpenAiCompatibleLlm(**settings)


@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "http://192.168.0.2:8000/v1"])
def test_no_real_vendor_is_called_where_all_are_simulated(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFHOOK_VENDORS", "http://127.0.0.1:7870")
    with pytest.raises(ConfigError, match=re.escape(url)):
        OpenAiCompatibleLlm(base_url=url).build(Site())


def test_a_key_is_not_sent_in_the_clear() -> None:
    with pytest.raises(ValidationError, match="key_env\n  a key is only sent encrypted"):
        OpenAiCompatibleLlm(base_url="http://192.168.0.2:8000/v1", key_env="MY_KEY")


async def test_the_opening_is_read_before_the_first_call(vendors: Vendors, tmp_path: Path) -> None:
    openings = tuple(load_bot(name).opening(tmp_path) for name in ("receptionist", "interviewer"))
    llm = OpenAiCompatibleLlm(base_url=f"{vendors.url}/ollama/v1")
    await llm.warm(Site(), openings)
    [body] = bodies(vendors, "ollama-chat")
    assert (body["messages"], body["tools"]) == (
        list(openings[0].messages),
        list(openings[0].tools),
    )
    assert body["max_tokens"] == 1


@pytest.mark.parametrize("kind", ["status", "refuse"])
async def test_a_server_that_cannot_warm_up_stops_nobody(
    vendors: Vendors, kind: str, tmp_path: Path
) -> None:
    fault = Fault.model_validate({"kind": kind})
    vendors.desk.behave(saying("Hello.", service="ollama-chat", faults=[fault]))
    llm = OpenAiCompatibleLlm(base_url=f"{vendors.url}/ollama/v1")
    await llm.warm(Site(), (load_bot("receptionist").opening(tmp_path),))
    assert vendors.desk.count("ollama-chat") == 1
