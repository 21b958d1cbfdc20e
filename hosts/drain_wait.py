"""`offhook drain`: tells the server of a data folder to stop, and waits until it is gone."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from errors import NotFoundError
from hosts.channel import ChannelError, receive_blocking, send_blocking
from hosts.rundir import call_sockets, run_dir
from hosts.tenure import holder_pid

_LOOK_SECS = 1.0
_ASK_SECS = 0.5
_MESSAGES = 20
"""How many of a process's other messages are read before its answer is given up."""


def drain(data_dir: Path, say: Callable[[str], None]) -> None:
    """Have the server finish its calls and exit.

    Args:
        data_dir: The server's folder of records.
        say: Told how many calls are left, whenever that changes.

    Raises:
        NotFoundError: No server runs on this folder.
    """
    run = run_dir(data_dir)
    pid = holder_pid(run)
    if pid is None:
        raise NotFoundError(f"No server takes calls for {data_dir}; name its folder with --data.")
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(pidfd, signal.SIGTERM)
        _wait(pidfd, run, say)
    finally:
        os.close(pidfd)
    say("The server is gone.")


def calls_left(run: Path) -> int:
    """How many processes of a run directory have a call."""
    return sum(_has_call(path) for path in call_sockets(run))


def _wait(pidfd: int, run: Path, say: Callable[[str], None]) -> None:
    told = None
    while True:
        left = calls_left(run)
        if left != told:
            say(f"{left} calls left." if left != 1 else "1 call left.")
            told = left
        gone, _, _ = select.select([pidfd], [], [], _LOOK_SECS)
        if gone:
            return


def _has_call(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.settimeout(_ASK_SECS)
        try:
            sock.connect(str(path))
            send_blocking(sock, {"op": "state", "id": 1})
            for _ in range(_MESSAGES):
                answer = receive_blocking(sock)
                if answer is None:
                    return False
                if answer[0].get("id") == 1:
                    state: dict[str, Any] = answer[0].get("ok") or {}
                    return bool(state.get("session"))
        except (OSError, ChannelError):
            return False
    return False
