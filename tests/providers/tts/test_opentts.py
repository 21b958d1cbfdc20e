"""What reaches OpenTTS."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from errors import ConfigError
from evals.simulators.behaviour import Behaviour, Fault, Voice
from evals.simulators.vendors import Vendors
from providers.tts.opentts import OpenTtsTts
from tests.support.speaking import Here, speaking

pytestmark = pytest.mark.integration

VOICE = Voice(speed=20, char_ms=50)


@pytest.fixture
async def vendors() -> AsyncGenerator[Vendors]:
    async with Vendors(Behaviour(voice=VOICE)) as vendors:
        yield vendors


async def test_its_options_reach_the_server(vendors: Vendors) -> None:
    config = OpenTtsTts(
        base_url=f"{vendors.url}/opentts",
        voice="coqui-tts:en_vctk#p225",
        language="de",
        quality="high",
        denoiser_strength=0.01,
        cache=False,
    )
    async with speaking(config) as voice:
        await voice.reply("It costs $80 & more.")
        await voice.ended()
    (seen,) = vendors.desk.seen
    assert (seen.method, seen.path) == ("GET", "/opentts/api/tts")
    assert seen.query == {
        "voice": "coqui-tts:en_vctk#p225",
        "lang": "de",
        "vocoder": "high",
        "denoiserStrength": "0.01",
        "cache": "false",
        "text": "It costs eighty dollars and more.",
    }


async def test_its_rate_is_changed_to_the_calls(vendors: Vendors) -> None:
    async with speaking(OpenTtsTts(base_url=f"{vendors.url}/opentts")) as voice:
        await voice.reply("Good day to you.")
        await voice.ended()
    assert voice.secs == pytest.approx(16 * 0.05, rel=0.05)


async def test_what_is_no_wav_is_told_of(vendors: Vendors) -> None:
    fault = Fault(kind="malformed", after=0)
    vendors.desk.behave(Behaviour(voice=VOICE, faults={"opentts": (fault,)}))
    async with speaking(OpenTtsTts(base_url=f"{vendors.url}/opentts")) as voice:
        await voice.reply("Good day.")
        await voice.ended()
    assert "not a WAV" in voice.errors[0].error


def test_its_server_can_be_looked_for() -> None:
    assert OpenTtsTts().server() == "http://127.0.0.1:5500"


def test_it_is_on_this_machine_where_vendors_are_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFHOOK_VENDORS", "http://127.0.0.1:7870")
    with pytest.raises(ConfigError, match="this machine"):
        OpenTtsTts(base_url="http://192.168.0.2:5500").build(Here())
