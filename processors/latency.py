"""How long the caller waited for each answer, where the time went, and who is to blame.

Also what else the ear tells: how soon the bot fell silent for a caller, and when it cut in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from processors.timeline import Timeline
from processors.waterfall import blame, parts
from records import ear
from records.events import BargedIn, CallEvent, CutIn, Turn

BUDGET_MS = 800
"""What a turn should take where the bot does not say."""
SETTLED_MS = 700
"""The ear takes an answer back within 0.35 s of its first sample, and is itself 0.2 s late when
the bot has just fallen silent; the rest is for a busy machine."""


@dataclass
class _Exchange:
    """What the caller said, and what is known of the answer."""

    finals: list[str] = field(default_factory=list[str])
    partial: str = ""
    timeline: Timeline = field(default_factory=Timeline)
    contributions: tuple[tuple[str, float], ...] = ()
    ear_ms: float | None = None
    filler_at_ms: float | None = None
    answer_at_ms: float = 0.0
    answered: str = ""

    @property
    def heard(self) -> str:
        return " ".join(self.finals) or self.partial

    def begin_anew(self) -> None:
        """The caller goes on before they were answered: the words stay, the times do not."""
        self.timeline = Timeline()
        self.contributions = ()
        self.ear_ms = self.filler_at_ms = None


class Turns:
    """Gathers the pieces of each exchange and gives a `Turn` when it is over.

    Pure: the caller tells it what happened and when. Times called `frame_ms` are those of the
    frames, times called `at_ms` those of the call's events; the two clocks need not agree.

    Args:
        budget_ms: How soon an answer should be heard, from 1.
    """

    def __init__(self, budget_ms: int = BUDGET_MS) -> None:
        self._budget_ms = budget_ms
        self._open = _Exchange()
        self._answering: _Exchange | None = None
        self._over: _Exchange | None = None
        self._told = 0

    @property
    def timeline(self) -> Timeline:
        """Of the answer that is not heard yet."""
        return self._open.timeline

    def caller_started(self) -> None:
        """A turn of the caller's begins; what was on its way to them is not heard any more."""
        self._open.begin_anew()

    def not_meant(self) -> None:
        """What was said over the bot was no turn: a word of assent, an echo."""
        if not self._open.timeline.committed:
            self._open = _Exchange()

    def heard(self, text: str) -> str:
        """A final transcript; the whole turn's words so far."""
        exchange = self._spoken_in()
        exchange.finals.append(text)
        exchange.partial = ""
        return exchange.heard

    def so_far(self, partial: str) -> str:
        """The whole turn's words with a partial at the end."""
        exchange = self._spoken_in()
        exchange.partial = partial
        return " ".join([*exchange.finals, partial])

    def breakdown(self, contributions: Sequence[tuple[str, float]]) -> None:
        """Pipecat's contributions (key, seconds) to the sound that begins now."""
        (self._answering or self._open).contributions = tuple(contributions)

    def sound(self, frame_ms: float, *, filler: bool) -> None:
        """The bot is heard, for the first time or still; unasked, as in a greeting, or not."""
        if self._answering or not self._open.timeline.committed:
            return
        if filler:
            if self._open.filler_at_ms is None:
                self._open.filler_at_ms = frame_ms
            return
        self._open.answer_at_ms = frame_ms
        self._answering, self._open = self._open, _Exchange()

    def reply_ended(self, spoken: str) -> None:
        """The bot is silent again. Nothing is over if it spoke unasked, or only filled a gap."""
        if self._answering:
            self._answering.answered = spoken
            self._over, self._answering = self._answering, None

    def ear(self, event: ear.EarEvent, at_ms: int) -> CallEvent | None:
        """What the two tracks tell; an event where it is one of its own."""
        if isinstance(event, ear.BargeIn):
            return BargedIn(at_ms=at_ms, stop_ms=round(event.stop_ms))
        exchange = self._heard_in()
        if isinstance(event, ear.Answer):
            exchange.ear_ms = event.ear_ms
            return None
        exchange.ear_ms = None
        more_ms = max(0, round(event.caller_more_ms - event.bot_start_ms))
        return CutIn(at_ms=at_ms, caller_more_ms=more_ms)

    def due(self, at_ms: int, *, frame_ms: float | None = None) -> Turn | None:
        """The exchange that is over, once the ear can take nothing back.

        Args:
            at_ms: When it is told.
            frame_ms: Now; None if there is no later.
        """
        over = self._over
        if over is None or (frame_ms is not None and frame_ms < over.answer_at_ms + SETTLED_MS):
            return None
        self._over = None
        self._told += 1
        return self._turn(over, at_ms)

    def _spoken_in(self) -> _Exchange:
        """Whose words a transcript has: a partial's final may come when the bot is heard."""
        late = self._answering and self._answering.partial
        return self._answering if self._answering and late else self._open

    def _heard_in(self) -> _Exchange:
        """In which exchange the bot was last heard."""
        filled = self._open if self._open.filler_at_ms is not None else None
        return self._answering or filled or self._over or self._open

    def _turn(self, exchange: _Exchange, at_ms: int) -> Turn:
        answer_at_ms, filler_at_ms = exchange.answer_at_ms, exchange.filler_at_ms
        first_at_ms = answer_at_ms if filler_at_ms is None else filler_at_ms
        end_ms = None if exchange.ear_ms is None else first_at_ms - exchange.ear_ms
        ear_ms = None if end_ms is None else round(first_at_ms - end_ms)
        answer_ms = None if end_ms is None else round(answer_at_ms - end_ms)
        spent = exchange.contributions
        # Pipecat's account takes the first request for the one that was answered, and what a held
        # reply waited for as the pipeline's own time.
        if not spent or exchange.timeline.tried:
            spent = exchange.timeline.path(end_ms, answer_at_ms)
        shown = parts(spent, answer_ms)
        over_ms = max(0, (answer_ms or 0) - self._budget_ms)
        return Turn(
            at_ms=at_ms,
            index=self._told,
            heard=exchange.heard,
            answered=exchange.answered,
            ear_ms=ear_ms,
            parts=shown,
            filler_ms=None if filler_at_ms is None else ear_ms,
            answer_ms=answer_ms,
            over_ms=over_ms,
            blame=blame(shown) if over_ms else None,
            budget_ms=self._budget_ms,
            speculated=exchange.timeline.speculated,
        )
