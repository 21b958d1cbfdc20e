"""`offhook bench density`: how many live, talking calls one core carries.

The host, its calls' processes included, has one core to itself; the callers and the simulated
vendors have another. Everything is judged by what the callers hear.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from errors import ConfigError, MissingError
from evals.callers import Mode, Speech
from evals.density_fleet import Fleet, speech_of
from evals.density_gate import Search, Step, Verdict, judge
from evals.density_host import Host, Kind, hosting
from evals.density_procs import loop_ms, pinned, stolen_secs, two_cores
from evals.density_spawn import Spawning, measure_spawn
from evals.density_vendors import VendorProcess
from evals.latency_cells import CELLS, FINAL_MS, behaviour, injected_ms
from evals.latency_turns import Saying, sayings
from evals.report import Report, percentile
from hosts.urgency import may_take_real_time

MODES: tuple[Mode, ...] = ("websocket", "webrtc")
_CELL = CELLS["bare"]
_TURNS = 24
"""Different turns that each caller has to say; the paused ones of them are left out."""
_RESTS = 5.0
"""Seconds that a host rests before fewer calls, or as many once more."""
_SLOTS = "1000"
"""More than a core can carry: the bench is to find the limit, not the host's admission."""


@dataclass(frozen=True)
class DensityOptions:
    """What the command line asked for."""

    modes: tuple[Mode, ...] = MODES
    secs: float = 25.0
    """How long each number of calls is judged."""
    most: int = 40
    """Never more calls than these."""
    first: int = 4
    """The first number that is tried."""
    spawns: int = 10
    """How often a call's beginning is timed, each way; 0 leaves it out."""
    relay_secs: float = 10.0
    """How long a WebSocket's ways past the HTTP process are timed, each; 0 leaves it out."""
    one_process: bool = True
    """Whether the same calls are made inside one process too."""


@dataclass
class Climb:
    """How far one host came with one kind of caller."""

    kind: Kind
    mode: Mode
    tried: list[tuple[Step, Verdict]] = field(default_factory=list[tuple[Step, Verdict]])
    calls: int = 0
    """The most that passed."""
    is_bound: bool = False
    """Whether it may carry more: the callers were late first, or nobody asked for more."""

    @property
    def best(self) -> Step | None:
        """The step at the most calls that passed."""
        passed = [step for step, verdict in self.tried if verdict.outcome == "passed"]
        return max(passed, key=lambda step: step.calls, default=None)


def bench_density(options: DensityOptions) -> Report:
    """Raise the number of calls until the bars break, each way; print each try.

    Raises:
        ConfigError: An option cannot be used.
        MissingError: There is only one core, or the test speech is not installed.
        OffhookError: A host does not start.
    """
    if options.secs < 10 or options.most < 1 or options.first < 1:
        raise ConfigError("A step takes at least 10 s and 1 call.", field="secs")
    cores = two_cores()
    if cores is None:
        raise MissingError("One core is the host's and another the callers'; there is only one.")
    said = [saying for saying in sayings(_TURNS, pause_ms=FINAL_MS) if not saying.pauses]
    lines = tuple(line for saying in said for line in saying.lines)
    host_core, others_core = cores
    with (
        tempfile.TemporaryDirectory() as folder,
        pinned({others_core}),
        VendorProcess(behaviour(_CELL, lines)) as vendors,
    ):
        bench = _Bench(options, vendors, Path(folder), host_core, said)
        import uvloop

        report = uvloop.run(bench.run())
    if options.relay_secs:
        from evals.bench_relay import measure_relay

        report.figures |= measure_relay(options.relay_secs, 1).figures
    return report


