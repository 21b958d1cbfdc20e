"""Who is let in and who waits: slots, caps, the door. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from errors import FullError
from hosts.quality import QualityDoor

RETRY_SECS = 10
"""When to try again, as long as no call has ended to tell it from."""
_SOONEST_SECS, _LATEST_SECS = 2, 120
_NEWEST = 0.2
"""What the newest call weighs in how long calls last."""


class BusyError(FullError):
    """There are slots, but the calls that run are served badly."""

    code = "busy_quality"


class KeyCapError(FullError):
    """The caller's key has all the calls that one key may have."""

    code = "key_cap"


class BotCapError(FullError):
    """The bot has all the calls that it may have."""

    code = "bot_cap"


@dataclass(frozen=True)
class Caps:
    """How many calls there may be at once, those that wait included."""

    per_key: int | None = None
    """Of one key; calls without a key have no cap. None: no cap, otherwise from 1."""
    per_bot: Mapping[str, int] = field(default_factory=dict[str, int])
    """Of a bot, by its name, from 1; a bot that is not named has no cap."""


@dataclass(frozen=True, eq=False)
class Wish:
    """What somebody asks for."""

    cost: int
    """In slots."""
    key: str | None
    """Name of the caller's key, never the key itself."""
    bot: str


@dataclass(frozen=True, eq=False)
class Grant:
    """Slots that are taken; given back once."""

    wish: Wish
    since_secs: float


class Desk:
    """Who is in and who waits. Pure; times are seconds on any one clock that only goes forward.

    Those who wait come in by the order in which they came, and nobody passes them: a dear call at
    the head is not starved by cheap ones. Caps refuse at once, for they count those who wait too.

    Args:
        slots: Of the host.
        caps: How many calls a key and a bot may have.
        places: How many may wait.
    """

    def __init__(self, slots: int, *, caps: Caps | None = None, places: int = 0) -> None:
        self.slots = slots
        self.door = QualityDoor()
        self._caps = caps or Caps()
        self._places = places
        self._grants: set[Grant] = set()
        self._waiting: deque[Wish] = deque()
        self._length_secs: float | None = None
        """How long calls last, the newest counting most."""

    @property
    def taken(self) -> int:
        """Slots that are taken."""
        return sum(grant.wish.cost for grant in self._grants)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def refusal(self, wish: Wish, now_secs: float) -> FullError | None:
        """Why a newcomer cannot come in now; None if they can."""
        capped = self._capped(wish)
        if capped or not self._waiting:
            return capped or self._no_room(wish, now_secs)
        return self._full(len(self._waiting))

    def take(self, wish: Wish, now_secs: float) -> Grant:
        """Let a newcomer in; a host that is empty admits any one call.

        Raises:
            FullError: They cannot come in; see `refusal`.
        """
        refusal = self.refusal(wish, now_secs)
        if refusal:
            raise refusal
        return self.adopt(wish, now_secs)

    def adopt(self, wish: Wish, now_secs: float) -> Grant:
        """Count a call that runs already, whether there is room for it or not."""
        grant = Grant(wish, now_secs)
        self._grants.add(grant)
        return grant

    def give_back(self, grant: Grant, now_secs: float) -> None:
        """Free what was taken; what was given back before stays so."""
        if grant not in self._grants:
            return
        self._grants.remove(grant)
        lasted_secs = now_secs - grant.since_secs
        known_secs = lasted_secs if self._length_secs is None else self._length_secs
        self._length_secs = known_secs + _NEWEST * (lasted_secs - known_secs)

    def line_up(self, wish: Wish) -> None:
        """Wait behind those who do.

        Raises:
            FullError: A cap or the line's length forbids it.
        """
        refusal = self._capped(wish)
        if refusal is None and len(self._waiting) >= self._places:
            refusal = self._full(len(self._waiting))
        if refusal:
            raise refusal
        self._waiting.append(wish)

    def leave(self, wish: Wish) -> None:
        """Give up a place in the line, if it is held still."""
        if wish in self._waiting:
            self._waiting.remove(wish)

    def seat(self, now_secs: float) -> list[Grant]:
        """Let in as many of those who wait as there is room for, the first first."""
        seated: list[Grant] = []
        while self._waiting and self._no_room(self._waiting[0], now_secs) is None:
            seated.append(self.adopt(self._waiting.popleft(), now_secs))
        return seated

    def gave_up(self) -> FullError:
        """What to tell one who has waited for long enough."""
        return self._full(len(self._waiting), "The line is still full")

    def _capped(self, wish: Wish) -> FullError | None:
        caps = self._caps
        wishes = [*(grant.wish for grant in self._grants), *self._waiting]
        of_key = sum(other.key == wish.key for other in wishes)
        if wish.key is not None and caps.per_key is not None and of_key >= caps.per_key:
            return KeyCapError(
                f"This key has {of_key} calls, as many as one key may have at once. "
                "End one of them, or try again later.",
                retry_after_secs=self._expect_secs(of_key),
            )
        of_bot = sum(other.bot == wish.bot for other in wishes)
        cap = caps.per_bot.get(wish.bot)
        if cap is not None and of_bot >= cap:
            return BotCapError(
                f"The bot {wish.bot} has {of_bot} calls, as many as it may have at once. "
                "Try again later, or call another bot.",
                retry_after_secs=self._expect_secs(of_bot),
            )
        return None

    def _no_room(self, wish: Wish, now_secs: float) -> FullError | None:
        """Why the first in the line, or a newcomer where nobody waits, cannot come in."""
        if not self._grants:
            return None
        if self.door.shut(now_secs):
            retry_secs = math.ceil(self.door.opens_in_secs(now_secs))
            return BusyError(
                "The calls that run take all that this server has, and another would be heard in "
                f"them. Try again in {retry_secs} s.",
                retry_after_secs=retry_secs,
            )
        return self._full(0) if self.taken + wish.cost > self.slots else None

    def _full(self, ahead: int, why: str = "The line is full") -> FullError:
        retry_secs = self._expect_secs(len(self._grants), ahead)
        return FullError(
            f"{why}: every slot of this server is taken. Try again in {retry_secs} s.",
            retry_after_secs=retry_secs,
        )

    def _expect_secs(self, calls: int, ahead: int = 0) -> int:
        """When one of so many calls should have ended that nobody before waits for."""
        if self._length_secs is None or calls == 0:
            return RETRY_SECS
        expected_secs = math.ceil(self._length_secs * (ahead + 1) / calls)
        return min(max(expected_secs, _SOONEST_SECS), _LATEST_SECS)
