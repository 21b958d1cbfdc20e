"""A word to calls that an earlier server left: another one is coming, and takes seconds to load."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from hosts.channel import send_blocking
from hosts.rundir import call_sockets, run_dir

_SEND_SECS = 0.2


def renew_all(data_dir: Path) -> int:
    """Renew the lease of every call that goes on, once; how many were told.

    Args:
        data_dir: Folder of the records that the calls write.
    """
    return sum(_renew(path) for path in call_sockets(run_dir(data_dir)))


def _renew(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.settimeout(_SEND_SECS)
        with contextlib.suppress(OSError):
            sock.connect(str(path))
            send_blocking(sock, {"op": "renew"})
            return True
    return False
