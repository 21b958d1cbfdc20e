"""One exchange from its pieces: what was heard, what was answered, how long the gap was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from processors.waterfall import parts
from records.events import Turn


@dataclass
class TurnLog:
    """Gathers the pieces as they come and gives a `Turn` when the reply is over.

    Pure: the caller tells it what happened and when.
    """

    turns: int = 0
    _heard: list[str] = field(default_factory=list[str])
    _answered: list[str] = field(default_factory=list[str])
    _contributions: tuple[tuple[str, float], ...] = ()
    _ear_ms: int | None = None
    _answering: bool = False

    def heard(self, text: str) -> str:
        """A final transcript; the whole turn's words so far."""
        if self._answering:
            self._forget()
        self._heard.append(text)
        return " ".join(self._heard)

    def so_far(self, partial: str) -> str:
        """The whole turn's words with a partial at the end."""
        words = [] if self._answering else self._heard
        return " ".join([*words, partial])

    def breakdown(self, contributions: Sequence[tuple[str, float]]) -> None:
        """Pipecat's contributions (key, seconds) to the reply that begins now."""
        self._contributions = tuple(contributions)

    def ear(self, latency_ms: int) -> None:
        """The gap as it was heard."""
        self._ear_ms = latency_ms

    def reply_started(self) -> None:
        """The bot is heard."""
        self._answering = bool(self._heard)

    def reply_ended(self, spoken: str, at_ms: int) -> Turn | None:
        """The bot is silent again; None if it spoke unasked, as it does in its greeting."""
        if not self._answering:
            return None
        if spoken:
            self._answered.append(spoken)
        self.turns += 1
        turn = Turn(
            at_ms=at_ms,
            index=self.turns,
            heard=" ".join(self._heard),
            answered=" ".join(self._answered),
            ear_ms=self._ear_ms,
            parts=parts(self._contributions, self._ear_ms),
        )
        self._forget()
        return turn

    def _forget(self) -> None:
        self._heard.clear()
        self._answered.clear()
        self._contributions = ()
        self._ear_ms = None
        self._answering = False
