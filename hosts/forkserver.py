"""The process that every call's process is forked from: one thread, no event loop, all loaded.

`python -m hosts.forkserver --run DIR`, started by `hosts.nursery`. It serves Unix sockets with
`poll`, so that nothing of the kernel's is shared with a child but what the child closes.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import importlib
import os
import random
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from loguru import logger

from errors import BadRequestError, ConfigError, OffhookError
from hosts import packet
from hosts.identity import note
from hosts.rundir import call_socket, fork_socket, noted_call
from hosts.stamp import stamp

if TYPE_CHECKING:
    from pydantic import JsonValue

CHILD = "hosts.child:main"
"""What a child runs: `main(listener, *, name, run, log_level)`."""
IDLE_SECS = 30.0
"""It ends after so long without a client."""
TAKEN = 3
"""Status it ends with where another one serves."""

_MOST_FDS = 4096
_CLIENT_SECS = 2.0
"""How long a client may take to read an answer."""


class ForkError(OffhookError):
    """No process could be made for a call."""

    code = "no_process"
    status = 503


@dataclass(frozen=True)
class _Answer:
    ok: Mapping[str, JsonValue]
    pidfd: int | None = None


class ForkServer:
    """Serves until told to quit, or until nobody has been connected for a while.

    Args:
        run: The run directory.
        child: What a child runs, as `module:function`.
        idle_secs: How long it stays without a client.
    """

    def __init__(self, run: Path, *, child: str = CHILD, idle_secs: float = IDLE_SECS) -> None:
        self._run = run
        self._child = child
        self._idle_secs = idle_secs
        self._children: dict[int, Path] = {}
        """Process number, and its socket."""
        self._prepared = False
        self._quit = False
        self._lock = _lock(run)
        self._stamp = stamp(_environment())
        self._poll = selectors.PollSelector()
        self._listener = packet.listen(fork_socket(run))
        self._listener.setblocking(False)
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._clients: set[socket.socket] = set()
        self._poll.register(self._listener, selectors.EVENT_READ, self._admit)
        self._poll.register(self._woken, selectors.EVENT_READ, self._signalled)
        self._operations: dict[str, Callable[[dict[str, Any]], _Answer]] = {
            "prepare": self._prepare,
            "fork": self._fork,
            "status": self._status,
            "quit": self._stop,
        }

    def serve(self) -> None:
        """Serve; the children outlive it."""
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _noted)
        signal.signal(signal.SIGTERM, self._told_to_end)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while not self._quit:
            ready = self._poll.select(None if self._clients else self._idle_secs)
            if not ready and not self._clients:
                logger.info("the fork server ends: nobody is connected")
                break
            for key, _ in ready:
                key.data(key.fileobj)
        fork_socket(self._run).unlink(missing_ok=True)

    def _admit(self, listener: socket.socket) -> None:
        client = packet.accept(listener)
        if client:
            client.settimeout(_CLIENT_SECS)
            self._clients.add(client)
            self._poll.register(client, selectors.EVENT_READ, self._hear)

    def _hear(self, client: socket.socket) -> None:
        try:
            received = packet.receive_blocking(client)
            if received is not None:
                request, fds = received
                packet.close_fds(fds)
                self._answer(client, request)
                return
        except (OSError, packet.ChannelError) as error:
            logger.warning("a client of the fork server was dropped: {}", error)
        self._poll.unregister(client)
        self._clients.discard(client)
        client.close()

    def _answer(self, client: socket.socket, request: dict[str, Any]) -> None:
        number = request.get("id")
        operation = self._operations.get(str(request.get("op")))
        try:
            if operation is None:
                raise BadRequestError(f"The fork server knows no {request.get('op')!r}.")
            answer = operation(request)
        except OffhookError as error:
            refusal = packet.error_fields(error)
            packet.send_blocking(client, {"id": number, "error": refusal})
            return
        fds = [] if answer.pidfd is None else [answer.pidfd]
        try:
            packet.send_blocking(client, {"id": number, "ok": dict(answer.ok)}, fds)
        finally:
            packet.close_fds(fds)

    def _prepare(self, request: dict[str, Any]) -> _Answer:
        from hosts.preload import preload, rss_bytes, threads
        from pipelines.config import parse

        configs = [parse(table) for table in request.get("configs", [])]
        weights = {name: Path(path) for name, path in request.get("weights", {}).items()}
        preload(configs, weights)
        try:
            _load(self._child)
        except (ImportError, AttributeError) as error:
            raise ForkError(f"What a call's process runs cannot be loaded: {error}.") from error
        self._prepared = True
        return _Answer({"threads": threads(), "rss_bytes": rss_bytes()})

    def _status(self, request: dict[str, Any]) -> _Answer:
        from hosts.preload import threads

        return _Answer(
            {
                "pid": os.getpid(),
                "threads": threads(),
                "children": len(self._children),
                "prepared": self._prepared,
                "stamp": self._stamp,
            }
        )

    def _stop(self, request: dict[str, Any]) -> _Answer:
        self._quit = True
        return _Answer({})

    def _fork(self, request: dict[str, Any]) -> _Answer:
        name = str(request.get("name", ""))
        path = call_socket(self._run, name)
        if path in self._children.values():
            raise ForkError(f"The call {name} has a process already.")
        pid = 0
        try:
            # Bound before the fork: who is told of the child can connect to it at once.
            listener = packet.listen(path)
            try:
                pid = os.fork()
                if pid == 0:
                    self._become(listener, name, str(request.get("log_level", "INFO")))
            finally:
                listener.close()
            self._children[pid] = path
            # Before anybody can give it a call. Without it the call is as good.
            with contextlib.suppress(OSError):
                note(noted_call(path), pid)
            return _Answer({"pid": pid}, os.pidfd_open(pid))
        except OSError as error:
            if not pid:
                path.unlink(missing_ok=True)
            raise ForkError(f"No process could be made for a call: {error.strerror}.") from error

    def _become(self, listener: socket.socket, name: str, log_level: str) -> NoReturn:
        """Be a call's process. Never returns, whatever happens."""
        status = 1
        try:
            self._let_go()
            main = _load(self._child)
            main(listener, name=name, run=self._run, log_level=log_level)
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:  # noqa: BLE001 - a child must not go on as a second fork server
            with contextlib.suppress(BaseException):
                traceback.print_exc()
        finally:
            with contextlib.suppress(BaseException):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _let_go(self) -> None:
        """Leave what belongs to the parent: its session, signals, sockets, random numbers."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        self._poll.close()
        for sock in (self._listener, self._wake, self._woken, *self._clients):
            sock.close()
        os.close(self._lock)
        random.seed()
        numpy: Any = sys.modules.get("numpy")
        if numpy is not None:
            numpy.random.seed()

    def _told_to_end(self, *_: object) -> None:
        self._quit = True

    def _signalled(self, woken: socket.socket) -> None:
        """Reap who has ended; the signal itself did nothing but wake the loop."""
        with contextlib.suppress(BlockingIOError):
            while woken.recv(4096):
                pass
        for pid, path in list(self._children.items()):
            if os.waitpid(pid, os.WNOHANG)[0]:
                del self._children[pid]
                path.unlink(missing_ok=True)
                noted_call(path).unlink(missing_ok=True)


def _noted(*_: object) -> None:
    """A handler: without one the signal would not wake the loop."""


def _environment() -> Mapping[str, str]:
    return os.environ  # noqa: TID251 - only its digest leaves


def _lock(run: Path) -> int:
    """Be the only fork server of this run directory, as long as this process lives.

    Raises:
        ConfigError: Another one serves.
    """
    descriptor = os.open(run / "fork.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise ConfigError("Another fork server serves here.", code="fork_server_taken") from error
    return descriptor


def _load(name: str) -> Callable[..., object]:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve in a run directory; the status that the nursery sees."""
    parser = argparse.ArgumentParser(prog="python -m hosts.forkserver")
    parser.add_argument("--run", type=Path, required=True, help="the run directory")
    parser.add_argument("--child", default=CHILD, help="what a child runs: module:function")
    parser.add_argument("--idle-secs", type=float, default=IDLE_SECS)
    parser.add_argument("--log-level", default="INFO")
    arguments = parser.parse_args(argv)
    # What whoever started us forgot to close is not for the calls to keep open.
    os.closerange(3, _MOST_FDS)
    from records.logs import configure

    configure(arguments.log_level)
    try:
        server = ForkServer(arguments.run, child=arguments.child, idle_secs=arguments.idle_secs)
    except ConfigError as error:
        logger.info("the fork server does not start: {}", error.message)
        return TAKEN
    server.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
