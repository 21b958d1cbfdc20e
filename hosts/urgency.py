"""Lets a call that owes its caller an answer go before calls that only listen.

On a core that many calls share, an answer is made in five or six steps, and each waits for whoever
has the core. Linux (6.12 and later) lets a thread ask for shorter turns of it, and with them to
have them sooner; what it gets in all stays the same. Nobody needs a privilege for that.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable
from typing import ClassVar

from records.events import CallerStarted, CallerStopped, CallEvent, ReplyStarted, Turn

SHORT_NS = 1_500_000
"""Of a call that owes an answer: longer than most steps of one."""
LONG_NS = 20_000_000
"""Of a call that does not: its sound is due each 20 ms. The kernel's own are 1.4 to 3 ms, so that
a call also makes way for the host, and for what is being prepared."""
SILENT_MS = 64.0
"""Between words there is as much; before it no answer is begun."""
_SYSCALLS = {"x86_64": 314, "aarch64": 274}
"""Numbers of `sched_setattr`, which the C library has no name for."""


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


def ask_for_turns(of_ns: int) -> bool:
    """Have this thread scheduled in turns of that length; whether the kernel agreed.

    Args:
        of_ns: 100 000 to 100 000 000. A kernel before 6.12 agrees, and does nothing.
    """
    number = _SYSCALLS.get(platform.machine())
    if number is None:
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    wanted = _Attributes(size=ctypes.sizeof(_Attributes), nice=nice, runtime_ns=of_ns)
    return ctypes.CDLL(None).syscall(number, 0, ctypes.byref(wanted), 0) == 0


class Urgency:
    """Hurries while the caller waits: from their silence, or their turn's end, to the first sound.

    While they still speak, what a call does for them can wait: the more calls hurry, the less it
    means.

    Args:
        ask: Sets the length of turns; whether it could.
    """

    def __init__(self, ask: Callable[[int], bool] = ask_for_turns) -> None:
        self._ask = ask
        self._owes = False
        """Whether the caller began a turn that is not answered."""
        self._over = False
        """Whether that turn is over."""
        self._silent = False
        self._hurries = False
        self._works = ask(LONG_NS)

    def heed(self, event: CallEvent) -> None:
        """Something happened in the call."""
        if isinstance(event, CallerStarted):
            self._owes, self._over = True, False
        elif isinstance(event, CallerStopped):
            self._owes, self._over = True, True
        elif isinstance(event, ReplyStarted | Turn):
            self._owes = False
        self._decide()

    def silent(self, silent_ms: float) -> None:
        """The caller has been silent for so long; 0 while they speak."""
        self._silent = silent_ms >= SILENT_MS
        self._decide()

    def _decide(self) -> None:
        hurries = self._owes and (self._over or self._silent)
        if self._works and hurries is not self._hurries:
            self._hurries = hurries
            self._works = self._ask(SHORT_NS if hurries else LONG_NS)
