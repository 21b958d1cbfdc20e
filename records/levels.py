"""How full a server is now, and how its calls' processes are: what a scrape asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

STALE_SECS = 3.0
"""A process that was silent for so long is not counted; it tells how it is twice a second."""


class Beat(Protocol):
    """How one call's process is."""

    @property
    def lag_p99_ms(self) -> float:
        """How late its event loop was, since the last beat."""
        ...

    @property
    def late_frames(self) -> int:
        """Audio frames that left too late, since the last beat."""
        ...

    @property
    def rss_bytes(self) -> int:
        """Its memory now, with what it shares."""
        ...

    @property
    def cpu_secs(self) -> float:
        """Processor time since it began."""
        ...


@dataclass(frozen=True)
class Levels:
    """How full a server is now, and what its fork server did since the server began."""

    slots: int = 0
    slots_taken: int = 0
    callers_waiting: int = 0
    """Callers who are in line for a slot."""
    warm_processes: int = 0
    """Processes that wait for a call."""
    forks: int = 0
    fork_server_restarts: int = 0
    asyncio_tasks: int = 0
    """Of the HTTP process."""


class Beats:
    """The last beat of each process that told one lately.

    Args:
        clock: Seconds, which only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._beats: dict[str, tuple[float, Beat]] = {}

    def take(self, name: str, beat: Beat) -> float:
        """A process, by its name, told how it is; the seconds of processor time it used since.

        Its first beat tells of none: how much of that was counted by an earlier server is unknown.
        """
        before = self._beats.get(name)
        self._beats[name] = (self._clock(), beat)
        self._forget_silent()
        return max(0.0, beat.cpu_secs - before[1].cpu_secs) if before else 0.0

    def now(self) -> list[Beat]:
        """How each process is."""
        self._forget_silent()
        return [beat for _, beat in self._beats.values()]

    def _forget_silent(self) -> None:
        oldest = self._clock() - STALE_SECS
        self._beats = {name: told for name, told in self._beats.items() if told[0] >= oldest}


class Gauges(Collector):
    """Tells what is now, at each scrape.

    Args:
        levels: How full the server is; must not block.
        live: How many calls there are.
        beats: How their processes are.
    """

    def __init__(
        self, levels: Callable[[], Levels], *, live: Callable[[], int], beats: Beats
    ) -> None:
        self._levels = levels
        self._live = live
        self._beats = beats

    def collect(self) -> Iterator[Metric]:
        """Every level, and every sum over the calls' processes: never one process's own."""
        levels, beats = self._levels(), self._beats.now()
        memory = [beat.rss_bytes for beat in beats]
        lags = [beat.lag_p99_ms / 1000 for beat in beats]
        yield _gauge("calls_live", "Calls now", self._live())
        yield _gauge("slots", "Slots of this server", levels.slots)
        yield _gauge("slots_taken", "Slots that calls take", levels.slots_taken)
        yield _gauge("callers_waiting", "Callers in line for a slot", levels.callers_waiting)
        yield _gauge("warm_processes", "Processes that wait for a call", levels.warm_processes)
        yield _gauge("children", "Calls' processes that told how they are", len(beats))
        yield _gauge("child_memory_bytes", "Their resident memory together", sum(memory))
        yield _gauge("child_memory_max_bytes", "The largest one's", max(memory, default=0))
        yield _gauge("loop_lag_max_seconds", "The worst event loop lag", max(lags, default=0.0))
        yield _gauge("asyncio_tasks", "Tasks of the HTTP process", levels.asyncio_tasks)
        yield _total("forks", "Processes made for calls", levels.forks)
        yield _total("fork_server_restarts", "Fork servers lost", levels.fork_server_restarts)


def _gauge(name: str, help_: str, value: float) -> Metric:
    return GaugeMetricFamily(f"offhook_{name}", f"{help_}.", value=value)


def _total(name: str, help_: str, value: float) -> Metric:
    return CounterMetricFamily(f"offhook_{name}", f"{help_}.", value=value)
