"""Watches the frames go by and tells what happened as `CallEvent`s."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    ErrorFrame,
    Frame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from processors.spoken import SpokenObserver
from processors.turn_log import TurnLog
from records.events import (
    CallerStarted,
    CallerStopped,
    CallEvent,
    Failed,
    Heard,
    ReplyEnded,
    ReplyStarted,
)
from records.redact import redact

Tell = Callable[[CallEvent], None]
Clock = Callable[[], int]


@dataclass(frozen=True)
class Watched:
    """The processors whose frames are looked at."""

    ears: FrameProcessor
    turns: FrameProcessor
    wits: FrameProcessor
    mouth: FrameProcessor
    forgives: Callable[[ErrorFrame], bool] = lambda _: False
    """Whether a failure of the wits, once the turns know of it, cost the caller nothing."""


class Narrator(BaseObserver):
    """Turns frames into events; the wording is the turn log's.

    It hands each frame to the spoken text first: observers run in tasks of their own, so that two
    registered ones are not in step.
    """

    def __init__(
        self, tell: Tell, clock: Clock, *, watched: Watched, spoken: SpokenObserver
    ) -> None:
        # The voice passes on what the first-clause split made, once it is to be spoken.
        super().__init__()
        self._tell = tell
        self._clock = clock
        self._watched = watched
        self._sources = {
            watched.ears: self._heard,
            watched.turns: self._turn,
            watched.mouth: self._spoke,
        }
        self._spoken = spoken
        self.log = TurnLog()
        self.speaking = False
        self._interrupted = False

    async def on_push_frame(self, data: FramePushed) -> None:
        """Look at a frame on its way from one processor to the next."""
        self._spoken.see(data)
        if isinstance(data.frame, ErrorFrame):
            self._fail(data.frame, data.source)
        look = self._sources.get(data.source)
        if look and data.direction is FrameDirection.DOWNSTREAM:
            look(data.frame)

    def contributions(self, breakdown: Any) -> None:
        """Take Pipecat's latency breakdown of the reply that begins."""
        self.log.breakdown([(part.key, part.duration_secs) for part in breakdown.contributions])

    def _fail(self, frame: ErrorFrame, source: FrameProcessor) -> None:
        """Tell of a failure once: where it began, or for the wits when the turns know of it."""
        wits = frame.processor is self._watched.wits
        if source is not (self._watched.turns if wits else frame.processor):
            return
        if wits and self._watched.forgives(frame):
            return
        code = frame.category.value if frame.category else "unknown"
        self._tell(Failed(at_ms=self._clock(), code=code, message=redact(frame.error)[:300]))

    def _heard(self, frame: Frame) -> None:
        if isinstance(frame, TranscriptionFrame):
            text = self.log.heard(frame.text)
            self._tell(Heard(at_ms=self._clock(), text=text, final=True))
        elif isinstance(frame, InterimTranscriptionFrame):
            text = self.log.so_far(frame.text)
            self._tell(Heard(at_ms=self._clock(), text=text, final=False))

    def _turn(self, frame: Frame) -> None:
        if isinstance(frame, UserStartedSpeakingFrame):
            self._tell(CallerStarted(at_ms=self._clock(), interrupts=self.speaking))
        elif isinstance(frame, UserStoppedSpeakingFrame):
            self._tell(CallerStopped(at_ms=self._clock()))
        elif isinstance(frame, InterruptionFrame):
            self._interrupted = self.speaking

    def _spoke(self, frame: Frame) -> None:
        if isinstance(frame, BotStartedSpeakingFrame) and not self.speaking:
            self.speaking = True
            self._interrupted = False
            self.log.reply_started()
            self._tell(ReplyStarted(at_ms=self._clock()))
        elif isinstance(frame, BotStoppedSpeakingFrame) and self.speaking:
            self.speaking = False
            self._end_reply()

    def _end_reply(self) -> None:
        said, cut = self._spoken.take()
        at_ms = self._clock()
        ended = ReplyEnded(at_ms=at_ms, spoken=said, cut=cut, interrupted=self._interrupted)
        self._tell(ended)
        turn = self.log.reply_ended(said, at_ms)
        if turn:
            self._tell(turn)
