"""What a tree of processes costs, read from `/proc`."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_KIB = 1024
_STEAL = 8
"""Which field of a core's line in `/proc/stat`, proc_stat(5)."""
_LOOP_ROUNDS = 100_000
_LOOPS = 5


@dataclass(frozen=True)
class Process:
    """One process, as it was when it was looked at."""

    pid: int
    parent: int
    state: str
    """`R`, `S`, `Z`, ... as `/proc/PID/stat` has it."""
    cpu_secs: float
    """Of all its threads, since it began."""
    threads: int


def look(pid: int) -> Process | None:
    """That process; None if it is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # A command's name may hold anything, but nothing behind its last bracket does.
    fields = text.rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return Process(
        pid, int(fields[1]), fields[0], ticks / os.sysconf("SC_CLK_TCK"), int(fields[17])
    )


def tree(root: int, *, known: Iterable[int] = ()) -> list[Process]:
    """`root` and everything under it, and what lives of `known`: an orphan has another parent."""
    there = [found for path in _PROC.iterdir() if path.name.isdigit() if (found := _of(path))]
    wanted = {root, *known}
    for _ in there:
        more = {process.pid for process in there if process.parent in wanted} - wanted
        if not more:
            break
        wanted |= more
    return [process for process in there if process.pid in wanted]


def _of(path: Path) -> Process | None:
    return look(int(path.name))


def pss_bytes(pid: int) -> int:
    """Memory of a process, what it shares divided by those who share it; 0 if it is gone."""
    try:
        text = (_PROC / str(pid) / "smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * _KIB
    return 0


def rss_bytes(pid: int) -> int:
    """Resident memory of a process; 0 if it is gone."""
    try:
        pages = int((_PROC / str(pid) / "statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def leaves(processes: Iterable[Process], root: int) -> list[int]:
    """Those under `root` that have no process under them and live."""
    there = list(processes)
    parents = {process.parent for process in there}
    return [p.pid for p in there if p.pid not in parents | {root} and p.state != "Z"]


def open_files(pid: int) -> int:
    """File descriptors of a process; 0 if it is gone."""
    try:
        return len(os.listdir(_PROC / str(pid) / "fd"))  # noqa: PTH208 - only their number
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0


@contextmanager
def pinned(cores: set[int]) -> Generator[None]:
    """Bind this thread to cores until the block ends; what is started meanwhile stays bound."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, before)


def stolen_secs(core: int) -> float:
    """How long that core has stood still for other guests of a virtual machine's host so far."""
    with (_PROC / "stat").open() as stat:
        found = next((line for line in stat if line.startswith(f"cpu{core} ")), "")
    fields = found.split()
    return int(fields[_STEAL]) / os.sysconf("SC_CLK_TCK") if len(fields) > _STEAL else 0.0


def loop_ms(core: int) -> float:
    """CPU time of 100 000 rounds of an empty loop on that core, in ms; the best of five.

    Tells how fast a machine that is shared with others is just now. Blocks, and longer than that
    where others have the core first.
    """
    with pinned({core}):
        return min(_one_loop_ms() for _ in range(_LOOPS))


def _one_loop_ms() -> float:
    since = time.thread_time()
    for _ in range(_LOOP_ROUNDS):
        pass
    return (time.thread_time() - since) * 1000


def usable_cores() -> set[int]:
    """The cores that this process may use."""
    return os.sched_getaffinity(0)


def two_cores() -> tuple[int, int] | None:
    """Two different cores that this process may use; None if it has but one."""
    cores = sorted(usable_cores())
    return (cores[0], cores[1]) if len(cores) > 1 else None
