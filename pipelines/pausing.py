"""Holds back what the bot is about to say, on any transport, and loses none of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from pipecat.frames.frames import (
    AggregatedTextFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterruptionFrame,
    OutputAudioRawFrame,
    SystemFrame,
    TTSTextFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_output import BaseOutputTransport

from processors.spoken import HELD_NS

HOLD_SECS = 2.0
"""The longest pause; whoever forgot to resume is overruled. Pipecat gives up a write after 10 s."""
_SENTENCES = 3
_STEP_NS = 5_000_000

OnPlayed = Callable[[OutputAudioRawFrame], None]


class PauseGate:
    """Stands before the writing of each chunk (20 ms) of the bot's audio.

    Pipecat's output writes one chunk at a time and waits for it. While the gate is shut that chunk
    waits in it, and all that follows waits in the queue behind. An interruption empties the queue
    as ever, and the chunk in the gate is dropped with it. Words that come with a time wait as long
    as the audio does: the output's clock, by which observers date what it pushes too, stands still
    while a chunk waits, and is late by that time until the reply is over.

    Args:
        output: Any transport's output; wrapped in place.
        on_played: Told of each chunk as it is written.
    """

    def __init__(self, output: BaseOutputTransport, on_played: OnPlayed | None = None) -> None:
        self.on_played = on_played
        self._open = asyncio.Event()
        self._open.set()
        self._drops = 0
        self._held_ns = 0
        self._replying = False
        self._waiting_since_ns: int | None = None
        self._said: deque[str] = deque(maxlen=_SENTENCES)
        self._clock = output.get_clock
        self._write_on = output.write_audio_frame
        self._push_on = output.push_frame
        output.write_audio_frame = self._write
        output.push_frame = self._push
        output.add_event_handler("on_after_process_frame", self._processed)

    @property
    def paused(self) -> bool:
        """Whether the bot is held."""
        return not self._open.is_set()

    @property
    def now_ns(self) -> int:
        """The pipeline's clock, less the time for which this reply was held."""
        now_ns = self._clock().get_time()
        waiting_ns = 0 if self._waiting_since_ns is None else now_ns - self._waiting_since_ns
        return now_ns - self._held_ns - waiting_ns

    def pause(self) -> None:
        """Hold the bot from the next chunk on."""
        self._open.clear()

    def resume(self) -> None:
        """Go on where it was."""
        self._open.set()

    def drop(self) -> None:
        """Forget the chunk that waits, and let through what comes after it."""
        self._drops += 1
        self._open.set()

    def said(self) -> tuple[str, ...]:
        """The last sentences whose sound has begun, the present one at the end."""
        return tuple(self._said)

    async def _write(self, frame: OutputAudioRawFrame) -> bool:
        if not await self._admitted(frame):
            return False
        if self.on_played:
            self.on_played(frame)
        return await self._write_on(frame)

    async def _admitted(self, frame: OutputAudioRawFrame) -> bool:
        """Wait at the gate; whether the chunk is still wanted then."""
        if self._open.is_set():
            return True
        drops, since_ns = self._drops, self._clock().get_time()
        self._waiting_since_ns = since_ns
        try:
            async with asyncio.timeout(HOLD_SECS):
                await self._open.wait()
        except TimeoutError:
            self.resume()
        finally:
            self._waiting_since_ns = None
        if drops != self._drops:
            return not frame.interruptible
        if self._replying:
            self._held_ns += self._clock().get_time() - since_ns
        return True

    async def _push(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        if isinstance(frame, BotStartedSpeakingFrame | BotStoppedSpeakingFrame):
            # The words of the next reply are timed by the clock as it is.
            # What is held between replies, like a filler, delays none of their words.
            self._replying = isinstance(frame, BotStartedSpeakingFrame)
            self._held_ns = 0
        elif isinstance(frame, OutputAudioRawFrame):
            frame.metadata[HELD_NS] = self._held_ns
        elif frame.pts and direction is FrameDirection.DOWNSTREAM:
            await self._due(frame, frame.pts)
        if isinstance(frame, AggregatedTextFrame) and not isinstance(frame, TTSTextFrame):
            self._said.append(frame.text)
        await self._push_on(frame, direction)

    async def _due(self, frame: Frame, at_ns: int) -> None:
        """Wait with a timed frame if the audio that it belongs to was held meanwhile."""
        if isinstance(frame, SystemFrame):
            return
        while (left_ns := at_ns - self.now_ns) > 0:  # noqa: ASYNC110 - the clock may stand still
            await asyncio.sleep(max(left_ns, _STEP_NS) / 1e9)

    async def _processed(self, _: FrameProcessor, frame: Frame) -> None:
        # Not before: what is still in the queue would be played, or told as heard.
        if isinstance(frame, InterruptionFrame):
            self.drop()


def hold(output: FrameProcessor, on_played: OnPlayed | None = None) -> PauseGate:
    """Put a gate before that output; once, before the pipeline runs.

    Raises:
        TypeError: It is no transport's output.
    """
    if not isinstance(output, BaseOutputTransport):
        raise TypeError(f"{output} is no transport's output.")
    return PauseGate(output, on_played)
