"""Tells that a line is dead though it is open: much was said into it and nothing came back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class LineWatch:
    """A recogniser sends something every second or so, in silence too."""

    limit_secs: float
    """Audio without an answer after which the line is dead."""
    unanswered_secs: float = 0.0

    def sent(self, secs: float) -> bool:
        """Audio was sent; whether the line has just turned out to be dead."""
        before, self.unanswered_secs = self.unanswered_secs, self.unanswered_secs + secs
        return before < self.limit_secs <= self.unanswered_secs

    def heard(self) -> None:
        """Something came, or the line is a new one."""
        self.unanswered_secs = 0.0
