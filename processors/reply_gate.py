"""Holds an answer that was started early, voice and all, until the turn that it answers is over.

Every reply has a number, given where the model is asked. It travels with the reply's own frames,
and a verdict names the number that it is about: the verdicts are system frames, which overtake what
they judge, so that a gate which only knew "withdrawn" would take a new reply for the old one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pipecat.frames.frames import (
    AggregatedTextFrame,
    ControlFrame,
    EagerEndOfTurnCancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    SystemFrame,
    TTSAudioRawFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_text_processor import LLMTextProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import LLMService
from pipecat.services.tts_service import TTSService
from pipecat.turns.speculation_gate import GatedFrame, SpeculationGate

from processors import clock
from processors.first_clause import FirstClauseAggregator
from processors.speculation import Speculations

GENERATION = "generation"
"""Metadata: the number of a reply."""
EARLY = "speculative"
"""Metadata: whether it was asked for before its turn was over."""
_WITHDRAWN = "withdrawn"
_NONE = 0
"""A verdict that somebody has looked at and that is about no reply."""
_CONFIRMED = "confirmed"


class Verdict(Enum):
    """What becomes of a reply's frames."""

    PASS = "pass"
    HOLD = "hold"
    DROP = "drop"


@dataclass
class ReplyHold:
    """Which reply the frames at hand belong to, and what is known of it. Pure."""

    generation: int = 0
    """Of the frames at hand; 0 outside of a reply."""
    early: bool = False
    _confirmed: int = 0
    _withdrawn: int = 0

    def opens(self, generation: int, early: bool) -> None:
        """The frames of a reply begin."""
        self.generation, self.early = generation, early

    def closes(self) -> None:
        """What follows belongs to no reply."""
        self.generation, self.early = 0, False

    def confirm(self, generation: int) -> None:
        """The turn ended on that reply, and on no earlier one."""
        self._confirmed = max(self._confirmed, generation)

    def withdraw(self, generation: int) -> None:
        """That reply and those before it shall not be heard, if they were asked for early."""
        self._withdrawn = max(self._withdrawn, generation)

    @property
    def verdict(self) -> Verdict:
        """What becomes of the frames at hand."""
        if not self.early:
            return Verdict.PASS
        if self.generation <= self._withdrawn:
            return Verdict.DROP
        return Verdict.PASS if self.generation == self._confirmed else Verdict.HOLD


@dataclass
class ReplyWithdrawnFrame(ControlFrame):
    """Behind it comes nothing more of a reply that was taken back."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.interruptible = False


def withdrawn(frame: Frame) -> int | None:
    """The reply that an `EagerEndOfTurnCancelFrame` takes back; None if it names none."""
    return frame.metadata.get(_WITHDRAWN) or None


def _reply(frame: LLMFullResponseStartFrame) -> tuple[int, bool]:
    return frame.metadata.get(GENERATION, 0), frame.metadata.get(EARLY, False)


def number_replies(aggregator: FrameProcessor, books: Speculations) -> None:
    """Number the replies that a user aggregator asks for, and say of which its verdicts are."""
    ends: dict[int, int] = {}

    async def stamp(_: FrameProcessor, frame: Frame) -> None:
        if isinstance(frame, LLMContextFrame):
            _number(frame, books)
        elif isinstance(frame, EagerEndOfTurnCancelFrame):
            _name(frame, books)
        elif isinstance(frame, UserStoppedSpeakingFrame):
            # It is pushed twice, down and up.
            number = ends.pop(frame.broadcast_sibling_id or 0, None)
            if number is None:
                number = ends[frame.id] = books.ended(clock.now_ms())
            frame.metadata[_CONFIRMED] = number

    aggregator.add_event_handler("on_before_push_frame", stamp)


def _number(frame: LLMContextFrame, books: Speculations) -> None:
    if GENERATION not in frame.metadata:
        read = sum(len(str(message)) for message in frame.context.messages)
        number = books.asked(early=frame.speculation, now_ms=clock.now_ms(), read=read)
        frame.metadata |= {GENERATION: number, EARLY: frame.speculation}


def _name(frame: EagerEndOfTurnCancelFrame, books: Speculations) -> None:
    if _WITHDRAWN in frame.metadata:
        books.drop(frame.metadata[_WITHDRAWN])
    else:
        frame.metadata[_WITHDRAWN] = books.withdrawn() or _NONE


class _OpenGate(SpeculationGate):
    """Pipecat's gate in the model, which lets the reply through and still refuses tools."""

    def __init__(self, books: Speculations, name: str) -> None:
        super().__init__(name=name)
        self._books = books
        self._asked: dict[str, Any] = {}

    def ask(self, frame: LLMContextFrame) -> None:
        """The model is about to answer that."""
        _number(frame, self._books)
        self._asked = {key: frame.metadata[key] for key in (GENERATION, EARLY)}

    @property
    def is_speculating(self) -> bool:
        """Whether no tool may be called: the turn is open, or the reply was taken back."""
        dropped = self._books.is_dropped(self._asked.get(GENERATION, _NONE))
        return super().is_speculating or dropped

    def process(self, frame: Frame, direction: FrameDirection) -> list[GatedFrame]:
        """Let everything pass; mark where a reply begins."""
        if isinstance(frame, EagerEndOfTurnCancelFrame) and _WITHDRAWN not in frame.metadata:
            # The model's own: it refuses the reply that it works on.
            frame.metadata[_WITHDRAWN] = self._asked.get(GENERATION, _NONE)
        if isinstance(frame, LLMFullResponseStartFrame):
            frame.metadata |= self._asked
        return super().process(frame, direction)

    def _begin(self) -> list[GatedFrame]:
        return []


