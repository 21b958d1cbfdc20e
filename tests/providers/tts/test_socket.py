"""The voices behind a WebSocket, each against its vendor's protocol, in fair and foul weather."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import pytest
from pipecat.frames.frames import (
    AggregatedTextProgressFrame,
    InterruptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)

from evals.simulators.behaviour import Behaviour, Fault, Latency, Voice
from evals.simulators.vendors import Vendors
from providers.kinds import TtsConfig
from providers.tts.cartesia import CartesiaTts
from providers.tts.deepgram import DeepgramTts
from providers.tts.elevenlabs import ElevenLabsTts
from tests.support.speaking import Speaking, abandoned, speaking

pytestmark = pytest.mark.integration

KEY = "sk-planted-0123456789"
TEXT = "Yes, that is fine with us. Shall I book it for you?"
CHAR_MS = 50
VOICE = Voice(ttfb=Latency(p50_ms=20), char_ms=CHAR_MS, speed=20)
SECS = len(TEXT) * CHAR_MS / 1000

Make = Callable[[str], TtsConfig]

MAKERS: dict[str, Make] = {
    "cartesia": lambda url: CartesiaTts(base_url=f"{url}/cartesia"),
    "deepgram-speak": lambda url: DeepgramTts(base_url=f"{url}/deepgram"),
    "elevenlabs": lambda url: ElevenLabsTts(base_url=f"{url}/elevenlabs"),
}


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    for name in ("CARTESIA", "DEEPGRAM", "ELEVENLABS"):
        monkeypatch.setenv(f"{name}_API_KEY", KEY)
    async with Vendors(Behaviour(voice=VOICE)) as vendors:
        yield vendors


@pytest.fixture(params=MAKERS)
def service(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def config(service: str, vendors: Vendors) -> TtsConfig:
    return MAKERS[service](vendors.url.replace("http", "ws"))


def fault(vendors: Vendors, service: str, fault: Fault) -> None:
    vendors.desk.behave(Behaviour(voice=VOICE, faults={service: (fault,)}))


async def test_a_reply_is_spoken_whole(config: TtsConfig) -> None:
    async with speaking(config) as voice:
        await voice.reply(TEXT)
        await voice.ended()
        await voice.reply(TEXT)
        await voice.ended(2)
        tap = voice.flow.tap
    assert voice.secs == pytest.approx(2 * SECS, rel=0.05)
    assert len(tap.of(TTSStartedFrame)) == len(tap.of(TTSStoppedFrame)) == 2
    assert 2 * len(TEXT) <= voice.letters <= 2 * len(TEXT) + 4
    assert len(voice.waits_secs) == 2
    assert not voice.errors


async def test_a_sentence_of_the_bots_own_is_spoken(config: TtsConfig) -> None:
    async with speaking(config) as voice:
        await voice.flow.send(TTSSpeakFrame("Hello there."))
        await voice.flow.tap.wait(TTSStoppedFrame)
    assert voice.secs == pytest.approx(12 * CHAR_MS / 1000, rel=0.1)


async def test_an_interruption_reaches_the_vendor(
    vendors: Vendors, service: str, config: TtsConfig
) -> None:
    vendors.desk.behave(Behaviour(voice=VOICE.model_copy(update={"speed": 2})))
    async with speaking(config) as voice:
        await voice.reply("This goes on and on, and then some more. " * 20)
        await voice.flow.tap.wait(TTSAudioRawFrame)
        await voice.flow.send(InterruptionFrame())
        await voice.flow.tap.wait(InterruptionFrame)
        await abandoned(vendors, service)
        before_secs = voice.secs
        await voice.reply("Pardon?")
        await voice.flow.tap.wait(TTSStoppedFrame)
        assert voice.secs - before_secs == pytest.approx(7 * CHAR_MS / 1000, abs=0.15)
    assert not voice.errors


def told(voice: Speaking) -> str:
    words = " | ".join(error.error for error in voice.errors)
    assert KEY not in words
    return words


@pytest.mark.parametrize(
    ("what", "says"),
    [
        pytest.param(Fault(kind="status", status=402, times=None), "HTTP 402", id="402"),
        pytest.param(Fault(kind="status", status=429, times=None), "HTTP 429", id="429"),
        pytest.param(Fault(kind="refuse", times=None), "not connected|unavailable", id="refuse"),
        pytest.param(Fault(kind="hang", times=None), "timed out", id="hang"),
        pytest.param(Fault(kind="silent", times=None), "no audio", id="silent"),
    ],
)
async def test_a_voice_that_is_gone_costs_no_more_than_its_words(
    vendors: Vendors, service: str, config: TtsConfig, what: Fault, says: str
) -> None:
    fault(vendors, service, what)
    async with speaking(config) as voice:
        await voice.reply(TEXT)
        await voice.ended()
        await voice.reply(TEXT)
        await voice.ended(2)
    assert any(word in told(voice) for word in says.split("|"))
    assert voice.secs == 0
    assert voice.voice.is_usable
    assert vendors.desk.count(service) <= 4


async def test_a_wrong_key_is_not_tried_again(
    vendors: Vendors, service: str, config: TtsConfig
) -> None:
    fault(vendors, service, Fault(kind="status", status=401, times=None))
    async with speaking(config) as voice:
        await voice.reply(TEXT)
        await voice.ended()
    assert "HTTP 401" in told(voice)
    assert vendors.desk.count(service) == 1
    assert not voice.voice.is_usable


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(Fault(kind="status", status=503), id="503"),
        pytest.param(Fault(kind="refuse"), id="refuse"),
        pytest.param(Fault(kind="malformed"), id="malformed"),
    ],
)
async def test_what_passes_costs_no_word(
    vendors: Vendors, service: str, config: TtsConfig, what: Fault
) -> None:
    fault(vendors, service, what)
    async with speaking(config) as voice:
        await voice.reply(TEXT)
        await voice.ended()
    lost_secs = 0.1 if what.kind == "malformed" else 0.0
    assert voice.secs == pytest.approx(SECS - lost_secs, rel=0.05)
    told(voice)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        pytest.param(Fault(kind="close"), "connection was lost", id="close"),
        pytest.param(Fault(kind="stall"), "fell silent", id="stall"),
        pytest.param(Fault(kind="stall", after=0), "fell silent", id="stall-at-once"),
    ],
)
async def test_a_line_that_dies_costs_the_reply_alone(
    vendors: Vendors, service: str, config: TtsConfig, what: Fault, says: str
) -> None:
    fault(vendors, service, what)
    async with speaking(config) as voice:
        await voice.reply(TEXT)
        await voice.ended()
        assert says in told(voice)
        before_secs = voice.secs
        assert before_secs < SECS / 2
        # The next reply comes while the line is being built anew.
        await voice.reply(TEXT)
        await voice.ended(2)
        assert voice.secs - before_secs == pytest.approx(SECS, rel=0.05)
        assert len(voice.flow.tap.of(TTSStoppedFrame)) == 2
    assert vendors.desk.count(service) == 2


@pytest.mark.parametrize("service", ["cartesia", "elevenlabs"], indirect=True)
async def test_words_come_as_they_are_heard_and_as_they_were_written(config: TtsConfig) -> None:
    async with speaking(config) as voice:
        await voice.reply("It costs $80 in all. Shall I book it?")
        await voice.ended()
        tap = voice.flow.tap
    words = tap.of(TTSTextFrame)
    assert [word.text for word in words] == [
        "It",
        "costs",
        "eighty",
        "dollars",
        "in",
        "all.",
        "Shall",
        "I",
        "book",
        "it?",
    ]
    times = [word.pts or 0 for word in words]
    assert times == sorted(times)
    written = [frame.accumulated_text for frame in tap.of(AggregatedTextProgressFrame)]
    assert written[:4] == ["It", "It costs", "It costs $80", "It costs $80 in"]
    assert written[-1] == "Shall I book it?"
