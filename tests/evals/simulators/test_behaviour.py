"""Latencies have the distribution that was asked for; faults strike when they shall."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evals.simulators.behaviour import Ears, Fault, Latency, Line

pytestmark = pytest.mark.unit


def test_a_latency_without_spread_is_constant() -> None:
    assert {Latency(p50_ms=350).draw_secs(Random(0)) for _ in range(100)} == {0.35}


def test_a_latency_has_its_percentiles() -> None:
    random = Random(0)
    latency = Latency(p50_ms=100, p95_ms=300)
    drawn = sorted(latency.draw_secs(random) for _ in range(20_000))
    assert drawn[10_000] == pytest.approx(0.1, rel=0.05)
    assert drawn[19_000] == pytest.approx(0.3, rel=0.05)


def test_a_p95_below_the_median_is_refused() -> None:
    with pytest.raises(ValidationError, match="p95_ms is less than p50_ms"):
        Latency(p50_ms=100, p95_ms=50)


@pytest.mark.parametrize(
    ("ends_ms", "says"), [((300,), "1 ends_ms for 2 words"), ((400, 300), "go back in time")]
)
def test_the_times_of_a_line_fit_its_words(ends_ms: tuple[int, ...], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Line(text="four five", ends_ms=ends_ms)


def test_lines_are_given_with_or_without_times() -> None:
    table = {"lines": ["hello", {"text": "four five", "ends_ms": [300, 780]}]}
    plain, timed = Ears.model_validate(table).lines
    assert plain == "hello"
    assert timed == Line(text="four five", ends_ms=(300, 780))


@given(skip=st.integers(0, 20), times=st.integers(1, 20))
def test_a_fault_strikes_as_often_as_it_shall(skip: int, times: int) -> None:
    fault = Fault(kind="hang", skip=skip, times=times)
    struck = [number for number in range(60) if fault.strikes(number)]
    assert struck == list(range(skip, skip + times))


def test_a_fault_may_never_stop() -> None:
    assert all(Fault(kind="hang", times=None).strikes(number) for number in range(100))
