"""A held bot goes on where it was; an interrupted one says nothing more. Real outputs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.utils.text.base_text_aggregator import TextType

from pipelines.headless import HeadlessTransport
from pipelines.pausing import HOLD_SECS, OnPlayed, PauseGate, hold
from processors.filler import FillerAudioFrame
from tests.support.pipes import Flow, Tap, flowing

pytestmark = pytest.mark.integration

RATE_HZ = 24_000
CHUNK_MS = 20


@dataclass
class Line:
    """A headless line with a gate before its output."""

    flow: Flow
    gate: PauseGate
    tap: Tap

    async def say(self, secs: float) -> bytes:
        """Queue a ramp: no two samples within it are alike, nor any two pieces."""
        audio = np.arange(1, round(secs * RATE_HZ) + 1).astype("<u2").tobytes()
        await self.flow.send(TTSStartedFrame(), TTSAudioRawFrame(audio, RATE_HZ, 1))
        await self.flow.send(TTSStoppedFrame())
        return audio

    @property
    def played(self) -> bytes:
        return b"".join(frame.audio for frame in self.tap.of(TTSAudioRawFrame))

    async def until_played(self, count: int) -> None:
        await self.tap.wait(TTSAudioRawFrame, count)

    async def still(self) -> bytes:
        """What was played; nothing comes after it for a while."""
        await asyncio.sleep(3 * CHUNK_MS / 1000)
        played = self.played
        await asyncio.sleep(0.25)
        assert self.played == played
        return played


@asynccontextmanager
async def line() -> AsyncGenerator[Line]:
    transport, tap = HeadlessTransport(), Tap()
    gate = hold(transport.output())
    processors = (transport.input(), transport.output(), tap)
    async with flowing(*processors, audio_out_sample_rate=RATE_HZ) as flow:
        yield Line(flow, gate, tap)


async def test_a_pause_loses_nothing_and_repeats_nothing() -> None:
    async with line() as talk:
        audio = await talk.say(0.6)
        await talk.until_played(5)
        talk.gate.pause()
        before = await talk.still()
        assert 0 < len(before) < len(audio)
        talk.gate.resume()
        await talk.tap.wait(BotStoppedSpeakingFrame)
        assert talk.played.rstrip(b"\0") == audio.rstrip(b"\0")


async def test_an_interruption_drops_the_chunk_that_waits_too() -> None:
    async with line() as talk:
        await talk.say(0.6)
        await talk.until_played(5)
        talk.gate.pause()
        before = await talk.still()
        await talk.flow.send(InterruptionFrame())
        await talk.tap.wait(BotStoppedSpeakingFrame)
        assert await talk.still() == before
        assert not talk.gate.paused
        again = await talk.say(0.2)
        await talk.tap.wait(BotStoppedSpeakingFrame, 2)
        assert talk.played[len(before) :].rstrip(b"\0") == again.rstrip(b"\0")


async def test_a_forgotten_pause_ends_by_itself() -> None:
    async with line() as talk:
        audio = await talk.say(0.2)
        talk.gate.pause()
        async with asyncio.timeout(HOLD_SECS + 10):
            await talk.tap.wait(BotStoppedSpeakingFrame)
        assert talk.played.rstrip(b"\0") == audio.rstrip(b"\0")


async def test_a_call_can_end_while_the_bot_is_held() -> None:
    async with line() as talk:
        await talk.say(0.5)
        talk.gate.pause()


async def test_timed_words_wait_with_the_audio() -> None:
    """Those of the second half of a reply that is held in between are not told before it."""
    async with line() as talk:
        await talk.say(0.6)
        await talk.tap.wait(BotStartedSpeakingFrame)
        word = TTSTextFrame("later", TextType.WORD)
        word.pts = talk.gate.now_ns + 400_000_000
        await talk.flow.send(word)
        await talk.until_played(5)
        talk.gate.pause()
        await asyncio.sleep(0.7)
        assert not talk.tap.of(TTSTextFrame)
        talk.gate.resume()
        await talk.tap.wait(TTSTextFrame)
        frames: list[Any] = [frame for _, frame in talk.tap.seen]
        chunks = [f for f in frames[: frames.index(word)] if isinstance(f, TTSAudioRawFrame)]
        assert len(chunks) >= 400 / CHUNK_MS - 4


async def test_a_filler_that_was_held_delays_no_words_of_the_reply() -> None:
    async with line() as talk:
        await talk.say(0.1)
        await talk.tap.wait(BotStoppedSpeakingFrame)
        began_ns = talk.gate.now_ns
        began_secs = asyncio.get_running_loop().time()
        talk.gate.pause()
        await talk.flow.send(FillerAudioFrame(bytes(2 * RATE_HZ // 10), RATE_HZ, 1))
        await asyncio.sleep(0.5)
        talk.gate.resume()
        await talk.tap.wait(FillerAudioFrame)
        passed_ns = (asyncio.get_running_loop().time() - began_secs) * 1e9
        assert abs(talk.gate.now_ns - began_ns - passed_ns) < 0.1e9


async def test_what_was_held_in_a_reply_is_forgotten_with_it() -> None:
    async with line() as talk:
        await talk.say(0.1)
        await talk.tap.wait(BotStoppedSpeakingFrame)
        began_ns = talk.gate.now_ns
        began_secs = asyncio.get_running_loop().time()
        await talk.say(0.3)
        await talk.until_played(5 + 3)
        talk.gate.pause()
        await asyncio.sleep(0.4)
        talk.gate.resume()
        await talk.tap.wait(BotStoppedSpeakingFrame, 2)
        passed_ns = (asyncio.get_running_loop().time() - began_secs) * 1e9
        assert abs(talk.gate.now_ns - began_ns - passed_ns) < 0.1e9


def told_of(told: list[bytes]) -> OnPlayed:
    def note(frame: OutputAudioRawFrame) -> None:
        told.append(frame.audio)

    return note


async def test_it_tells_what_goes_out_and_what_is_being_said() -> None:
    async with line() as talk:
        told: list[bytes] = []
        talk.gate.on_played = told_of(told)
        await talk.say(0.2)
        await talk.tap.wait(BotStoppedSpeakingFrame)
        assert b"".join(told) == talk.played
        assert talk.gate.said() == ()
