"""In which order, and when, the packets of a call are heard.

Pure: time is an argument.
"""

from __future__ import annotations

from typing import Generic, TypeVar

HOLD_LEAST_MS = 60.0
"""How long a missing packet is waited for where packets keep their order."""
HOLD_MOST_MS = 240.0
"""How long at most, where they do not: also where a call begins, for nothing is known there."""
_MARGIN = 1.25
_MARGIN_MS = 20.0
_FORGET = 7 / 8
"""What is left of the worst lateness when a packet was waited for in vain."""
_JUMP = 100
"""Packets; who is so far from where we are has begun anew."""

Item = TypeVar("Item")


class Playout(Generic[Item]):
    """Gives packets in order, each as soon as those before it are here or given up.

    Nobody plays this sound, so nothing is gained by keeping some in stock: a packet waits only for
    a missing one before it, and never longer than `hold_ms`. When a packet is given up, all that
    waited behind it is given at once: no loss leaves a lasting delay.
    """

    def __init__(self) -> None:
        self._next: int | None = None
        """Number of the packet that is due; counts on where the 16 bits of RTP wrap."""
        self._held: dict[int, tuple[Item, float]] = {}
        self._given_up: dict[int, float] = {}
        """Numbers, and when each was first missed."""
        self._worst_ms = HOLD_MOST_MS

    @property
    def hold_ms(self) -> float:
        """How long a missing packet is waited for: somewhat longer than the latest ones took."""
        wanted_ms = self._worst_ms * _MARGIN + _MARGIN_MS
        return min(HOLD_MOST_MS, max(HOLD_LEAST_MS, wanted_ms))

    @property
    def held(self) -> int:
        """How many packets wait."""
        return len(self._held)

    def restart(self) -> list[Item]:
        """Take whatever comes next as the first; what still waited, in order."""
        rest = [self._held[number][0] for number in sorted(self._held)]
        self._held.clear()
        self._given_up.clear()
        self._next = None
        return rest

    def push(self, number: int, item: Item, *, at_ms: float) -> list[Item]:
        """Take a packet; those that may go on now, in order.

        Args:
            number: Its sequence number, 0 to 65535.
            item: The packet.
            at_ms: When it came, on any clock that only goes forward.
        """
        due = number if self._next is None else self._next
        ahead = (number - due + 0x8000) % 0x10000 - 0x8000
        given: list[Item] = []
        if abs(ahead) > _JUMP:
            given, due, ahead = self.restart(), number, 0
        self._next = due
        place = due + ahead
        self._learn(place, at_ms)
        if ahead >= 0 and place not in self._held:
            self._held[place] = item, at_ms
        given += self._in_order()
        while self._held and self._oldest_ms() <= at_ms - self.hold_ms:
            self._give_up()
            given += self._in_order()
        return given

    def _learn(self, place: int, at_ms: float) -> None:
        """Note how long after it was missed this packet came."""
        if place in self._held:
            return
        later = [came_ms for other, (_, came_ms) in self._held.items() if other > place]
        missed_ms = self._given_up.pop(place, min(later, default=at_ms))
        self._worst_ms = max(self._worst_ms, at_ms - missed_ms)

    def _oldest_ms(self) -> float:
        return min(came_ms for _, came_ms in self._held.values())

    def _in_order(self) -> list[Item]:
        given: list[Item] = []
        while self._next in self._held:
            given.append(self._held.pop(self._next)[0])
            self._next += 1
        return given

    def _give_up(self) -> None:
        """Go on with the first that is here."""
        assert self._next is not None
        first, missed_ms = min(self._held), self._oldest_ms()
        self._given_up |= dict.fromkeys(range(self._next, first), missed_ms)
        self._given_up = {n: at for n, at in self._given_up.items() if n >= first - _JUMP}
        self._next = first
        self._worst_ms *= _FORGET
