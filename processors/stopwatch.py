"""Watches the frames for the moments of each answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from pipecat.frames.frames import (
    AggregatedTextFrame,
    ErrorFrame,
    Frame,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    LLMContextFrame,
    LLMFullResponseStartFrame,
    OutputAudioRawFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    UserStoppedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import FramePushed
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from processors.latency import Turns
from processors.timeline import Moment

_AUDIBLE = 207
"""-44 dBFS, where the ear takes sound for speech in a room it does not know."""


@dataclass(frozen=True)
class Watched:
    """The processors whose frames are looked at."""

    ears: FrameProcessor
    turns: FrameProcessor
    wits: FrameProcessor
    mouth: FrameProcessor
    forgives: Callable[[ErrorFrame], bool] = lambda _: False
    """Whether a failure of the wits, once the turns know of it, cost the caller nothing."""
    voice: FrameProcessor | None = None
    gate: FrameProcessor | None = None
    """What holds a reply back behind the voice until the caller's turn is over."""
    is_filler: Callable[[Frame], bool] = lambda _: False
    """Whether a sound only bridges the wait for an answer."""
    providers: Mapping[FrameProcessor, str] = field(default_factory=dict[FrameProcessor, str])
    """Whose each of them is, by the provider's name in the pipeline; not all are a provider's."""


class Stopwatch:
    """Marks the moments of each answer from the frames. Another observer hands it each push.

    Each stage starts a reply by passing on its start frame: what a stage did before that was for
    a reply that is not heard.
    """

    def __init__(self, watched: Watched, turns: Turns) -> None:
        self._watched = watched
        self._turns = turns

    def see(self, data: FramePushed) -> None:
        """Look at a frame; call it once for each push."""
        if data.direction is not FrameDirection.DOWNSTREAM:
            return
        at_ms = data.timestamp / 1e6
        line = self._watched
        if data.source is line.mouth:
            self._play(data.frame, at_ms)
        elif data.source is line.ears and isinstance(data.frame, TranscriptionFrame):
            self._turns.timeline.mark("transcript", at_ms)
        elif data.source is line.turns:
            self._judge(data.frame, at_ms)
        elif data.source is line.wits:
            self._think(data.frame, at_ms)
        elif data.source in (line.voice, line.gate):
            moment: Moment = "voiced" if data.source is line.voice else "released"
            self._begin(moment, data.frame, TTSAudioRawFrame, at_ms=at_ms)
        if data.destination is line.voice:
            self._begin("clause", data.frame, AggregatedTextFrame, at_ms=at_ms)

    def _judge(self, frame: Frame, at_ms: float) -> None:
        timeline = self._turns.timeline
        if isinstance(frame, VADUserStoppedSpeakingFrame):
            timeline.mark("quiet", at_ms)
        elif isinstance(frame, UserStoppedSpeakingFrame):
            timeline.mark("committed", at_ms)
        elif isinstance(frame, LLMContextFrame):
            timeline.request(early=frame.speculation)

    def _think(self, frame: Frame, at_ms: float) -> None:
        timeline = self._turns.timeline
        if isinstance(frame, LLMFullResponseStartFrame):
            timeline.mark("asked", at_ms)
        elif isinstance(frame, FunctionCallInProgressFrame):
            timeline.first("tools_began", at_ms)
        elif isinstance(frame, FunctionCallResultFrame):
            timeline.mark("tools_ended", at_ms)

    def _begin(self, moment: Moment, frame: Frame, result: type[Frame], *, at_ms: float) -> None:
        """A stage passes on the start of a reply, or its own first result."""
        if isinstance(frame, LLMFullResponseStartFrame):
            self._turns.timeline.forget(moment)
        elif isinstance(frame, result):
            self._turns.timeline.first(moment, at_ms)

    def _play(self, frame: Frame, at_ms: float) -> None:
        """The output passes a chunk on when its last sample was played."""
        filler = self._watched.is_filler(frame)
        if not isinstance(frame, OutputAudioRawFrame if filler else TTSAudioRawFrame):
            return
        loud = np.flatnonzero(np.abs(np.frombuffer(frame.audio, "<i2").astype(np.int32)) > _AUDIBLE)
        if len(loud):
            left = frame.num_frames - int(loud[0]) // frame.num_channels
            began_ms = at_ms - left * 1000 / frame.sample_rate
            self._turns.sound(began_ms, filler=filler)