@dataclass
class _Bench:
    options: DensityOptions
    vendors: VendorProcess
    folder: Path
    core: int
    said: Sequence[Saying]
    _speeches: dict[Mode, Speech] = field(default_factory=dict[Mode, Speech])

    async def run(self) -> Report:
        kinds: tuple[Kind, ...] = ("offhook", "one_process")
        climbs: list[Climb] = []
        for kind in kinds if self.options.one_process else kinds[:1]:
            for mode in self.options.modes:
                climbs.append(await self._climb(kind, mode))
        report = figures(climbs)
        report.value("real_time_priority", float(may_take_real_time()), "0 or 1")
        if self.options.spawns:
            await self._spawning(report, climbs)
        return report

    async def _climb(self, kind: Kind, mode: Mode) -> Climb:
        climb = Climb(kind, mode)
        search = Search(first=self.options.first, most=self.options.most)
        speech = self._speech(mode)
        options = ("--slots", _SLOTS) if kind == "offhook" else ()
        folder = self.folder / f"{kind}-{mode}"
        with hosting(
            kind, folder, vendors=self.vendors.url, cores={self.core}, options=options
        ) as host:
            async with self._fleet(mode, host, speech) as fleet:
                while (count := search.next) is not None:
                    verdict = await self._try(fleet, count, climb)
                    search.tell(count, verdict.outcome)
        climb.calls, climb.is_bound = search.passed, search.is_bound
        return climb

    def _speech(self, mode: Mode) -> Speech:
        """What such callers send; to encode it takes seconds."""
        if mode not in self._speeches:
            self._speeches[mode] = speech_of(mode, self.said)
        return self._speeches[mode]

    def _fleet(self, mode: Mode, host: Host, speech: Speech) -> Fleet:
        return Fleet(mode, host, speech, injected_ms=injected_ms(_CELL.profile))

    async def _try(self, fleet: Fleet, count: int, climb: Climb) -> Verdict:
        """Judge that many calls; once more if they do not pass, for a machine may hiccup."""
        verdict = Verdict("broken")
        for again in (False, True):
            rests = again or count < len(fleet.callers)
            refused = await fleet.become(count)
            await asyncio.sleep(_RESTS if rests else 0.0)
            since_secs, stolen = time.monotonic(), stolen_secs(self.core)
            step = await fleet.window(self.options.secs, self.vendors)
            stolen = stolen_secs(self.core) - stolen
            step.refused, step.stolen_cores = refused, stolen / (time.monotonic() - since_secs)
            # Stops the callers for some milliseconds: nothing is judged just now.
            step.loop_ms = loop_ms(self.core)
            verdict = judge(step)
            climb.tried.append((step, verdict))
            _say(told(climb, step, verdict))
            if verdict.outcome == "passed":
                break
        return verdict

    async def _spawning(self, report: Report, climbs: Sequence[Climb]) -> None:
        carried = [climb.calls for climb in climbs if climb.kind == "offhook"]
        burst = max([2, *carried])
        for name, options in (("warm", ()), ("forked", ("--warm", "0"))):
            folder = self.folder / name
            slots = ("--slots", str(burst))
            with hosting(
                "offhook", folder, vendors=self.vendors.url, cores={self.core},
                options=(*options, *slots),
            ) as host:  # fmt: skip
                speech = self._speech("webrtc")
                spawning = await measure_spawn(host, speech, tries=self.options.spawns, burst=burst)
            _spawn_figures(report, name, spawning)


def told(climb: Climb, step: Step, verdict: Verdict) -> str:
    """A try in a line."""
    own_ms = sorted(step.own_ms)
    middle = f"{percentile(own_ms, 50):.0f}/{percentile(own_ms, 95):.0f}" if own_ms else "-"
    memory = sorted(step.memory_mb)
    return (
        f"{climb.kind:11} {climb.mode:9} {step.calls:3} calls  own {middle:>9} ms  "
        f"latest frame {max(step.latest_ms, default=0):4.0f} ms  cpu {step.cpu_cores:.2f}  "
        f"memory {percentile(memory, 50) if memory else 0:.0f} MB  "
        f"callers late {step.others_p99_ms:.1f} ms  loop {step.loop_ms:.1f} ms  "
        f"stolen {step.stolen_cores:.3f}  {verdict.outcome} {verdict.why}"
    )


def figures(climbs: Sequence[Climb]) -> Report:
    """The figures that these climbs give."""
    report = Report()
    for climb in climbs:
        name = climb.mode if climb.kind == "offhook" else "one_process"
        # One figure speaks for one process: the first mode's; the other is beside it.
        if climb.kind == "one_process" and f"calls_per_core_{name}" in report.figures:
            name = f"one_process_{climb.mode}"
        report.value(f"calls_per_core_{name}", climb.calls, "calls")
        if climb.is_bound:
            report.value(f"calls_per_core_{name}_at_least", climb.calls, "calls")
        if climb.best:
            _step_figures(report, name, climb.best)
    for figure, unit in (("cpu_per_call", "cores"), ("memory_per_call", "mb")):
        # A page's call, the dearer one, if it was measured.
        for mode in ("websocket", "webrtc"):
            found = report.figures.get(f"{figure}_{mode}_{unit}")
            if found:
                report.figures[f"{figure}_{unit}"] = found
    return report


def _step_figures(report: Report, name: str, step: Step) -> None:
    report.percentiles(f"own_overhead_{name}_ms", step.own_ms, "ms")
    report.percentiles(f"latest_frame_{name}_ms", step.latest_ms, "ms")
    report.value(f"cpu_per_call_{name}_cores", step.cpu_cores / step.calls, "cores")
    if step.memory_mb and not name.startswith("one_process"):
        mean_mb = sum(step.memory_mb) / len(step.memory_mb)
        report.value(f"memory_per_call_{name}_mb", mean_mb, "MB")
    report.value(f"callers_late_p99_{name}_ms", step.others_p99_ms, "ms")
    report.value(f"loop_{name}_ms", step.loop_ms, "ms")
    report.value(f"stolen_{name}_cores", step.stolen_cores, "cores")


def _spawn_figures(report: Report, name: str, spawning: Spawning) -> None:
    report.percentiles(f"spawn_{name}_ms", spawning.answer_ms, "ms")
    if name != "warm":
        return
    report.percentiles("first_greeting_ms", spawning.greeting_ms, "ms")
    report.percentiles("burst_answer_ms", spawning.burst_ms, "ms")
    report.value("burst_calls", spawning.burst, "count")
    report.value("burst_lost", spawning.lost, "count")
    report.percentiles("refusal_ms", spawning.refusal_ms, "ms")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201
