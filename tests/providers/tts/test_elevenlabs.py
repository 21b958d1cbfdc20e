"""What reaches ElevenLabs, and what comes of the times of its letters."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from pydantic import ValidationError

from errors import MissingError
from evals.simulators.behaviour import Behaviour, Voice
from evals.simulators.vendors import Vendors
from providers.tts.elevenlabs import ElevenLabsTts
from tests.support.speaking import Here, messages, speaking

pytestmark = pytest.mark.integration


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    async with Vendors(Behaviour(voice=Voice(speed=20))) as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        yield vendors


async def test_a_reply_is_one_context_of_whole_clauses(vendors: Vendors) -> None:
    async with speaking(ElevenLabsTts()) as voice:
        await voice.reply("Yes, that is fine with us, and it costs $80 in all. Shall I book it?")
        await voice.ended()
        said = messages(vendors, "elevenlabs")
    assert [message["text"] for message in said if "text" in message] == [
        " ",
        "Yes, that is fine with us ",
        "and it costs eighty dollars in all. ",
        "Shall I book it? ",
    ]
    assert len({message["context_id"] for message in said}) == 1
    assert (said[-2]["flush"], said[-1]["close_context"]) == (True, True)


async def test_its_options_reach_the_vendor(vendors: Vendors) -> None:
    config = ElevenLabsTts(
        model="eleven_v3_conversational",
        voice="AnotherVoice1",
        language="de",
        stability=0.4,
        similarity=0.7,
        style=0.1,
        speaker_boost=False,
        speed=1.1,
        text_normalization="off",
        auto_mode=False,
        latency_level=3,
        logging=False,
        sample_rate_hz=16000,
    )
    async with speaking(config) as voice:
        await voice.reply("Guten Tag.")
        await voice.ended()
    opened = vendors.desk.seen[0]
    assert opened.path.endswith("/v1/text-to-speech/AnotherVoice1/multi-stream-input")
    assert opened.query == {
        "model_id": "eleven_v3_conversational",
        "output_format": "pcm_16000",
        "auto_mode": "false",
        "enable_logging": "false",
        "apply_text_normalization": "off",
        "language_code": "de",
        "optimize_streaming_latency": "3",
    }
    assert messages(vendors, "elevenlabs")[0]["voice_settings"] == {
        "stability": 0.4,
        "similarity_boost": 0.7,
        "style": 0.1,
        "use_speaker_boost": False,
        "speed": 1.1,
    }


async def test_it_asks_for_nothing_that_is_not_set(vendors: Vendors) -> None:
    async with speaking(ElevenLabsTts()) as voice:
        await voice.reply("Good day.")
        await voice.ended()
    opened = vendors.desk.seen[0]
    assert opened.headers["xi-api-key"] == "simulated"
    assert "optimize_streaming_latency" not in opened.query
    assert "voice_settings" not in messages(vendors, "elevenlabs")[0]


def test_without_a_key_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ELEVENLABS_API_KEY", raising=False)
    with pytest.raises(MissingError, match="ELEVENLABS_API_KEY"):
        ElevenLabsTts().build(Here())


@pytest.mark.parametrize(
    ("field", "value"),
    [("speed", 2.0), ("stability", 1.1), ("voice", "../../v1/user"), ("latency_level", 5)],
)
def test_what_it_cannot_be_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        ElevenLabsTts.model_validate({field: value})
