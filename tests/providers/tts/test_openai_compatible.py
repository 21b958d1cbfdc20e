"""What reaches a server with OpenAI's `/audio/speech`."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator

import pytest
from pydantic import ValidationError

from errors import ConfigError, MissingError
from evals.simulators.behaviour import Behaviour, Voice
from evals.simulators.vendors import Vendors
from providers.tts.openai_compatible import OpenAiCompatibleTts
from tests.support.speaking import Here, speaking

pytestmark = pytest.mark.integration

TEXT = "It costs $80 in all."
SPOKEN = "It costs eighty dollars in all."


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    monkeypatch.setenv("SPEECH_KEY", "any")
    async with Vendors(Behaviour(voice=Voice(speed=20, char_ms=50))) as vendors:
        yield vendors


async def test_its_options_reach_the_server(vendors: Vendors) -> None:
    config = OpenAiCompatibleTts(
        base_url=f"{vendors.url}/openai/v1",
        key_env="SPEECH_KEY",
        model="gpt-4o-mini-tts",
        voice="marin",
        speed=1.2,
        instructions="Be brisk.",
        request={"lang_code": "a", "volume_multiplier": 1.5},
    )
    async with speaking(config) as voice:
        await voice.reply(TEXT)
        await voice.ended()
    (seen,) = vendors.desk.seen
    assert seen.headers["authorization"] == "Bearer any"
    assert json.loads(seen.body) == {
        "model": "gpt-4o-mini-tts",
        "voice": "marin",
        "speed": 1.2,
        "instructions": "Be brisk.",
        "response_format": "pcm",
        "lang_code": "a",
        "volume_multiplier": 1.5,
        "input": SPOKEN,
    }


@pytest.mark.parametrize(
    ("response_format", "rate_hz", "times"),
    [("pcm", 24_000, 1), ("pcm", 16_000, 1.5), ("wav", 8000, 1)],
)
async def test_its_sound_may_be_of_any_rate(
    vendors: Vendors, response_format: str, rate_hz: int, times: float
) -> None:
    """A WAV's own rate counts, whatever the configuration says."""
    config = OpenAiCompatibleTts.model_validate(
        {
            "base_url": f"{vendors.url}/openai/v1",
            "key_env": "SPEECH_KEY",
            "response_format": response_format,
            "sample_rate_hz": rate_hz,
        }
    )
    async with speaking(config) as voice:
        await voice.reply(TEXT)
        await voice.ended()
    assert voice.secs == pytest.approx(times * len(SPOKEN) * 0.05, rel=0.05)


async def test_without_a_variable_no_key_is_sent(vendors: Vendors) -> None:
    async with speaking(OpenAiCompatibleTts(base_url=f"{vendors.url}/openai/v1")) as voice:
        await voice.reply(TEXT)
        await voice.ended()
    assert "authorization" not in vendors.desk.seen[0].headers
    assert "status 401" in voice.errors[0].error


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPEECH_KEY", raising=False)
    with pytest.raises(MissingError, match="SPEECH_KEY"):
        OpenAiCompatibleTts(key_env="SPEECH_KEY").build(Here())


def test_what_it_needs_can_be_looked_for() -> None:
    assert OpenAiCompatibleTts().variables() == ()
    assert OpenAiCompatibleTts(key_env="SPEECH_KEY").variables() == ("SPEECH_KEY",)
    assert OpenAiCompatibleTts().server() == "http://127.0.0.1:8880/v1"


@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "http://192.168.0.2:8000/v1"])
def test_no_real_vendor_is_called_where_all_are_simulated(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFHOOK_VENDORS", "http://127.0.0.1:7870")
    with pytest.raises(ConfigError, match=re.escape(url)):
        OpenAiCompatibleTts(base_url=url).build(Here())


def test_a_key_is_not_sent_in_the_clear() -> None:
    with pytest.raises(ValidationError, match="key_env\n  a key is only sent encrypted"):
        OpenAiCompatibleTts(base_url="http://192.168.0.2:8000/v1", key_env="MY_KEY")
