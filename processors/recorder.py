"""Listens to both ends of the call behind the output: measures it, and records it if asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pipecat.audio.resamplers.soxr_stream_resampler import SOXRStreamAudioResampler
from pipecat.frames.frames import (
    AudioRawFrame,
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    OutputAudioRawFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from records.ear import Ear, EarEvent
from records.tracks import RATE_HZ, TwoTrack

_SETTLE_SECS = 0.06
"""How often what was heard is measured: each time costs much the same, however long the sound."""
_IDLE_SECS = 0.1
"""After so long without the bot, what its resampler holds back is the end of its speech."""


class Recording(Protocol):
    """Where the tracks go."""

    def write(self, tracks: NDArray[np.int16]) -> None:
        """Append samples of both tracks, one row a sample: caller, bot."""
        ...

    def close(self) -> None:
        """There is no more."""
        ...


class CallerTap(FrameProcessor):
    """Where the caller's sound leaves the line, for the recorder.

    Belongs right behind the user aggregator, the last who listens to the caller. Each processor
    that passes 50 frames a second on, and its observers, cost the call more than hearing them.

    Args:
        recorder: Gets the sound.
    """

    def __init__(self, recorder: Recorder) -> None:
        # Without a queue of its own: nothing in here waits for anything.
        super().__init__(enable_direct_mode=True)
        self._recorder = recorder

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take the caller's sound out of the line; pass everything else on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            await self._recorder.hear(frame)
        else:
            await self.push_frame(frame, direction)


class Recorder(FrameProcessor):
    """Puts what the caller said and what was played to them on one clock.

    Belongs right behind `transport.output()`, which passes each chunk of the bot's audio on once
    it was played; nobody behind it wants that. The caller's sound comes by `hear`.

    Args:
        on_ear: Told what was heard, as soon as it is certain; see `records.ear`.
        recording: Gets both tracks; closed when the call ends.
        unplayed_ms: How much of a chunk is still to be played when the transport passes it on.
    """

    def __init__(
        self,
        *,
        on_ear: Callable[[EarEvent], None] | None = None,
        recording: Recording | None = None,
        unplayed_ms: float = 0.0,
    ) -> None:
        super().__init__()
        self._on_ear = on_ear
        self._recording = recording
        self._unplayed_secs = unplayed_ms / 1000
        self._tracks = TwoTrack(RATE_HZ)
        self._ear = Ear(RATE_HZ)
        self._caller_audio = _ToTrack()
        self._bot_audio = _ToTrack()
        self._bot_secs = 0.0
        self._settled_secs = 0.0
        self._closed = False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Keep the bot's sound; pass everything else on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, OutputAudioRawFrame):
            await self._bot(frame)
            return
        if isinstance(frame, (EndFrame, CancelFrame)):
            self._close()
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """Close the recording, however the pipeline came to its end."""
        await super().cleanup()
        self._close()

    async def hear(self, frame: InputAudioRawFrame) -> None:
        """Take note of the caller's sound, which has just arrived."""
        now_secs = asyncio.get_running_loop().time()
        if self._bot_audio.holds and now_secs - self._bot_secs > _IDLE_SECS:
            self._tracks.bot(await self._bot_audio.rest(), self._bot_secs, lasting=0)
        self._tracks.caller(await self._caller_audio.convert(frame), now_secs)
        self._settle_at(now_secs)

    async def _bot(self, frame: OutputAudioRawFrame) -> None:
        now_secs = asyncio.get_running_loop().time()
        self._bot_secs = now_secs + self._unplayed_secs
        lasting = frame.num_frames * RATE_HZ // frame.sample_rate
        audio = await self._bot_audio.convert(frame)
        self._tracks.bot(audio, self._bot_secs, lasting=lasting)
        self._settle_at(now_secs)

    def _settle_at(self, now_secs: float) -> None:
        """Measure what can no longer change, now and then."""
        # Packets come a little early, too.
        if now_secs - self._settled_secs >= _SETTLE_SECS - 0.01:
            self._settled_secs = now_secs
            self._settle(self._tracks.take())

    def _settle(self, tracks: NDArray[np.int16]) -> None:
        if self._closed or not len(tracks):
            return
        if self._recording:
            self._recording.write(tracks)
        for event in self._ear.feed(tracks):
            self._tell(event)

    def _close(self) -> None:
        if self._closed:
            return
        self._settle(self._tracks.close())
        self._closed = True
        for event in self._ear.finish():
            self._tell(event)
        if self._recording:
            self._recording.close()

    def _tell(self, event: EarEvent) -> None:
        if self._on_ear:
            self._on_ear(event)


class _ToTrack:
    """Makes mono audio at the tracks' rate of any frame."""

    def __init__(self) -> None:
        # The lowest quality holds back 20 ms, the highest 76; what it loses no ear hears.
        self._resampler = SOXRStreamAudioResampler(clear_after_secs=None, quality="LQ")
        self.holds = False

    async def convert(self, frame: AudioRawFrame) -> bytes:
        """The frame's audio, and what was held back of the one before; some is held back."""
        audio = frame.audio
        if frame.num_channels > 1:
            channels = np.frombuffer(audio, np.int16).reshape(-1, frame.num_channels)
            audio = channels.mean(axis=1).astype(np.int16).tobytes()
        self.holds = frame.sample_rate != RATE_HZ
        return await self._resampler.resample(audio, frame.sample_rate, RATE_HZ)

    async def rest(self) -> bytes:
        """What is held back."""
        self.holds = False
        return await self._resampler.flush()
