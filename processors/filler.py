"""A short word while the answer is late, so that nobody talks into a silent line.

What to say when is the affair of `processors.filler_clock`; here it is played, made ahead.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

import numpy as np
from pipecat.frames.frames import (
    Frame,
    FunctionCallCancelFrame,
    FunctionCallResultFrame,
    FunctionCallsStartedFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    MetricsFrame,
    OutputAudioRawFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.processors.frame_processor import (
    FrameDirection,
    FrameProcessor,
    FrameProcessorSetup,
)

from processors import clock
from processors.filler_clock import FillerClock, FillerLines
from processors.phrases import Clip, Phrases, Samples
from processors.reply_gate import EARLY

_CHUNK_MS = 40
_OUTPUT_MS = 20
"""What the output writes at once."""
_LEAD_MS = 80
"""How much the output may hold: a late wake-up is not heard, and little is left to be cut."""
_CUT_MS = 120
"""How far the best place to cut is looked for."""
_FADE_MS = 40


def fade_out(samples: Samples, rate_hz: int, *, within_ms: float) -> Samples:
    """The beginning of `samples`, faded to silence over up to 40 ms at the quietest place.

    Args:
        samples: Mono.
        rate_hz: Their rate.
        within_ms: How much may be kept; at least the fade is, where there is so much.
    """
    fade = min(rate_hz * _FADE_MS // 1000, len(samples))
    last = min(max(round(rate_hz * within_ms / 1000), fade), len(samples))
    power = np.cumsum(np.concatenate(([0.0], samples[:last].astype(np.float64) ** 2)))
    # How loud the 40 ms before each place are.
    end = fade + int(np.argmin(power[fade : last + 1] - power[: last + 1 - fade]))
    kept = samples[:end].copy()
    kept[end - fade :] = (kept[end - fade :] * np.linspace(1.0, 0.0, fade + 1)[1:]).astype(np.int16)
    return kept


@dataclass
class FillerAudioFrame(OutputAudioRawFrame):
    """Sound of a filler.

    No `TTSAudioRawFrame`, so it is heard and recorded, and an interruption drops it, but it is no
    speech of the bot's: no reply starts with it, nothing counts it as words of the conversation,
    and the answer's first sound stays what is measured.
    """


class Filler(FrameProcessor):
    """Plays a line where the answer is late; stands between the voice and the output.

    Lines that are kept from another call are there at once. The others are made once the greeting
    is, each only while the caller is silent and no answer is due: a voice of this machine has but
    so many cores. So where nobody is greeted the first answer goes without.

    As the answer comes, what plays ends at the quietest place within 120 ms (of sound that is not
    yet with the output, which holds up to 80 ms), and the answer follows without a gap.

    Event handlers:
        on_filled: A line has begun to play; told with its text.
    """

    def __init__(self, lines: FillerLines, phrases: Phrases) -> None:
        super().__init__()
        self._clock = FillerClock(lines)
        self._phrases = phrases
        self._clips: dict[str, Clip] = {}
        self._rate_hz = 0
        self._changed = asyncio.Event()
        self._free = asyncio.Event()
        """The voice is not needed for the call."""
        self._cutting = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self._making: asyncio.Task[None] | None = None
        self._playing: asyncio.Task[None] | None = None
        self._left: Samples = np.zeros(0, np.int16)
        """Of the line that plays."""
        self._register_event_handler("on_filled")

    async def setup(self, setup: FrameProcessorSetup) -> None:
        """Begin to watch, and to make the lines."""
        await super().setup(setup)
        self._rate_hz = setup.audio_out_sample_rate
        self._watching = self.create_task(self._watch())
        self._making = self.create_task(self._make())

    async def cleanup(self) -> None:
        """Fall silent."""
        for task in (self._watching, self._making, self._playing):
            if task:
                await self.cancel_task(task)
        self._watching = self._making = self._playing = None
        await super().cleanup()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take note of a frame; pass everything on."""
        await super().process_frame(frame, direction)
        if direction is FrameDirection.DOWNSTREAM:
            # Noted before anything is awaited: meanwhile no other line may begin.
            self._note_turn(frame)
            self._note_answer(frame)
            self._note_voice(frame)
            self._changed.set()
            await self._stop_for(frame)
        await self.push_frame(frame, direction)

    async def _stop_for(self, frame: Frame) -> None:
        if isinstance(frame, InterruptionFrame):
            await self._cut(None)
        elif isinstance(frame, VADUserStartedSpeakingFrame):
            await self._cut(_FADE_MS)
        elif isinstance(frame, TTSAudioRawFrame):
            await self._cut(_CUT_MS)

    def _note_turn(self, frame: Frame) -> None:
        now_ms = clock.now_ms()
        if isinstance(frame, VADUserStartedSpeakingFrame):
            self._clock.caller_started()
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            self._clock.caller_stopped(now_ms - frame.stop_secs * 1000)
        elif isinstance(frame, (UserStartedSpeakingFrame, InterruptionFrame)):
            self._clock.opened()
        elif isinstance(frame, UserStoppedSpeakingFrame):
            self._clock.committed(now_ms)

    def _note_answer(self, frame: Frame) -> None:
        now_ms = clock.now_ms()
        if isinstance(frame, LLMFullResponseStartFrame):
            self._clock.asked(early=frame.metadata.get(EARLY, False))
        elif isinstance(frame, LLMFullResponseEndFrame):
            self._clock.gave_up()
        elif isinstance(frame, FunctionCallsStartedFrame):
            for call in frame.function_calls:
                self._clock.tool_started(call.tool_call_id, call.function_name, now_ms)
        elif isinstance(frame, (FunctionCallResultFrame, FunctionCallCancelFrame)):
            self._clock.tool_ended(frame.tool_call_id, now_ms)

    def _note_voice(self, frame: Frame) -> None:
        now_ms = clock.now_ms()
        if isinstance(frame, TTSStartedFrame):
            self._clock.voiced(now_ms)
        elif isinstance(frame, TTSAudioRawFrame):
            self._clock.sounded(now_ms, frame.num_frames * 1000 / frame.sample_rate)
        elif isinstance(frame, TTSStoppedFrame):
            self._clock.made()
        if self._clock.busy:
            self._free.clear()
        else:
            self._free.set()

    async def _make(self) -> None:
        clips = self._phrases.clips(self._rate_hz, free=self._free.wait)
        async with contextlib.aclosing(clips):
            async for clip in clips:
                self._clips[clip.text] = clip
                if clip.usage:
                    await self.push_frame(MetricsFrame(data=list(clip.usage)))

    async def _watch(self) -> None:
        """Sleep until a line is due, or something happens; again and again."""
        while True:
            due_ms = self._clock.due()
            wait_secs = None if due_ms is None else max(0.0, (due_ms - clock.now_ms()) / 1000)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_secs):
                    await self._changed.wait()
            self._changed.clear()
            due_ms = self._clock.due()
            if due_ms is not None and due_ms <= clock.now_ms():
                await self._begin()

    async def _begin(self) -> None:
        """Begin with the line that is due, if it still is once the one that plays is silent."""
        await self._cut(_FADE_MS)
        lengths = {text: clip.ms for text, clip in self._clips.items()}
        text = self._clock.take(clock.now_ms(), lengths)
        if text:
            self._playing = self.create_task(self._play(self._clips[text]))

    async def _play(self, clip: Clip) -> None:
        """Give the output a line, no more than it needs."""
        await self._call_event_handler("on_filled", clip.text)
        size = clip.rate_hz * _CHUNK_MS // 1000
        self._left = clip.samples
        began_secs, given_secs = clock.now_ms() / 1000, -_LEAD_MS / 1000
        while len(self._left):
            chunk, self._left = self._left[:size], self._left[size:]
            given_secs += len(chunk) / clip.rate_hz
            await self._give(chunk)
            await asyncio.sleep(max(0.0, began_secs + given_secs - clock.now_ms() / 1000))
        self._playing = None

    async def _cut(self, within_ms: float | None) -> None:
        """End the line that plays: faded within that time, or at once with None."""
        # Whoever finds it being cut waits: its end is not to follow the answer's beginning.
        async with self._cutting:
            if self._playing is None:
                return
            playing, self._playing = self._playing, None
            left, self._left = self._left, self._left[:0]
            await self.cancel_task(playing)
            if within_ms is not None and len(left):
                await self._give(fade_out(left, self._rate_hz, within_ms=within_ms))

    async def _give(self, samples: Samples) -> None:
        # Filled up: what the output does not write at once it would keep for the answer's first.
        whole = np.pad(samples, (0, -len(samples) % (self._rate_hz * _OUTPUT_MS // 1000)))
        await self.push_frame(FillerAudioFrame(whole.tobytes(), self._rate_hz, 1))
