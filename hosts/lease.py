"""The right of a call to go on: somebody says now and then that it is still wanted. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

TERM_SECS = 10.0
"""So long without a renewal, and nobody knows of the call any more."""
LOOK_SECS = 0.5
"""How often the clock is looked at."""
_MOST_SECS = 2 * LOOK_SECS
"""The most that one look adds to a silence: a process that was itself held up heard nothing."""


@dataclass
class Lease:
    """Counts the holder's silence. What is lost stays lost.

    Attributes:
        now_secs: When the clock was last looked at, on any clock that only goes forward.
        term_secs: How long a silence may last.
    """

    now_secs: float
    term_secs: float = TERM_SECS
    _silent_secs: float = field(init=False, default=0.0)
    _lost: bool = field(init=False, default=False)

    @property
    def lost(self) -> bool:
        """Whether the holder counts as gone."""
        return self._lost

    def renew(self) -> None:
        """The holder has said that it is there."""
        self._silent_secs = 0.0

    def look(self, now_secs: float) -> bool:
        """Time has passed; whether the lease is lost."""
        passed_secs = max(0.0, now_secs - self.now_secs)
        self.now_secs += passed_secs
        self._silent_secs += min(passed_secs, _MOST_SECS)
        self._lost = self._lost or self._silent_secs >= self.term_secs
        return self._lost
