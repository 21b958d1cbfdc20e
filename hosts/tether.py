"""Runs a sidecar's module for as long as somebody wants it: `python -m hosts.tether LOCK MODULE`.

A sidecar outlives a server that was killed, so that the next one finds it warm. If none comes, it
ends by itself.
"""

from __future__ import annotations

import fcntl
import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path

ALONE_SECS = 60.0
"""How long it waits for another server."""
_LOOK_SECS = 5.0
_END_SECS = 5.0


def is_held(lock: Path) -> bool:
    """Whether a living process has locked the file."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def main() -> None:
    """Run the module that the command line names, with the arguments after it."""
    lock, module, *arguments = sys.argv[1:]
    threading.Thread(target=_end_alone, args=(Path(lock),), daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_alone(lock: Path) -> None:
    alone_secs = 0.0
    while alone_secs < ALONE_SECS:
        time.sleep(_LOOK_SECS)
        alone_secs = 0.0 if is_held(lock) else alone_secs + _LOOK_SECS
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_END_SECS)
    os._exit(1)


if __name__ == "__main__":
    main()
