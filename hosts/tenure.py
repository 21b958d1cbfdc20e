"""One server for one data folder: who it is, and whether it still is."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from errors import ConfigError

HOST_PID = "host.pid"


class Tenure:
    """Holds a run directory while its server lives, however it ends. A context manager.

    Args:
        run: The run directory.
    """

    def __init__(self, run: Path) -> None:
        self._path = run / HOST_PID
        self._descriptor: int | None = None

    def __enter__(self) -> Tenure:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise ConfigError(
                f"Another server (process {pid}) takes calls for this data folder, or is about "
                "to stop. Wait for it, or choose another folder with --data.",
                code="data_taken",
                field="data",
            ) from error
        # The file stays: who removes it takes the lock away from who opened it meanwhile.
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptor is not None:
            os.truncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def holder_pid(run: Path) -> int | None:
    """The process that holds a run directory now; None if nobody does."""
    try:
        descriptor = os.open(run / HOST_PID, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        told = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        return int(told) if told.isdigit() else None
    else:
        return None
    finally:
        os.close(descriptor)
