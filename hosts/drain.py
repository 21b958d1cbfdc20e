"""Stopping a server that has calls: no new ones, time for the live ones, a good-bye, the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from errors import OffhookError

DEFAULT_SECS = 600.0
"""How long live calls may go on after a server was told to stop."""
FAREWELL_SECS = 20.0
"""How long the bots may take to say good-bye."""
STOP_SECS = 10.0
"""How long calls that are cut may take to close."""
_RETRY_AFTER_SECS = 30

Step = Literal["wait", "farewell", "stop", "exit"]


class DrainingError(OffhookError):
    """The server is about to stop and takes no calls."""

    code = "draining"
    status = 503

    def __init__(self) -> None:
        super().__init__("The server is stopping and takes no new calls; try again soon.")
        self.headers = {"Retry-After": str(_RETRY_AFTER_SECS)}


@dataclass
class Drain:
    """When a server that was told to stop says good-bye, cuts its calls, and exits.

    Attributes:
        limit_secs: How long live calls may go on.
    """

    limit_secs: float = DEFAULT_SECS
    begun: bool = False
    _stage: Literal["finishing", "farewell", "stop"] = field(init=False, default="finishing")
    _due_secs: float | None = field(init=False, default=None)
    """When the stage is over; counted from the first look at it."""
    _hurried: bool = field(init=False, default=False)

    def ask(self, *, limit_secs: float | None = None) -> None:
        """The server shall stop; asked again, it shall stop now.

        Args:
            limit_secs: How long live calls may go on, in place of the usual time.
        """
        if self.begun:
            self._hurried = True
        elif limit_secs is not None:
            self.limit_secs = limit_secs
        self.begun = True

    def step(self, now_secs: float, *, live: int) -> Step:
        """What is to be done now; "farewell" and "stop" are each said once.

        Args:
            now_secs: Of any clock that does not go back.
            live: How many calls there are.
        """
        if not self.begun:
            return "wait"
        if live == 0:
            return "exit"
        if self._hurried and self._stage != "stop":
            return self._enter("stop", now_secs + STOP_SECS)
        if self._due_secs is None:
            self._due_secs = now_secs + self.limit_secs
        if now_secs < self._due_secs:
            return "wait"
        if self._stage == "finishing":
            return self._enter("farewell", now_secs + FAREWELL_SECS)
        if self._stage == "farewell":
            return self._enter("stop", now_secs + STOP_SECS)
        return "exit"

    def _enter(self, stage: Literal["farewell", "stop"], due_secs: float) -> Step:
        self._stage, self._due_secs = stage, due_secs
        return stage
