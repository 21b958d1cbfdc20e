"""Watches the frames go by and tells what happened as `CallEvent`s."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
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

from processors.latency import BUDGET_MS, Turns
from processors.spoken import SpokenObserver
from processors.stopwatch import Stopwatch, Watched
from records.ear import EarEvent
from records.events import (
    CallerStarted,
    CallerStopped,
    CallEvent,
    Failed,
    FalseStop,
    Heard,
    ReplyEnded,
    ReplyStarted,
    Retried,
    StopReason,
)
from records.redact import redact

Tell = Callable[[CallEvent], None]
Clock = Callable[[], int]

FILLER_MS = 1_000
"""A filler fades out as soon as the caller is heard; that they begin a turn is certain within 0.9 s
of voice or words, and the fade takes 0.1 s."""


class Narrator(BaseObserver):
    """Turns frames into events; the exchanges and their times are those of `processors.latency`.

    It hands each frame to the spoken text and to the stopwatch first: observers run in tasks of
    their own, so that two registered ones are not in step.

    Args:
        tell: Told of each event.
        clock: Milliseconds since the call was accepted.
        watched: Where to look.
        spoken: Which words were heard.
        budget_ms: How soon an answer should be heard.
    """

    def __init__(
        self,
        tell: Tell,
        clock: Clock,
        *,
        watched: Watched,
        spoken: SpokenObserver,
        budget_ms: int = BUDGET_MS,
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
        self._turns = Turns(budget_ms)
        self._stopwatch = Stopwatch(watched, self._turns)
        self.speaking = False
        self._interrupted = False
        self._filled_until_ms: int | None = None
        """When a filler was heard last, and no turn was begun since."""

    async def on_push_frame(self, data: FramePushed) -> None:
        """Look at a frame on its way from one processor to the next."""
        if not self._watched.is_filler(data.frame):
            self._spoken.see(data)
        self._stopwatch.see(data)
        if isinstance(data.frame, ErrorFrame):
            self._fail(data.frame, data.source)
        look = self._sources.get(data.source)
        if look and data.direction is FrameDirection.DOWNSTREAM:
            look(data.frame)
        over = isinstance(data.frame, EndFrame | CancelFrame)
        turn = self._turns.due(self._clock(), frame_ms=None if over else data.timestamp / 1e6)
        if turn:
            self._tell(turn)

    def contributions(self, breakdown: Any) -> None:
        """Take Pipecat's latency breakdown of the reply that begins."""
        self._turns.breakdown([(part.key, part.duration_secs) for part in breakdown.contributions])

    def false_stop(self, paused_ms: float, why: StopReason) -> None:
        """The bot paused for so long for what was no turn, and goes on."""
        self._turns.not_meant()
        self._tell(FalseStop(at_ms=self._clock(), paused_ms=round(paused_ms), why=why))

    def ear(self, event: EarEvent) -> None:
        """Take what the two tracks tell."""
        told = self._turns.ear(event, self._clock())
        if told:
            self._tell(told)

    def _fail(self, frame: ErrorFrame, source: FrameProcessor) -> None:
        """Tell of a failure once: where it began, or for the wits when the turns know of it."""
        wits = frame.processor is self._watched.wits
        if source is not (self._watched.turns if wits else frame.processor):
            return
        at_ms = self._clock()
        code = frame.category.value if frame.category else "unknown"
        provider = self._watched.providers.get(frame.processor) if frame.processor else None
        if wits and self._watched.forgives(frame):
            self._tell(Retried(at_ms=at_ms, code=code, provider=provider))
            return
        message = redact(frame.error)[:300]
        self._tell(Failed(at_ms=at_ms, code=code, message=message, provider=provider))

    def _heard(self, frame: Frame) -> None:
        if isinstance(frame, TranscriptionFrame):
            text = self._turns.heard(frame.text, self._clock())
            self._tell(Heard(at_ms=self._clock(), text=text, final=True))
        elif isinstance(frame, InterimTranscriptionFrame):
            text = self._turns.so_far(frame.text, self._clock())
            self._tell(Heard(at_ms=self._clock(), text=text, final=False))

    def _turn(self, frame: Frame) -> None:
        if isinstance(frame, UserStartedSpeakingFrame):
            self._start(self._clock())
        elif isinstance(frame, UserStoppedSpeakingFrame):
            self._tell(CallerStopped(at_ms=self._clock()))
        elif isinstance(frame, InterruptionFrame):
            self._interrupted = self.speaking

    def _start(self, at_ms: int) -> None:
        filled_ms, self._filled_until_ms = self._filled_until_ms, None
        fills = filled_ms is not None and at_ms - filled_ms <= FILLER_MS
        interrupts = self.speaking or fills
        self._turns.caller_started(at_ms, interrupts=interrupts)
        self._tell(CallerStarted(at_ms=at_ms, interrupts=interrupts))

    def _spoke(self, frame: Frame) -> None:
        if self._watched.is_filler(frame):
            self._filled_until_ms = self._clock()
        elif isinstance(frame, BotStartedSpeakingFrame) and not self.speaking:
            self.speaking = True
            self._interrupted = False
            self._tell(ReplyStarted(at_ms=self._clock()))
        elif isinstance(frame, BotStoppedSpeakingFrame) and self.speaking:
            self.speaking = False
            self._end_reply()

    def _end_reply(self) -> None:
        said, cut = self._spoken.take()
        interrupted, at_ms = self._interrupted, self._clock()
        self._tell(ReplyEnded(at_ms=at_ms, spoken=said, cut=cut, interrupted=interrupted))
        self._turns.reply_ended(said)
