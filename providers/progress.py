"""How a pull tells a person where it is: bars on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Reporter(Protocol):
    """What a pull tells, possibly from several threads."""

    def say(self, line: str) -> None:
        """One thing that happened."""
        ...

    def moved(self, label: str, done_bytes: int, total_bytes: int) -> None:
        """How far the work called `label` is."""
        ...


class Tally:
    """Progress of one file that is moved in pieces, whose sizes become known on the way."""

    def __init__(self, size_bytes: int, pieces: int) -> None:
        self._expected = dict.fromkeys(range(pieces), size_bytes // pieces)
        self._done = dict.fromkeys(range(pieces), 0)

    def moved(self, piece: int, done_bytes: int, total_bytes: int | None) -> tuple[int, int]:
        """Note one piece's progress; returns the bytes done and expected of all pieces."""
        self._done[piece] = done_bytes
        self._expected[piece] = max(done_bytes, total_bytes or self._expected[piece])
        return sum(self._done.values()), sum(self._expected.values())

    def finished(self, piece: int) -> tuple[int, int]:
        """Note that a piece is complete, wherever it came from."""
        return self.moved(piece, self._expected[piece], self._expected[piece])


class LineReporter:
    """Plain lines, for logs and pipes; progress at most every `every_secs`."""

    def __init__(self, out: TextIO, *, every_secs: float = 5.0) -> None:
        self._out = out
        self._every_secs = every_secs
        self._last: dict[str, float] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End; lines need no cleaning up."""

    def say(self, line: str) -> None:
        """Write the line."""
        with self._lock:
            self._out.write(f"{line}\n")
            self._out.flush()

    def moved(self, label: str, done_bytes: int, total_bytes: int) -> None:
        """Write a line if the last one is long enough ago."""
        now = time.monotonic()
        with self._lock:
            due = now - self._last.setdefault(label, now) >= self._every_secs
            if due:
                self._last[label] = now
        if due:
            self.say(f"{label}: {done_bytes / 1e6:.0f} of {total_bytes / 1e6:.0f} MB")


class BarReporter:
    """Bars with speed and remaining time, for a terminal."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()
        self._bars: Progress | None = None

    def __enter__(self) -> Self:
        """Take the terminal."""
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the terminal back."""
        if self._bars:
            self._bars.stop()

    def say(self, line: str) -> None:
        """Write the line above the bars."""
        if self._bars:
            self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def moved(self, label: str, done_bytes: int, total_bytes: int) -> None:
        """Move the bar of that name; a full one disappears."""
        if not self._bars:
            return
        with self._lock:
            if label not in self._tasks:
                self._tasks[label] = self._bars.add_task(label, total=total_bytes)
            task = self._tasks[label]
            done = done_bytes >= total_bytes
            self._bars.update(task, completed=done_bytes, total=total_bytes, visible=not done)


def reporter(env: Mapping[str, str]) -> AbstractContextManager[LineReporter | BarReporter]:
    """Bars where a person watches, lines elsewhere; both on the error stream."""
    if sys.stderr.isatty() and not env.get("CI") and env.get("TERM") != "dumb":
        return BarReporter()
    return LineReporter(sys.stderr)