def open_model(model: LLMService[Any], books: Speculations) -> None:
    """Let the model's early replies out to the voice; `ReplyGate` holds them instead."""
    gate = _OpenGate(books, name=f"{model}::gate")
    model._speculation_gate = gate  # pyright: ignore[reportPrivateUsage]

    async def asked(_: FrameProcessor, frame: Frame) -> None:
        if isinstance(frame, LLMContextFrame):
            gate.ask(frame)

    model.add_event_handler("on_before_process_frame", asked)


def quench_voice(voice: TTSService) -> None:
    """Let the voice drop a reply that is taken back, without an interruption of the pipeline."""

    async def drop(_: FrameProcessor, frame: Frame) -> None:
        if not isinstance(frame, EagerEndOfTurnCancelFrame) or withdrawn(frame) is None:
            return
        await voice._start_interruption()  # pyright: ignore[reportPrivateUsage]
        downstream = FrameDirection.DOWNSTREAM
        await voice._handle_interruption(InterruptionFrame(), downstream)  # pyright: ignore[reportPrivateUsage]
        await voice.stop_all_metrics()
        await voice.push_frame(ReplyWithdrawnFrame())

    voice.add_event_handler("on_before_process_frame", drop)


class ClauseGate(LLMTextProcessor):
    """Cuts the model's text for the voice; of an early reply only the first clause passes.

    The rest is not worth its money before the turn is over: the first clause takes longer to say
    than the rest to make.
    """

    def __init__(self, books: Speculations) -> None:
        super().__init__(text_aggregator=FirstClauseAggregator())
        self._books = books
        self._hold = ReplyHold()
        self._held: deque[Frame] = deque()
        self._begun = False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Heed the verdicts, and let the text through as far as they allow."""
        if direction is FrameDirection.DOWNSTREAM:
            await self._heed(frame)
        await super().process_frame(frame, direction)
        if isinstance(frame, UserStoppedSpeakingFrame):
            await self._flush()

    async def push_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        """Push, hold or drop a frame of a reply."""
        verdict = self._hold.verdict
        if direction is FrameDirection.UPSTREAM or verdict is Verdict.PASS or self._may_pass(frame):
            await self._pass(frame, direction)
        elif verdict is Verdict.HOLD:
            self._held.append(frame)

    def _may_pass(self, frame: Frame) -> bool:
        """Whether a frame passes although its reply does not."""
        if not isinstance(frame, AggregatedTextFrame | LLMFullResponseEndFrame):
            return True
        if self._begun or not isinstance(frame, AggregatedTextFrame):
            return False
        if self._hold.verdict is Verdict.DROP:
            return False
        self._books.clause(self._hold.generation, clock.now_ms())
        self._begun = True
        return self._books.speaks_early(self._hold.generation)

    async def _heed(self, frame: Frame) -> None:
        match frame:
            case LLMFullResponseStartFrame():
                await self.reset()
                self._held.clear()
                self._begun = False
                self._hold.opens(*_reply(frame))
            case LLMTextFrame():
                self._books.wrote(self._hold.generation, len(frame.text))
            case EagerEndOfTurnCancelFrame() if (number := withdrawn(frame)) is not None:
                self._hold.withdraw(number)
                if self._hold.verdict is Verdict.DROP:
                    self._held.clear()
            case UserStoppedSpeakingFrame():
                self._hold.confirm(frame.metadata.get(_CONFIRMED, 0))
            case InterruptionFrame():
                self._held.clear()
                self._hold.closes()
            case _:
                pass

    async def _flush(self) -> None:
        while self._held and self._hold.verdict is Verdict.PASS:
            await self._pass(self._held.popleft(), FrameDirection.DOWNSTREAM)

    async def _pass(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, AggregatedTextFrame) and direction is FrameDirection.DOWNSTREAM:
            self._books.clause(self._hold.generation, clock.now_ms())
            self._books.voiced(self._hold.generation, len(frame.text))
        await super().push_frame(frame, direction)


class ReplyGate(FrameProcessor):
    """Right behind the voice: what of an early reply is made by now waits here for its turn's end.

    So nothing of it is heard, shown, recorded or remembered before, and nothing ever if the reply
    is taken back.
    """

    def __init__(self, books: Speculations) -> None:
        super().__init__()
        self._books = books
        self._hold = ReplyHold()
        self._held: deque[Frame] = deque()
        self._sound_at_ns: int | None = None
        self._late_ns = 0
        """How long the reply's sound was held: its words are heard so much later."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Push, hold or drop a frame."""
        await super().process_frame(frame, direction)
        if direction is FrameDirection.UPSTREAM:
            await self.push_frame(frame, direction)
        elif isinstance(frame, SystemFrame):
            await self._judge(frame)
        elif isinstance(frame, EndFrame):
            await self._discard()
            self._hold.closes()
            await self.push_frame(frame)
        elif isinstance(frame, ReplyWithdrawnFrame):
            await self._discard()
            self._hold.closes()
        else:
            await self._take(frame)

    async def _take(self, frame: Frame) -> None:
        if isinstance(frame, LLMFullResponseStartFrame):
            await self._discard()
            self._sound_at_ns, self._late_ns = None, 0
            self._hold.opens(*_reply(frame))
        elif isinstance(frame, TTSAudioRawFrame) and self._sound_at_ns is None:
            self._sound_at_ns = self.get_clock().get_time()
            self._books.sound(self._hold.generation, clock.now_ms())
        verdict = self._hold.verdict
        if verdict is Verdict.HOLD:
            self._held.append(frame)
        elif verdict is Verdict.PASS:
            await self._let_out(frame)
        elif not frame.interruptible:
            await self.push_frame(frame)

    async def _judge(self, frame: Frame) -> None:
        number = withdrawn(frame) if isinstance(frame, EagerEndOfTurnCancelFrame) else None
        if number is not None:
            self._hold.withdraw(number)
            if self._hold.verdict is Verdict.DROP:
                await self._discard()
        await self.push_frame(frame)
        if isinstance(frame, InterruptionFrame):
            await self._discard()
            self._hold.closes()
        elif isinstance(frame, UserStoppedSpeakingFrame):
            self._hold.confirm(frame.metadata.get(_CONFIRMED, 0))
            await self._release()

    async def _release(self) -> None:
        if not self._held or self._hold.verdict is not Verdict.PASS:
            return
        if self._sound_at_ns is not None:
            self._late_ns = self.get_clock().get_time() - self._sound_at_ns
        while self._held and self._hold.verdict is Verdict.PASS:
            await self._let_out(self._held.popleft())

    async def _let_out(self, frame: Frame) -> None:
        if frame.pts:
            frame.pts += self._late_ns
        await self.push_frame(frame)

    async def _discard(self) -> None:
        held, self._held = self._held, deque()
        for frame in held:
            if not frame.interruptible:
                await self.push_frame(frame)
