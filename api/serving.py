"""The HTTP server: uvicorn's, which gives a stop the time that its calls need."""

from __future__ import annotations

import gc
import signal
import socket
import sys
import time
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from api.handover import Doorstep
from hosts.courtesy import Courtesy

if TYPE_CHECKING:
    from fastapi import FastAPI

    from hosts.host import Host

_GRACE_SECS = 10
"""How long an answer may still take when the last call is over."""


class Serving(uvicorn.Server):
    """Begins to drain at the first SIGTERM or SIGINT, ends its calls at the second.

    It answers until the last call is over; nothing is raised in a handler.

    Args:
        app: The application.
        host: Its calls.
        hurries: Whether this thread may have a rank before its calls.
    """

    def __init__(self, app: FastAPI, host: Host, *, hurries: bool = False) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=_GRACE_SECS,
                # The other one drops what a caller sends right behind the head.
                http="h11",
                ws=Doorstep,
            )
        )
        self._host = host
        self._hurries = hurries
        self._courtesy: Courtesy | None = None
        self.interrupted = False
        """Whether a person ended it from the terminal."""
        self._watched = sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take note of a signal."""
        self.interrupted = self.interrupted or sig == signal.SIGINT
        # Who sits at the terminal waits for no caller: the bots say good-bye at once.
        at_once = sig == signal.SIGINT and self._watched
        self._host.drain.ask(limit_secs=0.0 if at_once else None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the house and listen."""
        await super().startup(sockets)
        # What is here stays: no collection looks through it while somebody waits for an answer.
        gc.collect()
        gc.freeze()
        # How much there was at the last collection decides how much garbage waits for the next.
        gc.collect()
        if self.started and self._hurries:
            self._courtesy = Courtesy(time.monotonic(), time.thread_time())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what is open."""
        if self._courtesy:
            self._courtesy.over()
        gc.unfreeze()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Go on until there is nothing to wait for."""
        if self._courtesy:
            self._courtesy.look(time.monotonic(), time.thread_time())
        self.should_exit = self.should_exit or self._host.drained.is_set()
        return await super().on_tick(counter)
