"""Ears and voice together, on human speech: a real VAD, real time, real weights."""

from __future__ import annotations

import asyncio
import re
import statistics
from itertools import pairwise

import numpy as np
import pytest
from pipecat.frames.frames import (
    AggregatedTextFrame,
    EagerTranscriptionFrame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.aggregators.llm_text_processor import LLMTextProcessor

from pipelines.config import TurnConfig
from pipelines.turns import strategies
from processors.first_clause import FirstClauseAggregator
from processors.keen_vad import KeenVad
from processors.speculation import Speculations
from providers.stt._moonshine_decoder import MoonshineDecoder
from providers.stt.moonshine import MoonshineStt
from providers.tts.piper import PiperTts
from tests.support.local_speech import human_clips, quiet, site_for, weights, word_errors
from tests.support.pipes import Flow, Tap, flowing

pytestmark = pytest.mark.integration

IN_HZ, OUT_HZ = 16_000, 24_000
CHUNK_BYTES = IN_HZ // 50 * 2

REPLIES = (
    "We are open from nine to five on Monday, and until six on Thursday.",
    "Thank you for calling the dental practice, how can I help you today?",
    "Your appointment has been booked for Monday morning. Is there anything else?",
)


async def play(flow: Flow, audio: bytes) -> None:
    """As a microphone would: in real time."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for at in range(0, len(audio), CHUNK_BYTES):
        await flow.send(InputAudioRawFrame(audio[at : at + CHUNK_BYTES], IN_HZ, 1))
        await asyncio.sleep(max(0.0, start + (at + CHUNK_BYTES) / 2 / IN_HZ - loop.time()))


def waits_secs(tap: Tap) -> list[float]:
    """From each stop of the VAD to the final text."""
    waits: list[float] = []
    stopped: float | None = None
    for at, frame in tap.seen:
        if isinstance(frame, VADUserStartedSpeakingFrame):
            stopped = None
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            stopped = at
        elif isinstance(frame, TranscriptionFrame) and stopped is not None:
            waits.append(at - stopped)
            stopped = None
    return waits


async def test_people_are_heard_while_they_speak_and_understood_when_they_stop() -> None:
    clips = human_clips("librivox", "transcription")[1:4]
    clips += human_clips("cards", "cards.transcription")[:3]
    async with site_for(MoonshineStt()) as site:
        stt = await asyncio.to_thread(MoonshineStt().build, site)
    vad = KeenVad()
    aggregators = LLMContextAggregatorPair(
        LLMContext(),
        user_params=LLMUserAggregatorParams(
            vad_analyzer=vad,
            user_turn_strategies=strategies(TurnConfig(), vad, Speculations()),
        ),
    )
    async with flowing(stt, Tap(), aggregators.user()) as flow:
        await play(flow, quiet(0.5))
        for _, audio in clips:
            await play(flow, audio + quiet(1.2))
        await asyncio.sleep(1.0)
        tap = flow.tap
    said = " ".join(words for words, _ in clips)
    wrong, total = word_errors(said, " ".join(f.text for f in tap.of(TranscriptionFrame)))
    assert wrong / total <= 0.12
    assert all(frame.finalized for frame in tap.of(TranscriptionFrame))
    assert statistics.median(waits_secs(tap)) < 0.3
    secs = sum(len(audio) for _, audio in clips) / 2 / IN_HZ
    assert len(tap.of(InterimTranscriptionFrame)) > secs * 0.8
    assert len(tap.of(EagerTranscriptionFrame)) >= len(clips) / 2


def gaps_secs(audio: bytes) -> list[float]:
    """Silences of 80 ms and more between the first and the last sound."""
    samples = np.frombuffer(audio, "<i2").astype(np.float32)
    frame = OUT_HZ // 100
    level = np.sqrt((samples[: samples.size // frame * frame].reshape(-1, frame) ** 2).mean(axis=1))
    loud = np.flatnonzero(level > level.max() * 0.01)
    return [(after - before - 1) / 100 for before, after in pairwise(loud.tolist())]


async def test_clauses_spoken_apart_sound_as_one_sentence() -> None:
    config = PiperTts()
    decoder = MoonshineDecoder(weights(MoonshineStt()))
    errors: list[tuple[int, int]] = []
    async with site_for(config) as site:
        clauses = LLMTextProcessor(text_aggregator=FirstClauseAggregator())
        async with flowing(clauses, config.build(site), audio_out_sample_rate=OUT_HZ) as flow:
            for count, reply in enumerate(REPLIES, 1):
                before = len(flow.tap.of(TTSAudioRawFrame))
                await flow.send(LLMFullResponseStartFrame())
                await flow.send(*(LLMTextFrame(t) for t in re.findall(r"\s*\S+", reply)))
                await flow.send(LLMFullResponseEndFrame())
                await flow.tap.wait(TTSStoppedFrame, count)
                audio = b"".join(f.audio for f in flow.tap.of(TTSAudioRawFrame)[before:])
                errors.append(word_errors(reply, decoder.decode(audio, OUT_HZ)))
                # Piper's own pause at a comma within a sentence is up to 0.35 s.
                assert max(gaps_secs(audio)) < 0.45
            pieces = len(flow.tap.of(AggregatedTextFrame))
    decoder.close()
    assert pieces > len(REPLIES) + 1
    assert sum(wrong for wrong, _ in errors) / sum(total for _, total in errors) <= 0.12
