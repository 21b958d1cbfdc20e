"""How a call's process is: how late its event loop and its audio are, and what it takes."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipecat.transports.base_transport import BaseTransport

PULSE_SECS = 0.5
"""How often it is told."""
SAMPLE_SECS = 0.1
"""How often the loop's lag is measured; each time wakes the process."""
WINDOW_SECS = PULSE_SECS
"""What the lag is told of: each pulse of what was since the last, so that whoever decides by it can
tell one stall, as when a call is built, from a loop that is always late."""
LATE_SECS = 0.04
"""A chunk of audio that is written so much later than due is late."""


@dataclass
class LagWindow:
    """The loop's lags of the last `window_secs`. Pure."""

    window_secs: float = WINDOW_SECS
    _lags: deque[tuple[float, float]] = field(
        init=False, default_factory=deque[tuple[float, float]]
    )

    def note(self, lag_secs: float, *, now_secs: float) -> None:
        """Something that was due at `now_secs - lag_secs` ran at `now_secs`."""
        self._lags.append((now_secs, max(0.0, lag_secs)))

    def p99_ms(self, now_secs: float) -> float:
        """The 99th percentile, by nearest rank; 0 where nothing was measured."""
        while self._lags and self._lags[0][0] <= now_secs - self.window_secs:
            self._lags.popleft()
        if not self._lags:
            return 0.0
        ordered = sorted(lag_secs for _, lag_secs in self._lags)
        return ordered[math.ceil(0.99 * len(ordered)) - 1] * 1000


@dataclass
class LateFrames:
    """Counts the chunks of audio that came too late. Pure.

    A transport's output writes one chunk at a time and takes it for written when there is room for
    the next, which is after as long as the chunk lasts. What makes it take longer is this process:
    a voice or a model that is slow makes the *next* write begin later, and is not counted.
    """

    count: int = 0

    def wrote(self, took_secs: float, *, audio_secs: float) -> None:
        """The write of a chunk that lasts `audio_secs` was done after `took_secs`."""
        if took_secs > audio_secs + LATE_SECS:
            self.count += 1

    def take(self) -> int:
        """How many were late since this was asked last."""
        count, self.count = self.count, 0
        return count


@dataclass(frozen=True)
class Reading:
    """What is told of the process."""

    lag_p99_ms: float
    late_frames: int
    """Since the last reading."""
    rss_bytes: int
    cpu_secs: float
    """Of all its threads, since it began."""


class Pulse:
    """Measures the process in which it is.

    Args:
        tell: Told of each reading.
    """

    def __init__(self, tell: Callable[[Reading], None]) -> None:
        self._tell = tell
        self.tell_waiting: Callable[[float], None] | None = None
        """Told at each sample for what part of the time since the last one the core was waited for:
        0 to 1."""
        self._lags = LagWindow()
        self._late = LateFrames()

    def watch(self, transport: BaseTransport) -> None:
        """Measure the writes of that transport's output; before the pipeline is built.

        What the pipeline puts before the writing, like the gate that holds the bot, is then outside
        of what is measured.
        """
        output: Any = transport.output()
        write_on = output.write_audio_frame
        clock = asyncio.get_running_loop().time

        async def write(frame: Any) -> bool:
            began_secs = clock()
            written = await write_on(frame)
            audio_secs = frame.num_frames / frame.sample_rate
            self._late.wrote(clock() - began_secs, audio_secs=audio_secs)
            return written

        output.write_audio_frame = write

    async def beat(self) -> None:
        """Measure and tell; for a task of its own."""
        clock = asyncio.get_running_loop().time
        told_secs, sampled_secs, waited_secs = clock(), clock(), core_wait_secs()
        while True:
            due_secs = clock() + SAMPLE_SECS
            await asyncio.sleep(SAMPLE_SECS)
            now_secs = clock()
            self._lags.note(now_secs - due_secs, now_secs=now_secs)
            before_secs, waited_secs = waited_secs, core_wait_secs()
            if self.tell_waiting:
                # The two clocks are not read at once.
                part = (waited_secs - before_secs) / (now_secs - sampled_secs)
                self.tell_waiting(min(1.0, part))
            sampled_secs = now_secs
            if now_secs - told_secs >= PULSE_SECS - SAMPLE_SECS / 2:
                told_secs = now_secs
                self._tell(self.read(now_secs))

    def read(self, now_secs: float) -> Reading:
        """How the process is now."""
        return Reading(
            lag_p99_ms=round(self._lags.p99_ms(now_secs), 1),
            late_frames=self._late.take(),
            rss_bytes=rss_bytes(),
            cpu_secs=round(time.process_time(), 3),
        )


def rss_bytes() -> int:
    """The memory of this process that is in RAM, shared pages included."""
    resident_pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return resident_pages * os.sysconf("SC_PAGE_SIZE")


def core_wait_secs() -> float:
    """How long this thread, since it began, could have run and had no core; 0 where nobody counts.

    The kernel's `run_delay` (Linux, Documentation/scheduler/sched-stats).
    """
    try:
        return int(Path("/proc/thread-self/schedstat").read_text("ascii").split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
