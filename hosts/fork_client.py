"""The fork server as the HTTP process sees it: started or found, asked, watched, ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loguru import logger

from hosts.channel import Channel, ChannelClosedError, close_fds
from hosts.forkserver import CHILD, IDLE_SECS, ForkError
from hosts.offspring import Child
from hosts.packet import peer_pid
from hosts.rundir import call_socket, fork_socket
from hosts.stamp import ROOT, stamp
from hosts.vitals import process_state
from pipelines.config import PipelineConfig

START_SECS = 30.0
"""How long it may take until it listens."""
PREPARE_SECS = 180.0
"""How long it may take to load everything."""
QUIT_SECS = 2.0
"""How long it may take to end before it is killed."""
_POLL_SECS = 0.02
_ASK_SECS = 2.0
_ASKS = 15
"""How often one that was found is asked; it may have been told to load everything just before."""


@dataclass(frozen=True)
class Origin:
    """Where and how a fork server runs."""

    run: Path
    log_level: str = "INFO"
    child: str = CHILD
    idle_secs: float = IDLE_SECS

    def command(self) -> list[str]:
        """What starts one. `-P`: the folder that it is started in holds no modules of ours."""
        return [
            *(sys.executable, "-P", "-m", "hosts.forkserver", "--run", str(self.run)),
            *("--child", self.child, "--idle-secs", str(self.idle_secs)),
            *("--log-level", self.log_level),
        ]


@dataclass(frozen=True)
class Load:
    """What a fork server is to load in advance."""

    configs: Sequence[PipelineConfig] = ()
    weights: Mapping[str, Path] = field(default_factory=dict[str, Path])


class ForkClient:
    """A connection to the fork server, and the watch over its process.

    Attributes:
        pid: Its process number.
        gone: Set when the process has ended, or its connection is lost.
    """

    def __init__(self, pid: int) -> None:
        """Watch the process `pid`, ours or not.

        Raises:
            ProcessLookupError: There is none.
        """
        self.pid = pid
        self._channel: Channel | None = None
        self.gone = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._pidfd: int | None = os.pidfd_open(pid)
        self._loop.add_reader(self._pidfd, self._end)

    @classmethod
    async def open(cls, origin: Origin) -> ForkClient:
        """Find the one that serves, or start one.

        One that was started from other code, or in another environment, is replaced.

        Raises:
            ForkError: It does not come up.
        """
        env = _environment()
        return await cls._find(origin, stamp(env)) or await cls._start(origin, env)

    @classmethod
    async def _find(cls, origin: Origin, wanted: str) -> ForkClient | None:
        sock = _connect(fork_socket(origin.run))
        if sock is None:
            return None
        try:
            client = cls(peer_pid(sock))
        except (OSError, ValueError):
            sock.close()
            return None
        client._attach(sock)
        try:
            status = await client._status()
        except BaseException:
            client.part()
            raise
        if status and status.get("stamp") == wanted:
            return client
        if status:
            logger.info("the fork server is of another time; a new one takes its place")
        else:
            # It keeps every other one out.
            logger.warning("the fork server does not answer; a new one takes its place")
            client.kill()
        await client.end()
        return None

    @classmethod
    async def _start(cls, origin: Origin, env: Mapping[str, str]) -> ForkClient:
        client = cls(_spawn(origin, env))
        path = fork_socket(origin.run)
        try:
            async with asyncio.timeout(START_SECS):
                while not client._connected(path):  # noqa: ASYNC110 - a file appears
                    await asyncio.sleep(_POLL_SECS)
        except TimeoutError as error:
            await client.end()
            raise ForkError(f"The fork server was not up within {START_SECS:.0f} s.") from error
        except BaseException:
            client.kill()
            raise
        return client

    async def prepare(self, load: Load) -> dict[str, Any]:
        """Have it load everything; its threads and its memory.

        Raises:
            OffhookError: It cannot.
        """
        told = await self._line().ask(
            "prepare",
            timeout_secs=PREPARE_SECS,
            configs=[config.model_dump(mode="json", exclude_none=True) for config in load.configs],
            weights={name: str(path) for name, path in load.weights.items()},
        )
        if told["threads"] != 1:
            logger.error(
                "the fork server has {} threads: a library started one; children may hang",
                told["threads"],
            )
        return told

    async def fork(self, origin: Origin, name: str, *, timeout_secs: float) -> Child:
        """A new process, connected.

        Raises:
            ChannelClosedError: The fork server is gone, or does not answer.
            OffhookError: It could not fork, or the child was gone at once.
        """
        told, fds = await self._line().ask_for_fds(
            "fork", timeout_secs=timeout_secs, name=name, log_level=origin.log_level
        )
        if len(fds) != 1:
            close_fds(fds)
            raise ForkError("The fork server gave no descriptor of the process it made.")
        try:
            return await Child.connect(call_socket(origin.run, name), int(told["pid"]), fds[0])
        except ChannelClosedError as error:
            raise ForkError(f"A call's process was gone at once: {error.message}") from error

    def kill(self) -> None:
        """End it at once; its children go on."""
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def part(self) -> None:
        """Let it go on without us."""
        self._forget()
        if self._channel:
            self._channel.close()

    async def end(self) -> None:
        """Tell it to quit, and see to it that it does."""
        if self._channel:
            self._channel.tell("quit")
        try:
            async with asyncio.timeout(QUIT_SECS):
                await self._ended()
        except TimeoutError:
            self.kill()
            await self._ended()
        finally:
            self.part()

    async def _ended(self) -> None:
        while self._pidfd is not None:  # noqa: ASYNC110 - two may wait, and it takes a moment
            await asyncio.sleep(_POLL_SECS)

    def _line(self) -> Channel:
        if self._channel is None:
            raise ChannelClosedError("The fork server is not connected.")
        return self._channel

    def _connected(self, path: Path) -> bool:
        if self._pidfd is None:
            raise ForkError("The fork server ended as soon as it was started; the log says why.")
        sock = _connect(path)
        if sock is None:
            return False
        if peer_pid(sock) != self.pid:
            # One that is about to end, or keeps ours out.
            sock.close()
            return False
        self._attach(sock)
        return True

    def _attach(self, sock: socket.socket) -> None:
        self._channel = Channel(sock, on_message=_unheard, on_closed=self.gone.set)

    async def _status(self) -> dict[str, Any] | None:
        """What it says of itself; None if it is stopped, hangs or is gone."""
        line = self._line()
        for _ in range(_ASKS):
            with contextlib.suppress(ChannelClosedError):
                return await line.ask("status", timeout_secs=_ASK_SECS)
            # One that still loads answers when it has.
            if line.closed or process_state(self.pid) in (None, "T", "t", "Z"):
                break
        return None

    def _end(self) -> None:
        """The process has ended."""
        self._forget()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        self.gone.set()

    def _forget(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None


def _spawn(origin: Origin, env: Mapping[str, str]) -> int:
    """Its process number."""
    try:
        return os.posix_spawn(
            sys.executable,
            origin.command(),
            env,
            # What a terminal sends to the server's group is not meant for it.
            setsid=True,
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
        )
    except OSError as error:
        raise ForkError(f"The fork server cannot be started: {error.strerror}.") from error


def _environment() -> dict[str, str]:
    """The fork server's: ours, and what must be known before a library is loaded.

    OpenBLAS would start threads, and ONNX Runtime's telemetry a thread and a database.
    """
    ours = dict(os.environ)  # noqa: TID251 - handed on whole to a process of ours
    path = ours.get("PYTHONPATH", "")
    return ours | {
        "OPENBLAS_NUM_THREADS": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{path}" if path else str(ROOT),
    }


def _unheard(message: dict[str, Any], fds: list[int]) -> None:
    """The fork server speaks only when it is asked."""


def _connect(path: Path) -> socket.socket | None:
    """A connection to whoever listens at `path`; None if nobody does."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.setblocking(False)
    try:
        sock.connect(str(path))
    except OSError:
        sock.close()
        return None
    return sock
