"""The service that speaks through the sidecar, against a voice that hums."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
from pipecat.frames.frames import (
    ErrorFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    MetricsFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.metrics.metrics import TTFBMetricsData, TTSUsageMetricsData

from providers.tts._voice_http import Request, VoiceServer
from providers.tts._voice_service import VoiceTtsService
from tests.support.pipes import Flow, flowing

pytestmark = pytest.mark.unit

IN_HZ, OUT_HZ = 22_050, 24_000
WORD_SECS = 0.2


@dataclass
class Humming:
    """A tone of 200 ms for each word, a piece each."""

    sample_rate_hz: int = IN_HZ
    speakers: tuple[str, ...] = ("high", "low")
    pause_secs: float = 0.0
    mute: bool = False
    texts: list[str] = field(default_factory=list[str])
    asked: list[Request] = field(default_factory=list[Request])
    pieces: int = 0

    def speak(self, request: Request) -> Iterator[bytes]:
        self.texts.append(request.text)
        self.asked.append(request)
        times = np.arange(round(IN_HZ * WORD_SECS)) / IN_HZ
        tone = (8000 * np.sin(2 * np.pi * 220 * times)).astype("<i2").tobytes()
        for _ in request.text.split():
            time.sleep(self.pause_secs)
            self.pieces += 1
            yield b"" if self.mute else tone


@pytest.fixture
def voice() -> Humming:
    return Humming()


@pytest.fixture
def url(voice: Humming) -> Generator[str]:
    server = VoiceServer(0)
    thread = threading.Thread(target=server.answer, args=(voice,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@asynccontextmanager
async def speaking(url: str) -> AsyncGenerator[Flow]:
    service = VoiceTtsService("Humming", base_url=url, speed=1.25, speaker="low")
    async with flowing(
        service, audio_out_sample_rate=OUT_HZ, enable_metrics=True, enable_usage_metrics=True
    ) as flow:
        yield flow


async def reply(flow: Flow, *texts: str) -> None:
    await flow.send(LLMFullResponseStartFrame())
    await flow.send(*(LLMTextFrame(text) for text in texts))
    await flow.send(LLMFullResponseEndFrame())


async def test_a_reply_is_spoken_sentence_by_sentence(url: str, voice: Humming) -> None:
    async with speaking(url) as flow:
        await reply(flow, "One two", " three. Four", " five.")
        await flow.tap.wait(TTSStoppedFrame)
    assert voice.texts == ["One two three.", "Four five."]
    assert {(request.speed, request.speaker) for request in voice.asked} == {(1.25, "low")}
    assert [frame.text for frame in flow.tap.of(TTSTextFrame)] == voice.texts
    audio = b"".join(frame.audio for frame in flow.tap.of(TTSAudioRawFrame))
    assert {frame.sample_rate for frame in flow.tap.of(TTSAudioRawFrame)} == {OUT_HZ}
    assert len(audio) / 2 / OUT_HZ == pytest.approx(5 * WORD_SECS, abs=0.03)
    assert len(flow.tap.of(TTSStartedFrame)) == len(flow.tap.of(TTSStoppedFrame)) == 1


async def test_the_first_words_do_not_wait_for_the_last(url: str, voice: Humming) -> None:
    voice.pause_secs = 0.1
    async with speaking(url) as flow:
        await flow.send(TTSSpeakFrame("one two three four five six"))
        await flow.tap.wait(TTSAudioRawFrame)
        assert voice.pieces <= 2
        await flow.tap.wait(TTSStoppedFrame)


async def test_metrics(url: str) -> None:
    async with speaking(url) as flow:
        await reply(flow, "One two three.")
        await flow.tap.wait(TTSStoppedFrame)
    data = [datum for frame in flow.tap.of(MetricsFrame) for datum in frame.data]
    assert [d.value for d in data if isinstance(d, TTSUsageMetricsData)] == [len("One two three.")]
    assert any(isinstance(d, TTFBMetricsData) and d.value > 0 for d in data)


async def test_an_interruption_ends_the_synthesis(url: str, voice: Humming) -> None:
    voice.pause_secs = 0.02
    async with speaking(url) as flow:
        await flow.send(TTSSpeakFrame("word " * 200))
        await flow.tap.wait(TTSAudioRawFrame)
        await flow.send(InterruptionFrame())
        await flow.tap.wait(InterruptionFrame)
        await asyncio.sleep(0.2)
        pieces, heard = voice.pieces, len(flow.tap.of(TTSAudioRawFrame))
        await asyncio.sleep(0.2)
        assert (voice.pieces, len(flow.tap.of(TTSAudioRawFrame))) == (pieces, heard)
        assert pieces < 50
        await flow.send(TTSSpeakFrame("again"))
        await flow.tap.wait(TTSStoppedFrame)
    assert voice.texts[-1] == "again"


async def test_a_reply_without_a_sound_still_ends(url: str, voice: Humming) -> None:
    """Else the bot would count as speaking until a timeout."""
    voice.mute = True
    async with speaking(url) as flow:
        async with asyncio.timeout(5):
            for count in range(1, 6):
                await reply(flow, "Hush now.")
                await flow.tap.wait(TTSStoppedFrame, count)
        voice.mute = False
        await reply(flow, "Hello again.")
        await flow.tap.wait(TTSAudioRawFrame)


async def test_a_sidecar_that_is_gone_is_reported_and_the_reply_ends() -> None:
    errors: list[ErrorFrame] = []
    service = VoiceTtsService("Humming", base_url="http://127.0.0.1:9", speed=1.0)

    async def note(_: VoiceTtsService, frame: ErrorFrame) -> None:
        errors.append(frame)

    service.add_event_handler("on_error", note)
    async with flowing(service) as flow:
        await reply(flow, "Is anybody there?")
        await flow.tap.wait(TTSStoppedFrame)
    assert any("Humming did not speak" in frame.error for frame in errors)
