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
BEGAN_MS = 200
"""Words that begin a turn are told just before it; a busy machine takes so much over it."""


@dataclass
class _Exchange:
    """What the caller said, and what is known of the answer."""

    finals: list[str] = field(default_factory=list[str])
    partial: str = ""
    timeline: Timeline = field(default_factory=Timeline)
    contributions: tuple[tuple[str, float], ...] = ()
    ear_ms: float | None = None
    bot_start_ms: float | None = None
    """Where the ear heard the answer, or the filler before it, begin."""
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
        self.ear_ms = self.bot_start_ms = self.filler_at_ms = None

    def add(self, other: _Exchange) -> None:
        """Those words belong to it too."""
        self.finals += other.finals
        self.partial = other.partial


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
        self._aside: _Exchange | None = None
        """The newest words since what was said over the bot turned out to be no turn."""
        self._aside_at_ms = 0
        self._interrupted = False
        """Whether a turn was begun over the bot, and the ear has not told of it yet."""
        self._told = 0

    @property
    def timeline(self) -> Timeline:
        """Of the answer that is not heard yet."""
        return self._open.timeline

    def caller_started(self, at_ms: int, *, interrupts: bool = False) -> None:
        """A turn of the caller's begins; what was on its way to them is not heard any more.

        Args:
            at_ms: Now.
            interrupts: Whether the bot was heard.
        """
        self._open.begin_anew()
        self._interrupted = self._interrupted or interrupts
        if self._aside and at_ms - self._aside_at_ms <= BEGAN_MS:
            self._open.add(self._aside)
        self._aside = None

    def not_meant(self) -> None:
        """What was said over the bot was no turn: a word of assent, an echo.

        Its words may still come. All that comes before the next turn is taken for them, except for
        what begins it.
        """
        if not self._open.timeline.committed:
            self._open = _Exchange()
        self._aside = _Exchange()

    def heard(self, text: str, at_ms: int) -> str:
        """A final transcript; the whole turn's words so far."""
        exchange = self._spoken_in(at_ms)
        exchange.finals.append(text)
        exchange.partial = ""
        return exchange.heard

    def so_far(self, partial: str, at_ms: int) -> str:
        """The whole turn's words with a partial at the end."""
        exchange = self._spoken_in(at_ms)
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
        """What the two tracks tell; an event where it is one of its own.

        A bot that only paused sounds as if it fell silent and answered. It was no barge-in where no
        turn was begun over it, and an answer begins only once.
        """
        if isinstance(event, ear.BargeIn):
            meant, self._interrupted = self._interrupted, False
            return BargedIn(at_ms=at_ms, stop_ms=round(event.stop_ms)) if meant else None
        exchange = self._heard_in()
        if exchange.bot_start_ms not in (None, event.bot_start_ms):
            return None
        exchange.bot_start_ms = event.bot_start_ms
        if isinstance(event, ear.Answer):
            # An interruption that was heard as none, in a gap between the bot's words, is over.
            self._interrupted = False
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

    def _spoken_in(self, at_ms: int) -> _Exchange:
        """Whose words a transcript has: a partial's final may come when the bot is heard."""
        if self._answering and self._answering.partial:
            return self._answering
        awaited = self._open.timeline.committed and not self._open.finals
        if self._aside is None or awaited:
            return self._open
        self._aside, self._aside_at_ms = _Exchange(), at_ms
        return self._aside

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
