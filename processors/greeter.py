"""The first words, ready before the caller is: played at once, and a reply like any other."""

from __future__ import annotations

import asyncio
import contextlib
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from pipecat.frames.frames import (
    AggregatedTextFrame,
    AggregatedTextProgressFrame,
    DataFrame,
    Frame,
    InterruptionFrame,
    LLMAssistantPushAggregationFrame,
    MetricsFrame,
    StartFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.processors.frame_processor import (
    FrameDirection,
    FrameProcessor,
    FrameProcessorSetup,
)
from pipecat.utils.text.base_text_aggregator import TextType

from processors.phrases import Clip, Marks
from processors.speakable import speakable

_CHUNK_MS = 100

_FIND_SECS = 0.2
"""How long a caller may wait for a file to be read."""

Free = Callable[[], Awaitable[object]]
"""Comes back when nobody needs the voice."""


class Source(Protocol):
    """Where clips of one greeting come from. Neither method raises."""

    async def find(self, rate_hz: int) -> Clip | None:
        """The clip at that rate, if it is kept."""
        ...

    async def make(self, rate_hz: int, free: Free) -> Clip | None:
        """Make the clip aside, and keep it; None if that fails."""
        ...


@dataclass
class GreetingFrame(DataFrame):
    """A ready clip, on its way to the `Greeter`; an interruption drops it like speech."""

    clip: Clip


class Greeter(FrameProcessor):
    """Stands right behind the voice, and says what is ready as the voice would.

    The frames are those of a voice that tells its words' times: announcement, start, sound, words,
    progress, the order to remember them, end. So all that stands behind it, the recording, the
    page, the context, an interruption, takes a greeting that was made at some other time for one
    that is made now.

    Args:
        text: The greeting as it is written.
        source: Asked for it as the pipeline is set up.
    """

    def __init__(self, text: str, source: Source) -> None:
        super().__init__()
        self._text = text
        self._source = source
        self._clip: Clip | None = None
        self._looked = asyncio.Event()
        """Whether it is known if the clip is kept."""
        self._getting: asyncio.Task[None] | None = None
        self._free = asyncio.Event()
        self._free.set()
        self._started = asyncio.Event()

    async def greeting(self) -> Frame:
        """What to queue for the caller to be greeted: the clip, or the text for the voice.

        Waits for a clip that is kept, never for one that is made.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIND_SECS):
                await self._looked.wait()
        if self._clip:
            return GreetingFrame(self._clip)
        # The voice has the machine to itself until it has made what the caller waits for.
        self._free.clear()
        return TTSSpeakFrame(self._text)

    async def setup(self, setup: FrameProcessorSetup) -> None:
        """Begin to find or make the clip."""
        await super().setup(setup)
        self._getting = self.create_task(self._fetch(setup.audio_out_sample_rate))

    async def cleanup(self) -> None:
        """Give up what is not made yet."""
        if self._getting:
            await self.cancel_task(self._getting)
        self._getting = None
        await super().cleanup()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Say a greeting; pass everything else on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, GreetingFrame):
            await self._say(frame.clip)
            return
        if isinstance(frame, TTSStoppedFrame | InterruptionFrame):
            self._free.set()
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self._started.set()

    async def _fetch(self, rate_hz: int) -> None:
        self._clip = await self._source.find(rate_hz)
        self._looked.set()
        if self._clip is None:
            self._clip = await self._source.make(rate_hz, self._free.wait)
        if self._clip and self._clip.usage:
            await self._started.wait()
            await self.push_frame(MetricsFrame(data=list(self._clip.usage)))

    async def _say(self, clip: Clip) -> None:
        """Push all of it at once: the output plays it at its pace."""
        context_id = str(uuid.uuid4())
        announced = AggregatedTextFrame(
            clip.text, TextType.SENTENCE, context_id=context_id, raw_text=clip.text
        )
        announced.append_to_context, announced.will_be_spoken = False, True
        announced.pts = self.get_clock().get_time()
        await self.push_frame(announced)
        await self.push_frame(TTSStartedFrame(context_id=context_id))
        sound_at_ns = self.get_clock().get_time()
        size = clip.rate_hz * _CHUNK_MS // 1000
        for start in range(0, len(clip.samples), size):
            audio = clip.samples[start : start + size].tobytes()
            await self.push_frame(TTSAudioRawFrame(audio, clip.rate_hz, 1, context_id=context_id))
        words = _words(announced, clip.marks or spread(clip.text, clip.ms), sound_at_ns)
        for word in words:
            await self.push_frame(word)
        last_ns = words[-1].pts if words else None
        remember = LLMAssistantPushAggregationFrame()
        # Behind the last word on the output's clock, so that none of them is left out.
        remember.pts = last_ns + 1 if last_ns else None
        await self.push_frame(remember)
        stopped = TTSStoppedFrame(context_id=context_id)
        stopped.pts = last_ns
        await self.push_frame(stopped)


def spread(text: str, length_ms: float) -> Marks:
    """When each word of the text is half said, if each takes as long as its letters read out.

    Args:
        text: As it is written.
        length_ms: How long it takes to say.
    """
    words = list(re.finditer(r"\S+", text))
    weights = [len(speakable(word[0])) + 1 for word in words]
    marks: list[tuple[float, int]] = []
    before = 0.0
    for word, weight in zip(words, weights, strict=True):
        marks.append((length_ms * (before + weight / 2) / sum(weights), word.end()))
        before += weight
    return tuple(marks)


def _words(announced: AggregatedTextFrame, marks: Marks, sound_at_ns: int) -> list[Frame]:
    """The words and how far they have come, each at its time on the pipeline's clock."""
    text, frames, done = announced.text, list[Frame](), 0
    for number, (at_ms, letters) in enumerate(marks):
        end = len(text) if number == len(marks) - 1 else letters
        word = TTSTextFrame(text[done:end], TextType.WORD, segment_id=announced.id)
        # As it is written, spaces and all: a mark need not be at the end of a word.
        word.includes_inter_frame_spaces = True
        progress = AggregatedTextProgressFrame(
            segment_id=announced.id,
            context_id=announced.context_id,
            text=text,
            text_type=announced.text_type,
            accumulated_text=text[:end],
            remaining_text=text[end:],
        )
        word.context_id = announced.context_id
        word.pts = progress.pts = sound_at_ns + round(at_ms * 1e6)
        frames += [word, progress]
        done = end
    return frames
