"""Slots, caps and the line before them: a host takes no call it could not serve well."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bots.bot import bot_names
from errors import ConfigError, OffhookError
from hosts.desk import Caps, Desk, Grant, Wish
from pipelines.config import nearest

SLOTS_PER_CORE = 4
PER_KEY = "OFFHOOK_MAX_CALLS_PER_KEY"
PER_BOT = "OFFHOOK_MAX_CALLS_PER_BOT"


def default_slots() -> int:
    """Slots of this machine: four a core; a pipeline says how many one call takes."""
    return SLOTS_PER_CORE * (os.cpu_count() or 1)


@dataclass(frozen=True)
class AdmissionSettings:
    """Who is let in, beside the slots."""

    caps: Caps = field(default_factory=Caps)
    queue: int = 0
    """How many may wait for a slot; 0 refuses at once."""
    queue_secs: float = 20.0
    """How long each may wait."""

    @classmethod
    def read(cls, env: Mapping[str, str], *, queue: int = 0) -> AdmissionSettings:
        """Read the environment.

        Args:
            env: The variables.
            queue: How many may wait, from 0.

        Raises:
            ConfigError: Something cannot be used; the message names it.
        """
        if queue < 0:
            raise ConfigError(f"--queue is {queue}; it must be 0 or more.", field="queue")
        per_key = env.get(PER_KEY, "").strip()
        per_bot: dict[str, int] = {}
        for part in env.get(PER_BOT, "").split(","):
            if not part.strip():
                continue
            bot, equals, calls = (piece.strip() for piece in part.partition("="))
            _check_bot(bot, known=equals == "=")
            per_bot[bot] = _calls(PER_BOT, calls)
        caps = Caps(_calls(PER_KEY, per_key) if per_key else None, per_bot)
        return cls(caps=caps, queue=queue)


class Admission:
    """The desk with a clock, and with callers who wait. For one event loop.

    Nothing here but `wait` waits, and whatever frees slots lets in at once who waits for them: so
    no two callers can get the same ones.

    Args:
        slots: Of this host.
        settings: Caps and the line.
        clock: Seconds that only go forward.
    """

    def __init__(
        self,
        slots: int,
        *,
        settings: AdmissionSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings or AdmissionSettings()
        self._desk = Desk(slots, caps=self._settings.caps, places=self._settings.queue)
        self._clock = clock
        self._calls: dict[Wish, asyncio.Future[Grant]] = {}

    @property
    def slots(self) -> int:
        """Slots of this host."""
        return self._desk.slots

    @property
    def taken(self) -> int:
        """Slots that are taken."""
        return self._desk.taken

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return self._desk.waiting

    @property
    def shut(self) -> bool:
        """Whether nobody is let in because the calls that run are served badly."""
        return self._desk.door.shut(self._clock())

    def take(self, cost: int, *, key: str | None = None, bot: str = "") -> Grant:
        """Take `cost` slots now; a host that is empty admits any one call.

        Args:
            cost: In slots.
            key: Name of the caller's key (`api.auth.Keys.name`), if they have one.
            bot: Name of the bot that is called.

        Raises:
            FullError: They cannot be had; its code is `full`, `busy_quality`, `key_cap` or
                `bot_cap`.
        """
        return self._desk.take(Wish(cost, key, bot), self._clock())

    async def wait(self, cost: int, *, key: str | None = None, bot: str = "") -> Grant:
        """Take `cost` slots, or wait for them if there is a line; who is cancelled leaves it.

        Args:
            cost: In slots.
            key: Name of the caller's key, if they have one.
            bot: Name of the bot that is called.

        Raises:
            FullError: As `take`, or the line is full, or they could not be had in time.
        """
        wish = Wish(cost, key, bot)
        refusal = self._desk.refusal(wish, self._clock())
        if refusal is None or self._settings.queue == 0:
            return self._desk.take(wish, self._clock())
        self._desk.line_up(wish)
        call = self._calls[wish] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._settings.queue_secs):
                return await call
        except TimeoutError:
            if _granted(call):
                return call.result()
            self._drop(wish, call)
            raise self._desk.gave_up() from None
        except asyncio.CancelledError:
            self._drop(wish, call)
            raise

    def adopt(self, cost: int, *, key: str | None = None, bot: str = "") -> Grant:
        """Count a call that runs already, whether there is room for it or not."""
        return self._desk.adopt(Wish(cost, key, bot), self._clock())

    def give_back(self, grant: Grant) -> None:
        """Free what was taken; again changes nothing."""
        self._desk.give_back(grant, self._clock())
        self._seat()

    def pulse(self, name: str, *, lag_p99_ms: float, late_frames: int) -> None:
        """The call `name` tells how it is, about twice a second; see `QualityDoor.feed`."""
        now_secs = self._clock()
        self._desk.door.feed(
            name, lag_p99_ms=lag_p99_ms, late_frames=late_frames, now_secs=now_secs
        )
        self._seat()

    def gone(self, name: str) -> None:
        """The call `name` tells nothing any more: it is over."""
        self._desk.door.forget(name, self._clock())
        self._seat()

    def turn_away(self, error: OffhookError) -> None:
        """Refuse all who wait."""
        calls, self._calls = self._calls, {}
        for wish, call in calls.items():
            self._desk.leave(wish)
            if not call.done():
                call.set_exception(error)

    def _seat(self) -> None:
        """Let in who can; who was cancelled a moment ago and has not seen it frees a place."""
        while seated := self._desk.seat(self._clock()):
            for grant in seated:
                call = self._calls.pop(grant.wish, None)
                if call is None or call.done():
                    self._desk.give_back(grant, self._clock())
                else:
                    call.set_result(grant)

    def _drop(self, wish: Wish, call: asyncio.Future[Grant]) -> None:
        """Who waited goes: out of the line, or, if they were let in just now, out again."""
        self._calls.pop(wish, None)
        self._desk.leave(wish)
        if _granted(call):
            self._desk.give_back(call.result(), self._clock())
        self._seat()


def _granted(call: asyncio.Future[Grant]) -> bool:
    return call.done() and not call.cancelled() and call.exception() is None


def _calls(variable: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        example = "3" if variable == PER_KEY else "receptionist=3,interviewer=2"
        raise ConfigError(
            f"{variable}: {text!r} is no number of calls from 1; write {example}.", field=variable
        )
    return int(text)


def _check_bot(bot: str, *, known: bool) -> None:
    """Refuse a cap that would hold for nobody."""
    names = bot_names()
    if not known or bot not in names:
        raise ConfigError(
            f"{PER_BOT}: there is no bot {bot!r}{nearest(bot, names)}; "
            "write NAME=CALLS, separated by commas.",
            field=PER_BOT,
        )
