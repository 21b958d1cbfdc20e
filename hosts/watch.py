"""What a host tells about its calls while they go, to whoever counts, draws or decides."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from bots.plan import CallPlan
from errors import OffhookError
from records.events import CallEvent, EndReason

Spawn = Literal["warm", "forked"]
"""Where a call's process came from: it waited, or it was made for the call."""
Refusal = Literal["full", "busy_quality", "key_cap", "bot_cap", "draining", "no_process"]
"""Why a call was not taken, as the error's code says it: `hosts/desk.py`, a stop, no process."""


@dataclass(frozen=True)
class Pulse:
    """How one call's process was, as it told it, some twice a second."""

    lag_p99_ms: float
    """How late its event loop ran what was due, at the 99th percentile since the last pulse."""
    late_frames: int
    """Audio frames that left too late, since the last pulse."""
    rss_bytes: int
    cpu_secs: float
    """Of all its threads, since it began."""

    @classmethod
    def read(cls, message: Mapping[str, Any]) -> Pulse:
        """Take a pulse from the process's message; what is absent or no number is 0."""
        return cls(
            lag_p99_ms=_number(message.get("lag_p99_ms")),
            late_frames=int(_number(message.get("late_frames"))),
            rss_bytes=int(_number(message.get("rss_bytes"))),
            cpu_secs=_number(message.get("cpu_secs")),
        )


class Watch(Protocol):
    """Told of each call by its host, on the host's event loop; nothing here may block or raise."""

    def started(self, plan: CallPlan) -> None:
        """A call's process was told to begin, or an earlier server's call was found."""
        ...

    def event(self, plan: CallPlan, event: CallEvent) -> None:
        """Something happened in a call; only what `hosts/child.py` passes on."""
        ...

    def pulse(self, name: str, pulse: Pulse) -> None:
        """A call's process, by its name, told how it is."""
        ...

    def ended(self, plan: CallPlan, reason: EndReason, secs: float) -> None:
        """A call is over, `secs` after it was started or found; its process is gone."""
        ...

    def refused(self, why: Refusal) -> None:
        """A call was not taken."""
        ...

    def spawned(self, kind: Spawn, ms: float) -> None:
        """A process was had for a call, `ms` after it was asked for."""
        ...


def refusal(error: OffhookError) -> Refusal | None:
    """Why a call was not taken, as it is counted; None for an error of another kind."""
    return next((why for why in get_args(Refusal) if why == error.code), None)


class Nobody:
    """A `Watch` that looks away; a base for one that looks at a part."""

    def started(self, plan: CallPlan) -> None:
        """Nothing."""

    def event(self, plan: CallPlan, event: CallEvent) -> None:
        """Nothing."""

    def pulse(self, name: str, pulse: Pulse) -> None:
        """Nothing."""

    def ended(self, plan: CallPlan, reason: EndReason, secs: float) -> None:
        """Nothing."""

    def refused(self, why: Refusal) -> None:
        """Nothing."""

    def spawned(self, kind: Spawn, ms: float) -> None:
        """Nothing."""


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return max(0.0, float(value)) if math.isfinite(value) else 0.0
