"""Which bench is wished for, and what cannot be wished."""

from __future__ import annotations

import pytest

from errors import ConfigError
from evals.bench import BenchOptions, run_bench
from evals.bench_latency import LatencyOptions
from evals.report import Report
from providers.models import ModelStore

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("what", "options", "field"),
    [
        ("nothing", BenchOptions(), "what"),
        ("latency", BenchOptions(turns=0), "turns"),
        ("latency", BenchOptions(jobs=0), "jobs"),
    ],
)
def test_what_cannot_be_measured_is_told(what: str, options: BenchOptions, field: str) -> None:
    with pytest.raises(ConfigError) as told:
        run_bench(what, options, ModelStore(env={}, offline=True))
    assert told.value.field == field


def test_a_call_that_is_not_known_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="early"):
        run_bench("latency", BenchOptions(cells=("erly",)), ModelStore(env={}, offline=True))


def test_the_wishes_reach_the_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[LatencyOptions] = []

    def measured(options: LatencyOptions) -> Report:
        seen.append(options)
        return Report({})

    monkeypatch.setattr("evals.bench_latency.bench_latency", measured)
    wishes = BenchOptions(turns=7, cells=("bare",), jobs=3, trace=True)
    run_bench("latency", wishes, ModelStore(env={}, offline=True))
    assert seen == [LatencyOptions(turns=7, cells=("bare",), jobs=3, trace=True)]
