"""`offhook bench`: which measurement is wished for, and what it prints beside its figures."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from errors import ConfigError

if TYPE_CHECKING:
    from evals.report import Report
    from providers.models import ModelStore


@dataclass(frozen=True)
class BenchOptions:
    """What the command line asked for; a bench takes what concerns it."""

    bot: str = "receptionist"
    preset: str = "local"
    rounds: int = 1
    """How often the clips are said, for `call` and `page`."""
    url: str = "http://127.0.0.1:7860"
    """A running server, for `page`."""
    turns: int = 50
    """Of each call, for `latency`."""
    cells: tuple[str, ...] = ()
    """Only these calls of `latency`; all without."""
    jobs: int = 2
    """Calls of `latency` at a time; each takes a third of a core."""
    trace: bool = False
    """Whether `latency` prints each turn's timeline."""


def run_bench(what: str, options: BenchOptions, models: ModelStore) -> Report:
    """Run a bench, which may print more than its figures.

    Raises:
        ConfigError: There is no such bench, or an option cannot be used.
        OffhookError: Something that it needs is not here.
    """
    if what == "call":
        from evals.bench_call import bench_call

        return bench_call(options.preset, options.bot, rounds=options.rounds, models=models)
    if what == "page":
        from evals.bench_page import bench_page

        with tempfile.TemporaryDirectory() as folder:
            return bench_page(options.url, options.rounds, Path(folder))
    if what == "turns":
        from evals.bench_turns import bench_turns, curve

        report = bench_turns()
        print(curve(report), flush=True)  # noqa: T201
        return report
    if what == "latency":
        for name in ("turns", "jobs"):
            if getattr(options, name) < 1:
                raise ConfigError(f"--{name} is {getattr(options, name)}; at least 1.", field=name)
        from evals.bench_latency import LatencyOptions, bench_latency
        from evals.latency_cells import CELLS

        cells = options.cells or tuple(CELLS)
        given = LatencyOptions(
            turns=options.turns, cells=cells, jobs=options.jobs, trace=options.trace
        )
        return bench_latency(given)
    raise ConfigError(f"There is no bench {what!r}.", field="what")
