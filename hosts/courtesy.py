"""Has a server answer while calls fill the core, unless answering is most of what it does there."""

from __future__ import annotations

from collections.abc import Callable

from hosts.urgency import Rank, take_rank

SHARE = 0.1
"""Of a core, in the long run: some fifty requests a second on a slow machine."""
BURST_SECS = 0.1
"""What it may use beyond that in one go: as much as a dozen calls that begin at once need. A call
that speaks is silent meanwhile if it has the same core, so that it is no more."""
_MOST_OWED_SECS = 1.0
"""So that after the longest flood it has its rank again within seconds."""


class Courtesy:
    """Ranks the server's own thread by what it uses of a core: a leaky bucket.

    With a rank, it is among the calls that owe an answer: somebody waits for it too. Without, it
    has what the calls leave, which may be nothing for most of a second. It has none from when it
    used more than it was allowed until the whole of `BURST_SECS` is there again. Call from the
    thread that answers, as often as its use shall be bounded.

    Args:
        now_secs: What time it is, on a clock that only goes forward.
        used_secs: What the thread has used of its core by now.
        take: Has the thread scheduled by a rank.
    """

    def __init__(
        self, now_secs: float, used_secs: float, *, take: Callable[[Rank], bool] = take_rank
    ) -> None:
        self._looked_secs, self._used_secs = now_secs, used_secs
        self._left_secs = BURST_SECS
        """Of the core, that it may still use before the calls; negative while it owes them."""
        self._take = take
        take(Rank.OWES)

    def look(self, now_secs: float, used_secs: float) -> None:
        """Time has passed."""
        gained_secs = SHARE * (now_secs - self._looked_secs) - (used_secs - self._used_secs)
        self._looked_secs, self._used_secs = now_secs, used_secs
        self._left_secs = min(BURST_SECS, max(-_MOST_OWED_SECS, self._left_secs + gained_secs))
        if self._left_secs < 0:
            self._take(Rank.RESTS)
        elif self._left_secs == BURST_SECS:
            # Also where it has it: the kernel takes it from who computes without a pause.
            self._take(Rank.OWES)

    def over(self) -> None:
        """Be a thread as any other."""
        self._take(Rank.RESTS)
