"""The round trips of the three ways are measured, with real processes."""

from __future__ import annotations

import pytest

import evals.bench_relay
from errors import ConfigError
from evals.bench_relay import measure_relay

pytestmark = pytest.mark.integration


def test_each_way_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evals.bench_relay, "ROUNDS", 1)
    figures = measure_relay(1.0, 2).figures
    found = {name: float(figure["value"]) for name, figure in figures.items()}
    assert found["messages"] == 100
    for way, name in (("handed", "handover"), ("relayed", "relay")):
        p99_ms, served_ms = (found[f"{it}_round_trip_p99_ms"] for it in (way, "served"))
        assert found[f"{name}_added_ms"] == pytest.approx(p99_ms - served_ms, abs=0.001)
        assert 0 < found[f"{way}_round_trip_p50_ms"] <= p99_ms


@pytest.mark.parametrize(("seconds", "streams"), [(1.0, 1), (10.0, 0)])
def test_what_would_measure_nothing_is_refused(seconds: float, streams: int) -> None:
    with pytest.raises(ConfigError):
        measure_relay(seconds, streams)
