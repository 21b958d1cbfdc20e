"""The processes of a server, as their sockets tell of them."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hosts.channel import receive_blocking, send_blocking
from hosts.rundir import call_sockets, fork_socket

_ASK_SECS = 2.0


@contextmanager
def connected(path: Path) -> Generator[socket.socket | None]:
    """A connection to whoever listens at `path`; None if nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.settimeout(_ASK_SECS)
        try:
            sock.connect(str(path))
        except OSError:
            yield None
        else:
            yield sock


def asked(path: Path, op: str) -> dict[str, Any] | None:
    """What the process at `path` answers; None if it does not."""
    with connected(path) as sock:
        if sock is None:
            return None
        try:
            send_blocking(sock, {"op": op, "id": 1})
            while (answer := receive_blocking(sock)) is not None:
                if answer[0].get("id") == 1:
                    return answer[0].get("ok")
        except OSError:
            return None
    return None


def calls(run: Path) -> list[dict[str, Any]]:
    """The states of the processes that have a call."""
    states = [asked(path, "state") for path in call_sockets(run)]
    return [state for state in states if state and state.get("session")]


def fork_server_pid(run: Path) -> int | None:
    """Of the one that serves."""
    status = asked(fork_socket(run), "status")
    return int(status["pid"]) if status else None


def lives(pid: int) -> bool:
    """Whether there is such a process that is not dead."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text("latin-1").rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def shoot(pid: int, *, signal_number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to one process."""
    os.kill(pid, signal_number)


def until(condition: Callable[[], bool], *, secs: float = 30.0) -> None:
    """Wait for what nothing tells of."""
    deadline = time.monotonic() + secs
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not come to pass within {secs:.0f} s")
        time.sleep(0.05)
