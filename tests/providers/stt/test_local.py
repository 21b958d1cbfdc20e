"""The service around the segmenter, with a decoder that says what it is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    ErrorFrame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    MetricsFrame,
    STTMetadataFrame,
    STTMuteFrame,
    TranscriptionFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.metrics.metrics import STTUsageMetricsData, TTFBMetricsData
from pydantic import ValidationError

from providers.stt._local_service import LocalSttService
from providers.stt.moonshine import MoonshineStt
from tests.support.pipes import Flow, flowing
from tests.support.speech import voice

pytestmark = pytest.mark.unit

CHUNK_BYTES = 640


@dataclass
class Parrot:
    """A decoder that always hears the same."""

    says: str = "hello there"
    fails: bool = False
    calls: int = 0
    closed: int = 0
    threads: set[str] = field(default_factory=set[str])

    def decode(self, audio: bytes, sample_rate_hz: int) -> str:
        assert sample_rate_hz == 16_000
        assert len(audio) % 2 == 0
        self.calls += 1
        self.threads.add(threading.current_thread().name)
        if self.fails:
            raise RuntimeError("no such luck")
        return self.says

    def close(self) -> None:
        self.closed += 1


@asynccontextmanager
async def listening(parrot: Parrot) -> AsyncGenerator[Flow]:
    service = LocalSttService(parrot, model="parrot", final_p99_secs=0.5)
    async with flowing(service, enable_metrics=True, enable_usage_metrics=True) as flow:
        yield flow


async def hear(flow: Flow, *spans: tuple[bool, int]) -> None:
    """Play speech (True) and quiet, in milliseconds, a little faster than the decoder."""
    for speech, length_ms in spans:
        audio = voice([(0, length_ms)] if speech else [], length_ms).tobytes()
        for start in range(0, len(audio), CHUNK_BYTES):
            await flow.send(InputAudioRawFrame(audio[start : start + CHUNK_BYTES], 16_000, 1))
            await asyncio.sleep(0.002)


async def speak(flow: Flow) -> None:
    """A sentence that the VAD hears begin; 220 ms of quiet follow it."""
    await hear(flow, (False, 500), (True, 240))
    await flow.send(VADUserStartedSpeakingFrame())
    await hear(flow, (True, 1000), (False, 220))


async def test_a_sentence_is_announced_and_then_final() -> None:
    parrot = Parrot()
    async with listening(parrot) as flow:
        await speak(flow)
        (eager,) = await flow.tap.wait(EagerTranscriptionFrame)
        decodes = parrot.calls
        await flow.send(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        (final,) = await flow.tap.wait(TranscriptionFrame)
    assert eager.text == final.text == "hello there"
    assert final.finalized
    assert parrot.calls == decodes, "the announced text is the final one"
    assert [frame.text for frame in flow.tap.of(InterimTranscriptionFrame)] == ["hello there"]
    assert flow.tap.of(EagerEndOfTurnCancelFrame) == []


async def test_metrics_and_the_promised_latency() -> None:
    async with listening(Parrot()) as flow:
        await speak(flow)
        await flow.send(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        await flow.tap.wait(TranscriptionFrame)
        (promise,) = await flow.tap.wait(STTMetadataFrame)
    assert promise.ttfs_p99_latency == 0.5
    assert promise.user_turn_strategies is None, "the turn is not the recogniser's to end"
    data = [datum for frame in flow.tap.of(MetricsFrame) for datum in frame.data]
    assert any(isinstance(datum, TTFBMetricsData) and datum.value > 0 for datum in data)
    assert any(
        isinstance(datum, STTUsageMetricsData) and datum.value.audio_seconds > 1 for datum in data
    )


async def test_going_on_takes_the_announcement_back() -> None:
    async with listening(Parrot()) as flow:
        await speak(flow)
        await flow.tap.wait(EagerTranscriptionFrame)
        await hear(flow, (True, 200))
        await flow.tap.wait(EagerEndOfTurnCancelFrame)
    assert flow.tap.of(TranscriptionFrame) == []


async def test_speaking_again_before_the_turn_ended_takes_it_back_too() -> None:
    async with listening(Parrot()) as flow:
        await speak(flow)
        await flow.send(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        await flow.tap.wait(TranscriptionFrame)
        await flow.send(VADUserStartedSpeakingFrame())
        await flow.tap.wait(EagerEndOfTurnCancelFrame)


async def test_the_next_turn_takes_nothing_back() -> None:
    async with listening(Parrot()) as flow:
        await speak(flow)
        await flow.send(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        await flow.tap.wait(TranscriptionFrame)
        await flow.send(UserStoppedSpeakingFrame(), VADUserStartedSpeakingFrame())
        await flow.tap.wait(VADUserStartedSpeakingFrame, 2)
    assert flow.tap.of(EagerEndOfTurnCancelFrame) == []


async def test_nothing_heard_is_nothing_said() -> None:
    async with listening(Parrot(says="")) as flow:
        await speak(flow)
        await flow.send(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        await flow.tap.wait(VADUserStoppedSpeakingFrame)
    assert flow.tap.of(TranscriptionFrame) == []
    assert flow.tap.of(EagerTranscriptionFrame) == []


async def test_a_decoder_that_fails_is_reported_and_the_call_goes_on() -> None:
    parrot = Parrot(fails=True)
    errors: list[ErrorFrame] = []
    service = LocalSttService(parrot, model="parrot", final_p99_secs=0.5)

    async def note(_: LocalSttService, frame: ErrorFrame) -> None:
        errors.append(frame)

    service.add_event_handler("on_error", note)
    async with flowing(service) as flow:
        await speak(flow)
        await flow.send(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        parrot.fails = False
        await speak(flow)
        await flow.send(VADUserStoppedSpeakingFrame(stop_secs=0.2))
        await flow.tap.wait(TranscriptionFrame)
    assert "no such luck" in errors[0].error


async def test_a_muted_microphone_forgets_what_was_said() -> None:
    async with listening(Parrot()) as flow:
        await speak(flow)
        await flow.send(STTMuteFrame(mute=True), VADUserStoppedSpeakingFrame(stop_secs=0.2))
        await flow.tap.wait(VADUserStoppedSpeakingFrame)
    assert flow.tap.of(TranscriptionFrame) == []


async def test_decoding_has_a_thread_of_its_own_and_ends_with_the_call() -> None:
    parrot = Parrot()
    async with listening(parrot) as flow:
        await speak(flow)
        await flow.tap.wait(EagerTranscriptionFrame)
    assert parrot.closed == 1
    assert len(parrot.threads) == 1
    (name,) = parrot.threads
    assert name.startswith("stt")
    assert name not in {thread.name for thread in threading.enumerate() if thread.is_alive()}


def test_settings_are_checked() -> None:
    assert MoonshineStt().weights() == ("moonshine-tiny-en",)
    with pytest.raises(ValidationError, match="partial_ms"):
        MoonshineStt(partial_ms=10)
