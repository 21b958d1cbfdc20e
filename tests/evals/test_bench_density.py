"""The density bench: its figures, what it cannot do, and one call of each kind."""

from __future__ import annotations

import os

import pytest

from errors import ConfigError
from evals.bench_density import Climb, DensityOptions, bench_density, figures, told
from evals.density_gate import Step, Verdict
from evals.density_procs import (
    leaves,
    look,
    loop_ms,
    open_files,
    pss_bytes,
    rss_bytes,
    stolen_secs,
    tree,
    usable_cores,
)

pytestmark = pytest.mark.integration


def climb(kind: str = "offhook", mode: str = "webrtc", calls: int = 2) -> Climb:
    step = Step(calls=calls, own_ms=[10, 20], latest_ms=[5], cpu_cores=0.5, memory_mb=[60, 64])
    step.loop_ms = 3.0
    worse = Step(calls=calls + 1, own_ms=[90, 90])
    tried = [(step, Verdict("passed")), (worse, Verdict("broken", "own overhead p95 90 ms"))]
    return Climb(kind, mode, tried, calls)  # pyright: ignore[reportArgumentType]


def test_the_figures_are_of_the_most_calls_that_passed() -> None:
    report = figures([climb(mode="websocket", calls=5), climb(), climb("one_process")])
    found = {name: figure.get("value") for name, figure in report.figures.items()}
    assert found["calls_per_core_websocket"] == 5
    assert found["calls_per_core_webrtc"] == 2
    assert found["calls_per_core_one_process"] == 2
    assert found["cpu_per_call_cores"] == 0.25
    assert found["memory_per_call_mb"] == 62
    assert found["loop_websocket_ms"] == 3.0
    assert "calls_per_core_webrtc_at_least" not in found


def test_a_limit_of_the_callers_is_told_as_one() -> None:
    bound = climb()
    bound.is_bound = True
    assert "calls_per_core_webrtc_at_least" in figures([bound]).figures


def test_a_host_that_carries_nothing_has_a_figure_too() -> None:
    report = figures([Climb("offhook", "websocket")])
    assert report.figures["calls_per_core_websocket"]["value"] == 0


def test_a_try_is_told_in_a_line() -> None:
    one = climb()
    step, verdict = one.tried[1]
    assert told(one, step, verdict).endswith("broken own overhead p95 90 ms")


def test_what_cannot_be_measured_is_told() -> None:
    with pytest.raises(ConfigError):
        bench_density(DensityOptions(secs=1))


def test_this_process_is_in_its_own_tree() -> None:
    me = look(os.getpid())
    assert me is not None
    assert me.cpu_secs > 0
    processes = tree(me.parent)
    assert os.getpid() in leaves(processes, me.parent) or len(processes) > 2
    assert 0 < pss_bytes(me.pid) <= rss_bytes(me.pid) * 1.1
    assert open_files(me.pid) > 2
    assert look(2**22 + 1) is None


def test_how_fast_a_core_is_is_seen_without_going_there() -> None:
    mine = usable_cores()
    assert loop_ms(max(mine)) > 0
    assert stolen_secs(max(mine)) >= 0
    assert stolen_secs(2**20) == 0
    assert usable_cores() == mine


@pytest.mark.timeout(400)
def test_one_call_of_each_kind_is_made_and_measured(capfd: pytest.CaptureFixture[str]) -> None:
    options = DensityOptions(secs=16, most=1, first=1, spawns=1, relay_secs=0)
    report = bench_density(options)
    lines = [line for line in capfd.readouterr().out.splitlines() if " 1 calls " in line]
    kinds = {tuple(line.split()[:2]) for line in lines}
    assert kinds == {
        (kind, mode) for kind in ("offhook", "one_process") for mode in ("websocket", "webrtc")
    }
    assert not any("unanswered" in line or "refused" in line for line in lines), lines
    assert {"calls_per_core_websocket", "calls_per_core_webrtc"} <= set(report.figures)
    assert {"spawn_warm_ms", "spawn_forked_ms", "first_greeting_ms"} <= set(report.figures)
    assert {"burst_answer_ms", "refusal_ms"} <= set(report.figures)
