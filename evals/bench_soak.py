"""`offhook bench soak`: many short calls that end in every way, and what is left of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Literal, get_args

import httpx

from errors import ConfigError
from evals.callers import Caller, Mode, RefusedError, Speech
from evals.density_fleet import caller_of, speech_of
from evals.density_host import Host, hosting
from evals.density_procs import leaves, usable_cores
from evals.density_vendors import VendorProcess
from evals.latency_cells import CELLS, FINAL_MS, behaviour
from evals.latency_turns import sayings
from evals.report import Report
from evals.soak_census import TOLERANCE, census
from evals.soak_slopes import after_warm_up, slope

Ending = Literal["closed", "deleted", "vanished", "killed", "early", "daily"]
"""The caller closes the line, hangs up by HTTP, is cut off; the call's process is killed; hung up
before anybody came; a call in a Daily room that nobody joins."""
ENDINGS: Mapping[Ending, int] = {
    "closed": 4, "deleted": 2, "vanished": 1, "killed": 1, "early": 1, "daily": 1,
}  # fmt: skip
"""How many of ten calls end so."""
_LOOKS = 8
"""The fewest that say something."""
_LIVES_SECS = (0.3, 5.0)
_QUIET_SECS = 60.0
"""How long the last of a batch may take to be gone; ICE needs half a minute to miss a caller."""
_REST_SECS = 2.0
_NAP_SECS = 0.2
_TRIES = 3
_AGAIN_SECS = 5.0
"""A host that a busy moment of the machine has strained takes no call for some seconds."""


@dataclass(frozen=True)
class SoakOptions:
    """What the command line asked for."""

    calls: int = 1200
    at_once: int = 4
    minutes: float = 45.0
    """The longest it may take; what was seen until then is judged."""
    batch: int = 20
    """Calls between two looks at the host."""
    endings: Mapping[Ending, int] = field(default_factory=lambda: ENDINGS)
    """How calls end, and how often beside each other."""
    seed: int = 0


@dataclass
class Seen:
    """What was seen, one look after the other."""

    calls: list[int] = field(default_factory=list[int])
    """How many calls there had been."""
    looks: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    endings: Counter[str] = field(default_factory=Counter[str])
    """How calls ended; `refused` of those that the host did not take, however often they came."""


def bench_soak(options: SoakOptions) -> Report:
    """Make the calls, and judge whether anything grows with their number.

    Raises:
        ConfigError: There are too few calls to say anything.
        MissingError: The test speech is not installed.
        OffhookError: The host does not start.
    """
    check(options)
    said = [saying for saying in sayings(6, pause_ms=FINAL_MS) if not saying.pauses]
    lines = tuple(line for saying in said for line in saying.lines)
    speeches: dict[Mode, Speech] = {mode: speech_of(mode, said) for mode in get_args(Mode)}
    with (
        tempfile.TemporaryDirectory() as folder,
        VendorProcess(behaviour(CELLS["bare"], lines)) as vendors,
        hosting(
            "offhook", Path(folder), vendors=vendors.url, cores=usable_cores(),
            options=("--slots", "1000"),
        ) as host,
    ):  # fmt: skip
        soak = _Soak(options, host, vendors.url, run=_run_dir(Path(folder)), speeches=speeches)
        return figures(asyncio.run(soak.run()))


def check(options: SoakOptions) -> None:
    """Refuse what would say nothing.

    Raises:
        ConfigError: There are too few calls.
    """
    fewest = _LOOKS * options.batch
    if options.calls < fewest or options.at_once < 1:
        raise ConfigError(f"Fewer than {fewest} calls say nothing.", field="calls")


def _run_dir(data_dir: Path) -> Path:
    from hosts.rundir import run_dir

    return run_dir(data_dir)


class _Soak:
    def __init__(
        self,
        options: SoakOptions,
        host: Host,
        vendors: str,
        *,
        run: Path,
        speeches: Mapping[Mode, Speech],
    ) -> None:
        self._options = options
        self._host = host
        self._vendors = vendors
        self._run_dir = run
        self._speeches = speeches
        self._random = Random(options.seed)
        self._seen = Seen()

    async def run(self) -> Seen:
        """Calls in batches, a look after each."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._options.minutes * 60
        async with httpx.AsyncClient(base_url=self._host.url, trust_env=False, timeout=30) as http:
            done = 0
            while done < self._options.calls and loop.time() < until:
                await self._batch(http)
                done += self._options.batch
                await self._quiet(http)
                look = await census(
                    self._host, http, run=self._run_dir, vendors=self._vendors
                )  # fmt: skip
                self._seen.calls.append(done)
                self._seen.looks.append(look)
                _say(f"{done:5} calls  " + "  ".join(f"{k} {v:.0f}" for k, v in look.items()))
        return self._seen

    async def _come(self, call: Callable[[], Awaitable[None]]) -> bool:
        """Make a call, again a little later if the host takes none just now; whether it did."""
        for _ in range(_TRIES):
            try:
                await call()
            except RefusedError as error:
                _say(f"refused: {error.message}")
                await asyncio.sleep(_AGAIN_SECS)
                continue
            return True
        return False

    async def _batch(self, http: httpx.AsyncClient) -> None:
        free = asyncio.Semaphore(self._options.at_once)

        async def one(ending: Ending, mode: Mode, secs: float) -> None:
            async with free:
                came = await self._come(partial(self._call, http, ending, mode=mode, secs=secs))
                self._seen.endings[ending if came else "refused"] += 1

        kinds = self._options.endings
        endings = self._random.choices(list(kinds), list(kinds.values()), k=self._options.batch)
        await asyncio.gather(
            *(
                one(ending, self._random.choice(get_args(Mode)), self._random.uniform(*_LIVES_SECS))
                for ending in endings
            )
        )

    async def _call(
        self, http: httpx.AsyncClient, ending: Ending, *, mode: Mode, secs: float
    ) -> None:
        """One call.

        Raises:
            RefusedError: The host did not take it.
        """
        caller: Caller = caller_of(mode)(http, self._speeches[mode])
        try:
            if ending == "daily":
                opened = await caller.ask("/start", {"createDailyRoom": True})
                caller.session = str(opened["sessionId"])
            elif ending == "early":
                caller.session = str((await caller.ask("/start", {}))["sessionId"])
            else:
                await caller.call()
            await asyncio.sleep(secs)
            await self._end(caller, ending)
        finally:
            await caller.hang_up()

    async def _end(self, caller: Caller, ending: Ending) -> None:
        if ending in ("deleted", "early", "daily"):
            await caller.delete()
        elif ending == "vanished":
            await caller.vanish()
        elif ending == "killed":
            found = leaves(self._host.processes(), self._host.pid)
            if found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._random.choice(found), signal.SIGKILL)

    async def _quiet(self, http: httpx.AsyncClient) -> None:
        """Wait until the host has no call, and what is left behind it has gone."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _QUIET_SECS
        while loop.time() < until:
            if not (await http.get("/healthz")).json().get("slots_taken"):
                break
            await asyncio.sleep(_NAP_SECS)
        await asyncio.sleep(_REST_SECS)


def figures(seen: Seen) -> Report:
    """The slopes, and whether each is zero within noise."""
    report = Report()
    report.value("calls", seen.calls[-1] if seen.calls else 0, "count")
    report.value("refused_calls", seen.endings.get("refused", 0), "count")
    kept = after_warm_up(seen.calls)
    growing: list[str] = []
    for name, tolerance in TOLERANCE.items():
        values = [look[name] for look in seen.looks if name in look]
        if len(values) < len(seen.looks) or not values:
            continue
        found = slope(seen.calls[kept], values[kept])
        unit = "bytes" if name.endswith("_bytes") else "count"
        report.value(f"{name}_per_100_calls", found.per_100, unit)
        report.value(f"{name}_at_the_end", values[-1], unit)
        zero = found.is_zero(tolerance)
        growing += [] if zero else [name]
        _say(told(name, found.per_100, (found.low, found.high), zero=zero))
    report.value("growing_figures", len(growing), "count")
    return report


def told(name: str, per_100: float, interval: Sequence[float], *, zero: bool) -> str:
    """A slope in a line."""
    low, high = interval
    verdict = "zero within noise" if zero else "GROWS" if per_100 > 0 else "SHRINKS"
    return f"{name:26} {per_100:+12.2f} in 100 calls (95 %: {low:+.2f} to {high:+.2f})  {verdict}"


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201
