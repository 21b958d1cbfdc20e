"""Whether a call's process lives, from what is seen of it: pulses, its state, its exit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from records.events import EndReason

STOPPED_SECS = 1.5
"""So long without a pulse, and a process that is stopped is killed."""
SILENT_SECS = 10.0
"""So long without a pulse, and any process is killed."""
ENDING_SECS = 20.0
"""How long a process that said why its call ended may take to be gone."""
LOST_SECS = 30.0
"""How long a process that cannot be reached may take to be gone: its lease ends, then its call."""
UNUSED_SECS = 40.0
"""How long a process may wait for its caller; its own limit is ten seconds less."""
_LOOK_SECS = 1.0
"""The most that one look adds to a silence: whoever looks late was not there to hear it."""

Verdict = Literal["fine", "kill", "dead"]


@dataclass
class Vitals:
    """What is known of one process. Times are seconds of one clock.

    Attributes:
        now_secs: When it was last looked at; at first, when it was told to begin.
        life_secs: How long it may live from then on, whatever it does.
        arrived: Whether its caller came.
    """

    now_secs: float
    life_secs: float
    arrived: bool = False
    reason: EndReason | None = None
    """Why the call ended, in the process's own words."""
    _began_secs: float = field(init=False)
    _ended_secs: float = field(init=False, default=0.0)
    _silent_secs: float = field(init=False, default=0.0)
    _lost_secs: float | None = field(init=False, default=None)
    _killed: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._began_secs = self.now_secs

    @property
    def quiet(self) -> bool:
        """Whether it has been silent so long that its state matters."""
        return self._silent_secs >= STOPPED_SECS

    def pulsed(self) -> None:
        """It told how it is."""
        self._silent_secs = 0.0

    def lost(self) -> None:
        """It cannot be reached any more, and is left to the end of its lease."""
        self._lost_secs = self.now_secs

    def told_end(self, reason: EndReason) -> None:
        """It told that its call is over; only the first time counts."""
        if self.reason is None:
            self.reason, self._ended_secs = reason, self.now_secs

    def look(self, now_secs: float) -> None:
        """Time has passed."""
        passed_secs = max(0.0, now_secs - self.now_secs)
        self.now_secs += passed_secs
        self._silent_secs += min(passed_secs, _LOOK_SECS)

    def verdict(self, *, exited: bool, state: str | None = None) -> Verdict:
        """What is to be done: kill it, once, or count it as dead.

        Args:
            exited: Whether the process is gone.
            state: Its letter in `/proc/PID/stat`, where it is known.
        """
        if exited:
            return "dead"
        if self._killed or not self._doomed(state):
            return "fine"
        self._killed = True
        return "kill"

    def epitaph(self) -> EndReason:
        """Why the call of a dead process ended."""
        left = self._lost_secs is not None and not self._killed
        return self.reason or ("host_lost" if left else "crashed")

    def _doomed(self, state: str | None) -> bool:
        if state == "T" and self.quiet:
            return True
        if self._lost_secs is not None:
            return self.now_secs - self._lost_secs >= LOST_SECS
        if self._silent_secs >= SILENT_SECS:
            return True
        if self.reason is not None:
            return self.now_secs - self._ended_secs >= ENDING_SECS
        lived_secs = self.now_secs - self._began_secs
        return lived_secs >= (self.life_secs if self.arrived else UNUSED_SECS)


def process_state(pid: int) -> str | None:
    """The letter of `/proc/PID/stat` (`R`, `S`, `D`, `T`, `Z`, ...); None where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("latin-1")
    except OSError:
        return None
    # The name before it stands in brackets and may hold anything.
    return stat.rpartition(")")[2].split()[0]
