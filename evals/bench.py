"""`offhook bench`: which measurement is wished for, and what it prints beside its figures."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
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
    calls: int | None = None
    """The most that `density` tries; how many `soak` makes; at the same time, for `relay`."""
    mode: str = "both"
    """How `density`'s callers come in: `websocket`, `webrtc` or both."""
    minutes: float | None = None
    """The longest that `soak` may take; how long `density` judges each number of calls; how long
    `relay` takes for each way."""


def run_bench(what: str, options: BenchOptions, models: ModelStore) -> Report:
    """Run a bench, which may print more than its figures.

    Raises:
        ConfigError: There is no such bench, or an option cannot be used.
        OffhookError: Something that it needs is not here.
    """
    if what == "call":
        from evals.bench_call import bench_call

        return bench_call(options.preset, options.bot, rounds=options.rounds, models=models)
    bench = _BENCHES.get(what)
    if bench is None:
        raise ConfigError(f"There is no bench {what!r}.", field="what")
    return bench(options)


def _page(options: BenchOptions) -> Report:
    from evals.bench_page import bench_page

    with tempfile.TemporaryDirectory() as folder:
        return bench_page(options.url, options.rounds, Path(folder))


def _turns(_: BenchOptions) -> Report:
    from evals.bench_turns import bench_turns, curve

    report = bench_turns()
    print(curve(report), flush=True)  # noqa: T201
    return report


def _latency(options: BenchOptions) -> Report:
    for name in ("turns", "jobs"):
        if getattr(options, name) < 1:
            raise ConfigError(f"--{name} is {getattr(options, name)}; at least 1.", field=name)
    from evals.bench_latency import LatencyOptions, bench_latency
    from evals.latency_cells import CELLS

    cells = options.cells or tuple(CELLS)
    given = LatencyOptions(turns=options.turns, cells=cells, jobs=options.jobs, trace=options.trace)
    return bench_latency(given)


def _density(options: BenchOptions) -> Report:
    from evals.bench_density import MODES, DensityOptions, bench_density
    from evals.callers import Mode

    modes: tuple[Mode, ...] = tuple(mode for mode in MODES if options.mode in (mode, "both"))
    if not modes:
        raise ConfigError(f"--mode is {options.mode!r}; websocket, webrtc or both.", field="mode")
    density = DensityOptions(modes=modes)
    secs = density.secs if options.minutes is None else options.minutes * 60
    most = density.most if options.calls is None else options.calls
    return bench_density(DensityOptions(modes=modes, secs=secs, most=most))


def _soak(options: BenchOptions) -> Report:
    from evals.bench_soak import SoakOptions, bench_soak

    soak = SoakOptions()
    calls, minutes = options.calls or soak.calls, options.minutes or soak.minutes
    return bench_soak(SoakOptions(calls=calls, minutes=minutes))


def _relay(options: BenchOptions) -> Report:
    from evals.bench_relay import measure_relay

    minutes = 1.0 if options.minutes is None else options.minutes
    return measure_relay(minutes * 60, options.calls or 1)


_BENCHES: dict[str, Callable[[BenchOptions], Report]] = {
    "page": _page,
    "turns": _turns,
    "latency": _latency,
    "density": _density,
    "soak": _soak,
    "relay": _relay,
}
