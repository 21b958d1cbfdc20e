"""Gives a call the core before others while its caller waits for an answer, or hears one.

On a core that many calls share, an answer is made in five or six steps, and each waits for whoever
has the core. A process that may take real-time priority (`RLIMIT_RTPRIO` of 2, or root) has it at
once, as sound servers do. Without it, Linux (6.12 and later) lets a thread ask for shorter turns
of the core, and with them to have them sooner; what it gets in all stays the same.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal
import sys
import threading
from collections.abc import Callable
from enum import IntEnum
from functools import cache
from types import FrameType
from typing import ClassVar

from records.events import (
    CallEnded,
    CallerStarted,
    CallerStopped,
    CallEvent,
    Failed,
    FalseStop,
    ReplyEnded,
    ReplyStarted,
    Turn,
)

SHORT_NS = 1_500_000
"""Of a call that owes an answer: longer than most steps of one."""
LONG_NS = 20_000_000
"""Of a call that does not: its sound is due each 20 ms. The kernel's own are 1.4 to 3 ms, so that
a call also makes way for the host, and for what is being prepared."""
SILENT_MS = 64.0
"""Between words there is as much; before it no answer is begun."""
PATIENT_MS = 10_000.0
"""Of the caller's silence: an answer that has not come by then is not to come."""
STRETCH_SECS, MOST_SECS = 0.5, 5.0
"""Computing without a pause: then a process has no real-time priority any more; then the kernel
ends it. Steps of a call take milliseconds, and nobody else at its rank gets the core meanwhile."""
CROWDED, ROOMY = 0.4, 0.2
"""What part of its time a call that listens waits for the core: from the one it steps back, below
the other it returns: without a priority it waits longer. Half a second of it decides."""
_NEWEST = 0.25
"""What part of its wait is judged by the last tenth of a second: 0.75**5 is a quarter."""
_SYSCALLS = {"x86_64": 314, "aarch64": 274}
"""Numbers of `sched_setattr`, which the C library has no name for."""
_OTHER, _ROUND_ROBIN = 0, 2
"""Policies: as the kernel thinks fair, and real time (`sched(7)`)."""
_RESET_ON_FORK = 1
"""Threads and processes that it begins have no such priority. Once set, only root unsets it."""


class Rank(IntEnum):
    """How badly a thread needs the core; all but the first have a real-time priority."""

    RESTS = 0
    """The call has not begun, or is over; or it listens and the core is full; or it is none."""
    LISTENS = 1
    SPEAKS = 2
    """Sound is due each 20 ms, and heard if it is late."""
    OWES = 3
    """The caller waits; or somebody waits for the server (`hosts/courtesy.py`)."""


PRIORITIES = {Rank.LISTENS: 1, Rank.SPEAKS: 2, Rank.OWES: 2}
"""An answer takes a tenth of a second to make, in pieces: put before those that speak, two made at
once are heard as gaps; put behind them, it is late. So both take turns."""


class _Attributes(ctypes.Structure):
    _fields_: ClassVar = [
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime_ns", ctypes.c_uint64),
        ("deadline_ns", ctypes.c_uint64),
        ("period_ns", ctypes.c_uint64),
    ]


def take_rank(rank: Rank) -> bool:
    """Have this thread scheduled by that rank; whether the kernel did anything.

    The kernel keeps a part of each second from real-time priorities (5 % as it comes) for the rest
    of the machine.
    """
    if rank and _take_real_time(rank):
        return True
    turn_ns = SHORT_NS if rank is Rank.OWES else LONG_NS
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    return _schedule(_Attributes(policy=_OTHER, nice=nice, runtime_ns=turn_ns))


def may_take_real_time() -> bool:
    """Whether calls that this process begins may have real-time priority; tried, in a thread."""
    may: list[bool] = []
    thread = threading.Thread(target=lambda: may.append(_take_real_time(Rank.OWES)))
    thread.start()
    thread.join()
    return may == [True]


