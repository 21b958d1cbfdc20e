"""Has a server answer while calls fill the core, unless answering is most of what it does there."""

from __future__ import annotations

from collections.abc import Callable

from hosts.urgency import Rank, take_rank

LOOK_SECS = 1.0
MOST_SHARE = 0.2
"""Of a core in the time between two looks: about a hundred requests a second, on a slow machine."""
BACK_SECS = 5.0
"""A server that used more has its rank again so much later."""


class Courtesy:
    """Ranks the server's own thread by how much of a core it uses.

    With a rank, it is among the calls that owe an answer: somebody waits for it too. Without, it
    has what the calls leave, which may be nothing for most of a second. Call from the thread that
    answers.

    Args:
        now_secs: What time it is, on a clock that only goes forward.
        used_secs: What the thread has used of its core by now.
        take: Has the thread scheduled by a rank.
    """

    def __init__(
        self, now_secs: float, used_secs: float, *, take: Callable[[Rank], bool] = take_rank
    ) -> None:
        self._looked_secs, self._used_secs = now_secs, used_secs
        self._back_secs = now_secs
        self._take = take
        take(Rank.OWES)

    def look(self, now_secs: float, used_secs: float) -> None:
        """Time has passed."""
        passed_secs = now_secs - self._looked_secs
        if passed_secs < LOOK_SECS:
            return
        if used_secs - self._used_secs > MOST_SHARE * passed_secs:
            self._back_secs = now_secs + BACK_SECS
        self._looked_secs, self._used_secs = now_secs, used_secs
        # Also where nothing changes: the kernel takes the rank of who computes without a pause.
        self._take(Rank.RESTS if now_secs < self._back_secs else Rank.OWES)

    def over(self) -> None:
        """Be a thread as any other."""
        self._take(Rank.RESTS)
