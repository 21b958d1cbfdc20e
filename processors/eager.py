"""Start the answer on a transcript that looks finished; keep it only if the turn ends that way.

The recogniser announces a likely end with an `EagerTranscriptionFrame` and takes it back with an
`EagerEndOfTurnCancelFrame`. Pipecat's own eager strategy leaves the end of the turn to such a
recogniser; here the decision stays with smart-turn or a pause, and only the waiting is used.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    ErrorFrame,
    Frame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
)
from pipecat.services.llm_service import LLMService
from pipecat.turns.types import ProcessFrameResult, UserTurnSpeculation
from pipecat.turns.user_stop import (
    BaseUserTurnStopStrategy,
    SpeechTimeoutUserTurnStopStrategy,
    TurnAnalyzerUserTurnStopStrategy,
)
from pipecat.turns.user_stop.eager_match_policy import NormalizedMatch

_match = NormalizedMatch()


class Verdict(Enum):
    """What the end of a turn means for the answer that was started early."""

    NONE = "none"
    """No answer was started."""
    CONFIRMED = "confirmed"
    """It answers what was said; let it out."""
    MISSED = "missed"
    """It answers something else; drop it and ask again."""


@dataclass
class Eagerness:
    """What was heard so far in this turn, and on which words an answer was started."""

    finals: list[str] = field(default_factory=list[str])
    started_on: str | None = None
    ended_on_it: bool = False
    """Whether the turn is over and an early answer was let out for it."""

    def likely_end(self, text: str) -> str | None:
        """Words to start on: the turn's finals and `text`; None if an answer to them runs."""
        words = " ".join([*self.finals, text.strip()]).strip()
        if not words or (self.started_on and _match.matches(self.started_on, words)):
            return None
        self.started_on = words
        return words

    def final(self, text: str) -> None:
        """A segment of the turn was transcribed for good."""
        if text.strip():
            self.finals.append(text.strip())

    def withdraw(self) -> bool:
        """Forget the answer that runs; whether there was one."""
        started, self.started_on = self.started_on, None
        return started is not None

    def end(self) -> Verdict:
        """The turn is over: what becomes of the answer."""
        started, self.started_on = self.started_on, None
        if started is None:
            return Verdict.NONE
        self.ended_on_it = _match.matches(started, " ".join(self.finals))
        return Verdict.CONFIRMED if self.ended_on_it else Verdict.MISSED

    def refused(self) -> bool:
        """The model gives no answer: it wants a tool, which no guess may call, or it failed.

        Returns:
            Whether that crossed the end of the turn, which counts on the answer: ask again.
        """
        lost, self.ended_on_it, self.started_on = self.ended_on_it, False, None
        return lost

    def clear(self) -> None:
        """A new turn."""
        self.finals.clear()
        self.started_on = None
        self.ended_on_it = False


class Eager(BaseUserTurnStopStrategy):
    """Adds early answers to a strategy that decides on its own when the turn ends.

    Event handlers:
        on_answer_lost: The turn ended on an answer that the model had just taken back, or failed
            to give; nothing answers it unless the context is sent to the model again.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._eagerness = Eagerness()
        self._forgiven: deque[int] = deque(maxlen=8)
        self._register_event_handler("on_answer_lost")

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Start, keep or withdraw an answer, then let the strategy decide as ever."""
        if isinstance(frame, EagerTranscriptionFrame):
            await self._start_early(frame.text)
        elif isinstance(frame, EagerEndOfTurnCancelFrame):
            await self._taken_back(frame)
        elif isinstance(frame, ErrorFrame) and isinstance(frame.processor, LLMService):
            await self._failed(frame)
        elif isinstance(frame, VADUserStartedSpeakingFrame):
            await self._withdraw()
        elif isinstance(frame, TranscriptionFrame):
            self._eagerness.final(frame.text)
        result = await super().process_frame(frame)
        if isinstance(frame, TranscriptionFrame):
            # The words are certain and the turn is still open: use the wait.
            await self._start_early("")
        return result or ProcessFrameResult.CONTINUE

    async def trigger_user_turn_stopped(
        self, *, enable_user_speaking_frames: bool | None = None
    ) -> None:
        """End the turn; release the early answer, or ask again."""
        verdict = self._eagerness.end()
        if verdict is Verdict.CONFIRMED:
            await self.trigger_user_turn_finalized(
                enable_user_speaking_frames=enable_user_speaking_frames, confirms_speculation=True
            )
            return
        if verdict is Verdict.MISSED:
            await self.trigger_user_turn_speculation_cancelled()
        await super().trigger_user_turn_stopped(
            enable_user_speaking_frames=enable_user_speaking_frames
        )

    async def handle_user_turn_started(self) -> None:
        """Begin with nothing heard."""
        await self._withdraw()
        self._eagerness.clear()
        await super().handle_user_turn_started()

    async def handle_user_turn_stopped(self) -> None:
        """Leave no answer held: a turn that something else ended would stay silent."""
        await self._withdraw()
        self._eagerness.finals.clear()
        await super().handle_user_turn_stopped()

    async def _start_early(self, text: str) -> None:
        replaces = self._eagerness.started_on is not None
        words = self._eagerness.likely_end(text)
        if words is None:
            return
        if replaces:
            await self.trigger_user_turn_speculation_cancelled()
        await self.trigger_user_turn_inference_triggered(
            speculation=UserTurnSpeculation(text=words)
        )

    def forgives(self, error: ErrorFrame) -> bool:
        """Whether the model's failure cost the caller nothing: the turn asks, or asked, again."""
        return error.id in self._forgiven

    async def _failed(self, error: ErrorFrame) -> None:
        guessing = self._eagerness.started_on is not None
        lost = self._eagerness.refused()
        if guessing or lost:
            self._forgiven.append(error.id)
        if lost:
            await self._call_event_handler("on_answer_lost")

    async def _taken_back(self, frame: EagerEndOfTurnCancelFrame) -> None:
        # The recogniser pushes it down the pipeline, and it reaches the model on its own way. The
        # model broadcasts it, and by the time it is here the turn may have ended.
        if frame.broadcast_sibling_id is None:
            self._eagerness.withdraw()
        elif self._eagerness.refused():
            await self._call_event_handler("on_answer_lost")

    async def _withdraw(self) -> None:
        if self._eagerness.withdraw():
            await self.trigger_user_turn_speculation_cancelled()


class EagerSmartTurnStop(Eager, TurnAnalyzerUserTurnStopStrategy):
    """Ends the turn when smart-turn and a final transcript agree."""


class EagerSilenceStop(Eager, SpeechTimeoutUserTurnStopStrategy):
    """Ends the turn after a fixed pause."""
