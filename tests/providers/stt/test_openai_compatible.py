"""Transcription by an operator's own server, against the simulated OpenAI."""

from __future__ import annotations

import re

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pipecat.frames.frames import TranscriptionFrame
from pydantic import ValidationError

from errors import ConfigError, MissingError
from evals.simulators.vendors import Vendors
from providers.stt.openai_compatible import OpenAiCompatibleStt
from tests.support.ears import LINES, Nowhere, behaving, listening, sentence

pytestmark = pytest.mark.integration


async def test_it_hears_with_a_key_or_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-mine")
    async with Vendors(behaving(final_ms=10)) as vendors:
        for key_env in (None, "MY_KEY"):
            stt = OpenAiCompatibleStt(base_url=f"{vendors.url}/openai/v1", key_env=key_env)
            async with listening(stt.build(Nowhere())) as ears:
                await ears.say(sentence(1)[0])
                (final,) = await ears.tap.wait(TranscriptionFrame)
                assert final.text in LINES
    keys = [seen.headers["authorization"] for seen in vendors.desk.seen]
    assert keys == ["Bearer none", "Bearer sk-mine"], "never the operator's key of OpenAI"
    assert stt.server() == stt.base_url


def test_a_key_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(MissingError, match="MY_KEY"):
        OpenAiCompatibleStt(key_env="MY_KEY").build(Nowhere())


@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "http://192.168.0.2:8000/v1"])
def test_no_real_vendor_is_called_where_all_are_simulated(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFHOOK_VENDORS", "http://127.0.0.1:7870")
    with pytest.raises(ConfigError, match=re.escape(url)):
        OpenAiCompatibleStt(base_url=url).build(Nowhere())


def test_a_key_is_not_sent_in_the_clear() -> None:
    with pytest.raises(ValidationError, match="key_env\n  a key is only sent encrypted"):
        OpenAiCompatibleStt(base_url="http://192.168.0.2:8000/v1", key_env="MY_KEY")


async def _form_sent(stt: OpenAiCompatibleStt) -> dict[str, str]:
    """The fields of the request that a sentence becomes."""
    sent: dict[str, str] = {}

    async def note(request: web.Request) -> web.Response:
        for name, value in (await request.post()).items():
            is_file = isinstance(value, web.FileField)
            sent[name] = value.file.read()[:4].decode() if is_file else str(value)
        return web.json_response({"text": " heard "})

    app = web.Application()
    app.add_routes([web.post("/v1/audio/transcriptions", note)])
    async with TestServer(app) as server:
        here = stt.model_copy(update={"base_url": f"http://127.0.0.1:{server.port}/v1"})
        async with listening(here.build(Nowhere())) as ears:
            await ears.say(sentence(1)[0])
            (final,) = await ears.tap.wait(TranscriptionFrame)
    assert final.text == "heard"
    return sent


async def test_what_is_asked_for_is_what_the_settings_say() -> None:
    plain = await _form_sent(OpenAiCompatibleStt(language=None))
    assert plain == {"file": "RIFF", "model": "whisper-1", "response_format": "json"}
    stt = OpenAiCompatibleStt(model="mine", language="de", prompt="Offhook.", temperature=0.2)
    assert await _form_sent(stt) == {
        "file": "RIFF",
        "model": "mine",
        "language": "de",
        "prompt": "Offhook.",
        "temperature": "0.2",
        "response_format": "json",
    }
