"""Which process is which: a number alone may be another's by now, with its start it may not."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

_STARTED = 19
"""Among the fields of `/proc/PID/stat` after the name and its brackets."""


def started_ticks(pid: int) -> int | None:
    """When a process began, in the kernel's ticks since the boot; None where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("latin-1")
    except OSError:
        return None
    # The name before it stands in brackets and may hold anything.
    return int(stat.rpartition(")")[2].split()[_STARTED])


def note(path: Path, pid: int) -> None:
    """Write down who a process is, for whoever must end it without its help.

    Raises:
        OSError: It cannot be written.
    """
    path.write_text(f"{pid} {started_ticks(pid)}\n", encoding="ascii")


def kill_noted(path: Path) -> int | None:
    """End the process that `note` wrote of (SIGKILL); its number, None if it is not there any more.

    Raises:
        OSError: Nothing is noted, or it may not be ended.
        ValueError: What is noted is no process.
    """
    pid, ticks = (int(word) for word in path.read_text("ascii", "replace").split())
    with contextlib.suppress(ProcessLookupError):
        # Opened before it is looked at: from here on it is the same process or none.
        pidfd = os.pidfd_open(pid)
        try:
            if started_ticks(pid) == ticks:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                return pid
        finally:
            os.close(pidfd)
    return None
