"""What reaches Deepgram's voice."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from pipecat.frames.frames import TTSTextFrame
from pydantic import ValidationError

from errors import MissingError
from evals.simulators.behaviour import Behaviour, Voice
from evals.simulators.vendors import Vendors
from providers.tts.deepgram import DeepgramTts
from tests.support.speaking import Here, messages, speaking

pytestmark = pytest.mark.integration


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    async with Vendors(Behaviour(voice=Voice(speed=20))) as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        yield vendors


async def test_a_reply_is_flushed_once(vendors: Vendors) -> None:
    """Deepgram speaks each sentence as it is complete, and allows 20 flushes a minute."""
    async with speaking(DeepgramTts()) as voice:
        await voice.reply("It costs $80 in all. Shall I book it?")
        await voice.ended()
        said = [(m["type"], m.get("text")) for m in messages(vendors, "deepgram-speak")]
    assert said == [
        ("Speak", "It costs eighty dollars in all. "),
        ("Speak", "Shall I book it? "),
        ("Flush", None),
    ]


async def test_the_words_are_counted_as_they_were_written(vendors: Vendors) -> None:
    async with speaking(DeepgramTts()) as voice:
        await voice.reply("It costs $80 in all. Shall I book it?")
        await voice.ended()
    texts = [frame.text for frame in voice.flow.tap.of(TTSTextFrame)]
    assert texts == ["It costs $80 in all.", "Shall I book it?"]
    assert voice.letters == len("It costs eighty dollars in all. Shall I book it? ")


async def test_its_options_reach_the_vendor(vendors: Vendors) -> None:
    config = DeepgramTts(voice="aura-2-luna-en", speed=1.1, sample_rate_hz=16000, mip_opt_out=True)
    async with speaking(config):
        pass
    assert vendors.desk.seen[0].query == {
        "model": "aura-2-luna-en",
        "encoding": "linear16",
        "sample_rate": "16000",
        "speed": "1.1",
        "mip_opt_out": "true",
    }


async def test_it_asks_for_nothing_that_is_not_set(vendors: Vendors) -> None:
    async with speaking(DeepgramTts()):
        pass
    assert set(vendors.desk.seen[0].query) == {"model", "encoding", "sample_rate"}
    assert vendors.desk.seen[0].headers["authorization"] == "Token simulated"


def test_without_a_key_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEEPGRAM_API_KEY", raising=False)
    with pytest.raises(MissingError, match="DEEPGRAM_API_KEY"):
        DeepgramTts().build(Here())


@pytest.mark.parametrize(
    ("field", "value"), [("speed", 0.5), ("voice", "a&b=c"), ("sample_rate_hz", 22050)]
)
def test_what_it_cannot_be_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        DeepgramTts.model_validate({field: value})