def bound_stretches(*, to_the_end: bool) -> None:
    """Have this process lose its rank when it computes for too long in one go.

    Of all processes with real-time priority none else would get the core; those that this one
    begins are bound too. From the main thread only.

    Args:
        to_the_end: Whether the kernel ends it where even that did not help.
    """
    if sys.platform != "linux":
        return
    import resource

    _, most_us = resource.getrlimit(resource.RLIMIT_RTTIME)
    if to_the_end:
        mine_us = int(MOST_SECS * 1_000_000)
        most_us = mine_us if most_us == resource.RLIM_INFINITY else min(mine_us, most_us)
    signal.signal(signal.SIGXCPU, _step_down)
    _bound(most_us)


def _bound(most_us: int) -> None:
    import resource

    stretch_us = int(STRETCH_SECS * 1_000_000)
    if most_us != resource.RLIM_INFINITY:
        stretch_us = min(stretch_us, most_us)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_RTTIME, (stretch_us, most_us))


def _step_down(number: int, frame: FrameType | None) -> None:
    import resource

    take_rank(Rank.RESTS)
    # With each of these signals the kernel moves the bound by a second, for good.
    _bound(resource.getrlimit(resource.RLIMIT_RTTIME)[1])


def _take_real_time(rank: Rank) -> bool:
    # Who may have the lower ranks alone would put those that owe an answer last.
    highest, wanted = PRIORITIES[Rank.OWES], PRIORITIES[rank]
    may = _schedule(_Attributes(policy=_ROUND_ROBIN, priority=highest))
    if not may or wanted == highest:
        return may
    return _schedule(_Attributes(policy=_ROUND_ROBIN, priority=wanted))


def _schedule(wanted: _Attributes) -> bool:
    number = _SYSCALLS.get(platform.machine())
    if sys.platform != "linux" or number is None:
        return False
    wanted.size, wanted.flags = ctypes.sizeof(wanted), _RESET_ON_FORK
    return _libc().syscall(number, 0, ctypes.byref(wanted), 0) == 0


@cache
def _libc() -> ctypes.CDLL:
    """Of this process; opened anew for each call of it, each would leave a class as garbage."""
    return ctypes.CDLL(None)


class Urgency:
    """Ranks a call by its events.

    A caller waits from their silence, or their turn's end, to the first sound. While they still
    speak, what a call does for them can wait: the more calls hurry, the less it means.

    Args:
        take: Has the call scheduled by a rank; whether that did anything.
    """

    def __init__(self, take: Callable[[Rank], bool] = take_rank) -> None:
        self._take = take
        self._owes = False
        """Whether the caller began a turn that is not answered."""
        self._over = False
        """Whether that turn is over."""
        self._silent = False
        self._speaks = False
        self._waiting = 0.0
        self._crowded = False
        self._rank = Rank.RESTS
        self._works = take(self._rank)

    def heed(self, event: CallEvent) -> None:
        """Something happened in the call."""
        if isinstance(event, CallerStarted):
            self._owes, self._over = True, False
        elif isinstance(event, CallerStopped):
            self._owes, self._over = True, True
        elif isinstance(event, ReplyStarted | Turn | Failed | FalseStop):
            self._owes = False
        if isinstance(event, ReplyStarted | ReplyEnded):
            self._speaks = isinstance(event, ReplyStarted)
        self._decide()
        if isinstance(event, CallEnded):
            self.over()

    def silent(self, silent_ms: float) -> None:
        """The caller has been silent for so long; 0 while they speak."""
        self._silent = silent_ms >= SILENT_MS
        self._owes = self._owes and silent_ms < PATIENT_MS
        self._decide()

    def waited(self, part: float) -> None:
        """For so much of the last tenth of a second the core was waited for: 0 to 1.

        The kernel stops all real-time priorities for the rest of a second when they have had 95 %
        of it: those that speak too, and at once. So where the core is full, who listens asks for no
        priority any more.
        """
        self._waiting += (part - self._waiting) * _NEWEST
        self._crowded = self._waiting >= (ROOMY if self._crowded else CROWDED)
        self._decide()

    def over(self) -> None:
        """The call has ended: nobody waits for what is still to be done."""
        self._be(Rank.RESTS)
        self._works = False

    def _decide(self) -> None:
        waited_for = self._owes and (self._over or self._silent)
        listens = Rank.RESTS if self._crowded else Rank.LISTENS
        self._be(Rank.OWES if waited_for else Rank.SPEAKS if self._speaks else listens)

    def _be(self, rank: Rank) -> None:
        if self._works and rank is not self._rank:
            self._rank = rank
            self._works = self._take(rank)
