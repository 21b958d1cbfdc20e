"""A fork server as a test sees it: its process, and requests to it."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from errors import OffhookError
from hosts.packet import close_fds, receive_blocking, send_blocking
from hosts.rundir import fork_socket, run_dir

ROOT = Path(__file__).parents[2]
TEST_CHILD = "tests.support.forked:main"
_PATIENCE_SECS = 60.0


@contextmanager
def short_run() -> Generator[Path]:
    """A run directory with a path short enough for sockets."""
    base = Path(tempfile.mkdtemp(prefix="oh-"))
    try:
        yield run_dir(base / "data", base=base)
    finally:
        shutil.rmtree(base)


def until(true: Callable[[], object]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + _PATIENCE_SECS
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def tasks(pid: int) -> int:
    """Threads of a process, as the kernel counts them."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


class Talk:
    """A connection to a process of ours; waits for each answer."""

    def __init__(self, path: Path) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sock.settimeout(_PATIENCE_SECS)
        until(lambda: self._sock.connect_ex(str(path)) == 0)
        self.told: list[dict[str, Any]] = []

    def ask(self, op: str, **fields: Any) -> tuple[dict[str, Any], list[int]]:
        """The answer, and the descriptors that came with it."""
        send_blocking(self._sock, {"op": op, "id": 1, **fields})
        while True:
            received = receive_blocking(self._sock)
            if received is None:
                raise ConnectionResetError
            message, fds = received
            if "op" in message:
                self.told.append(message)
                continue
            if "error" in message:
                close_fds(fds)
                raise OffhookError(message["error"]["message"], code=message["error"]["code"])
            return message["ok"], fds

    def get(self, op: str, **fields: Any) -> dict[str, Any]:
        """The answer alone."""
        ok, fds = self.ask(op, **fields)
        close_fds(fds)
        return ok

    def closed(self) -> bool:
        """Whether the other end is gone; waits for it."""
        return receive_blocking(self._sock) is None

    def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self._sock.send(data)

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Server:
    """A fork server that the test started, and the children it knows of."""

    def __init__(self, run: Path, *options: str, child: str = TEST_CHILD) -> None:
        self.run = run
        command = [*(sys.executable, "-m", "hosts.forkserver", "--run", str(run)), *options]
        env = os.environ | {"OPENBLAS_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
        self.process = subprocess.Popen([*command, "--child", child], cwd=ROOT, env=env)
        self.pidfds: list[int] = []
        self.loaded: dict[str, Any] = {}
        """What it answered when it was prepared."""

    def talk(self) -> Talk:
        """A new connection."""
        return Talk(fork_socket(self.run))

    def fork(self, talk: Talk, name: str) -> tuple[int, int]:
        """A child's process number and descriptor."""
        told, (pidfd,) = talk.ask("fork", name=name, log_level="WARNING")
        self.pidfds.append(pidfd)
        return told["pid"], pidfd

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pidfd in self.pidfds:
            if not ended(pidfd, secs=0):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)


def ended(pidfd: int, *, secs: float = _PATIENCE_SECS) -> bool:
    """Whether a process ends within that time."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(secs * 1000))
