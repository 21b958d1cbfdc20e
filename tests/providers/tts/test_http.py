"""The voices behind HTTP, each against its server's protocol, in fair and foul weather."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from pipecat.frames.frames import InterruptionFrame, TTSAudioRawFrame, TTSStoppedFrame

from evals.simulators.behaviour import Behaviour, Fault, Latency, Voice
from evals.simulators.vendors import Vendors
from providers.kinds import TtsConfig
from providers.tts.openai_compatible import OpenAiCompatibleTts
from providers.tts.opentts import OpenTtsTts
from tests.support.speaking import abandoned, speaking

pytestmark = pytest.mark.integration

KEY = "sk-planted-0123456789"
TEXT = "Yes, that is fine with us. Shall I book it for you?"
CHAR_MS = 50
VOICE = Voice(ttfb=Latency(p50_ms=20), char_ms=CHAR_MS, speed=20)
SECS = len(TEXT) * CHAR_MS / 1000


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    monkeypatch.setenv("SPEECH_KEY", KEY)
    async with Vendors(Behaviour(voice=VOICE)) as vendors:
        yield vendors


@pytest.fixture(params=["openai-speech", "opentts"])
def service(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def config(service: str, vendors: Vendors) -> TtsConfig:
    if service == "opentts":
        return OpenTtsTts(base_url=f"{vendors.url}/opentts", give_up_ms=1000)
    url = f"{vendors.url}/openai/v1"
    return OpenAiCompatibleTts(base_url=url, key_env="SPEECH_KEY", give_up_ms=1000)


def fault(vendors: Vendors, service: str, fault: Fault) -> None:
    vendors.desk.behave(Behaviour(voice=VOICE, faults={service: (fault,)}))


async def test_a_reply_is_spoken_whole(config: TtsConfig) -> None:
    async with speaking(config) as voice:
        await voice.reply(TEXT)
        await voice.ended()
    assert voice.secs == pytest.approx(SECS, rel=0.05)
    assert voice.letters == len(TEXT) - 1  # each sentence is a request
    assert len(voice.waits_secs) == 1
    assert len(voice.flow.tap.of(TTSStoppedFrame)) == 1
    assert not voice.errors


async def test_an_interruption_reaches_the_server(
    vendors: Vendors, service: str, config: TtsConfig
) -> None:
    vendors.desk.behave(Behaviour(voice=VOICE.model_copy(update={"speed": 2})))
    async with speaking(config) as voice:
        await voice.reply("on and " * 200)
        await voice.flow.tap.wait(TTSAudioRawFrame)
        await voice.flow.send(InterruptionFrame())
        await abandoned(vendors, service)
        before_secs = voice.secs
        await voice.reply("Pardon?")
        await voice.flow.tap.wait(TTSStoppedFrame)
        assert voice.secs - before_secs == pytest.approx(7 * CHAR_MS / 1000, abs=0.15)
    assert not voice.errors


@pytest.mark.parametrize(
    ("what", "says"),
    [
        pytest.param(Fault(kind="status", status=402, times=None), "status 402", id="402"),
        pytest.param(Fault(kind="status", status=429, times=None), "status 429", id="429"),
        pytest.param(Fault(kind="refuse", times=None), "disconnected", id="refuse"),
        pytest.param(Fault(kind="hang", times=None), "ReadTimeout", id="hang"),
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
        assert len(voice.flow.tap.of(TTSStoppedFrame)) == 1
    words = " | ".join(error.error for error in voice.errors)
    assert says in words
    assert KEY not in words
    assert voice.secs == 0
    assert voice.voice.is_usable


async def test_a_wrong_key_is_not_tried_again(
    vendors: Vendors, service: str, config: TtsConfig
) -> None:
    fault(vendors, service, Fault(kind="status", status=401, times=None))
    async with speaking(config) as voice:
        await voice.reply(TEXT)
        await voice.ended()
        asked = vendors.desk.count(service)
        await voice.reply(TEXT)
        await voice.ended(2)
    assert vendors.desk.count(service) == asked
    assert not voice.voice.is_usable
    assert KEY not in str(voice.errors)


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(Fault(kind="status", status=503), id="503"),
        pytest.param(Fault(kind="status", status=429, retry_after_secs=1), id="429"),
        pytest.param(Fault(kind="refuse"), id="refuse"),
    ],
)
async def test_what_passes_costs_no_word(
    vendors: Vendors, service: str, config: TtsConfig, what: Fault
) -> None:
    fault(vendors, service, what)
    async with speaking(config) as voice:
        await voice.reply(TEXT)
        await voice.ended()
    assert voice.secs == pytest.approx(SECS, rel=0.05)
    assert not voice.errors


@pytest.mark.parametrize(
    ("what", "says"),
    [
        pytest.param(Fault(kind="close"), "peer closed", id="close"),
        pytest.param(Fault(kind="stall"), "ReadTimeout", id="stall"),
    ],
)
async def test_an_answer_that_breaks_off_costs_its_sentence_alone(
    vendors: Vendors, service: str, config: TtsConfig, what: Fault, says: str
) -> None:
    fault(vendors, service, what)
    async with speaking(config) as voice:
        await voice.reply(TEXT)
        await voice.ended()
    assert says in voice.errors[0].error
    assert voice.secs == pytest.approx(SECS / 2, rel=0.3)


async def test_a_server_that_is_not_there_is_told_of() -> None:
    config = OpenTtsTts(base_url="http://127.0.0.1:9")
    async with speaking(config) as voice:
        await voice.reply(TEXT)
        await voice.ended()
    assert "OpenTTS did not speak" in voice.errors[0].error
