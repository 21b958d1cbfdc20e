"""A process that takes one call, as the HTTP process sees it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hosts.channel import Channel, ChannelClosedError

_LAST_WORDS_SECS = 0.5
"""How long what an ended process has said may take to be read."""
_KEPT = 64
"""Messages kept for whoever listens next."""

Listener = Callable[[dict[str, Any]], None]


class Child:
    """A child of the fork server's, and the connection to it.

    Attributes:
        name: Its socket's name.
        pid: Its process number.
        channel: The connection to it.
        warm: Whether it has built the stages of a call in advance.
        digest: Of the plans it has built them for; None if it has not.
        exited: Set when the process is gone and everything it said has been heard.
    """

    channel: Channel

    def __init__(self, path: Path, pid: int, pidfd: int) -> None:
        """Watch the process that `pidfd` is of, from then on the child's to close."""
        self.name = path.stem
        self._path = path
        self.pid = pid
        self.warm = False
        self.digest: str | None = None
        self.exited = asyncio.Event()
        self._pidfd: int | None = pidfd
        self._gone = False
        self._listener: Listener | None = None
        self._on_broken: Callable[[], None] | None = None
        self._unheard: deque[dict[str, Any]] = deque(maxlen=_KEPT)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(pidfd, self._end)

    @classmethod
    async def connect(cls, path: Path, pid: int, pidfd: int) -> Child:
        """Connect to the process of `pidfd`, which listens at `path`.

        Raises:
            ChannelClosedError: It does not; `pidfd` is closed.
        """
        child = cls(path, pid, pidfd)
        try:
            await child.reconnect()
        except BaseException:
            child._forget()
            raise
        return child

    @classmethod
    async def find(cls, path: Path, *, timeout_secs: float) -> Child | None:
        """The process that listens at `path` and takes a call; None if it has none.

        Raises:
            ChannelClosedError: Nobody listens there, or nobody answers.
        """
        probe = await Channel.connect(path, on_message=_unheard, on_closed=_unheeded)
        try:
            state = await probe.ask("state", timeout_secs=timeout_secs)
            if state.get("stage") == "warm":
                return None
            pid = int(state["pid"])
            pidfd = os.pidfd_open(pid)
            try:
                # That it answers once more proves that the number was its own when it was opened.
                await probe.ask("state", timeout_secs=timeout_secs)
            except BaseException:
                os.close(pidfd)
                raise
            return await cls.connect(path, pid, pidfd)
        except (KeyError, ValueError, ProcessLookupError) as error:
            raise ChannelClosedError(f"{path.name}: it does not say who it is.") from error
        finally:
            probe.close()

    async def reconnect(self) -> None:
        """Connect to it, also once more when its channel is closed.

        Raises:
            ChannelClosedError: It is gone, or does not listen.
        """
        if self._gone:
            raise ChannelClosedError(f"{self.name}: its process is gone.")
        self.channel = await Channel.connect(
            self._path, on_message=self._hear, on_closed=self._heard_out
        )

    @property
    def on_broken(self) -> Callable[[], None] | None:
        """Who is told that the channel broke while the process lives, also if it did before."""
        return self._on_broken

    @on_broken.setter
    def on_broken(self, told: Callable[[], None] | None) -> None:
        self._on_broken = told
        if self.channel.closed:
            self._heard_out()

    @property
    def on_message(self) -> Listener | None:
        """Who is told what it tells; what it said while nobody was, comes first."""
        return self._listener

    @on_message.setter
    def on_message(self, listener: Listener | None) -> None:
        self._listener = listener
        while listener and self._unheard:
            listener(self._unheard.popleft())

    def kill(self) -> None:
        """End it at once (SIGKILL); nothing happens if it is gone."""
        if self._pidfd is not None:
            # It may have been collected while nobody has heard of its end yet.
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def part(self) -> None:
        """Let it go on, or end, without us; from here on it counts as gone."""
        self._forget()
        self.channel.close()
        self.exited.set()

    def _hear(self, message: dict[str, Any], fds: list[int]) -> None:
        if self._listener:
            self._listener(message)
        else:
            self._unheard.append(message)

    def _heard_out(self) -> None:
        if self._gone:
            self.exited.set()
        elif self._on_broken:
            self._on_broken()

    def _end(self) -> None:
        """The process has ended; what it said may still be on its way."""
        self._gone = True
        self._forget()
        if self.channel.closed:
            self.exited.set()
        else:
            self._loop.call_later(_LAST_WORDS_SECS, self._bury)

    def _bury(self) -> None:
        self.channel.close()
        self.exited.set()

    def _forget(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None


def _unheard(message: dict[str, Any], fds: list[int]) -> None:
    """What a process tells whoever is connected is not for a probe."""


def _unheeded() -> None:
    """The end of a probe's connection is found by its next request."""
