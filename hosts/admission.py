"""Slots: a host takes no call it could not serve well."""

from __future__ import annotations

import os
from dataclasses import dataclass

from errors import FullError

SLOTS_PER_CORE = 4
RETRY_AFTER_SECS = 10


def default_slots() -> int:
    """Slots of this machine: four a core; a pipeline says how many one call takes."""
    return SLOTS_PER_CORE * (os.cpu_count() or 1)


@dataclass
class Admission:
    """Counts slots. Synchronous, so no two callers can take the same one."""

    slots: int
    taken: int = 0

    def take(self, cost: int) -> None:
        """Take `cost` slots; a host that is empty admits any one call.

        Raises:
            FullError: They are not free.
        """
        if self.taken and self.taken + cost > self.slots:
            raise FullError(
                "The line is full: every slot of this server is taken. "
                f"Try again in {RETRY_AFTER_SECS} s.",
                retry_after_secs=RETRY_AFTER_SECS,
            )
        self.taken += cost

    def give_back(self, cost: int) -> None:
        """Free what `take` took."""
        self.taken -= cost
