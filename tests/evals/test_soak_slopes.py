"""The slope of a figure over calls, and when it is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.soak_slopes import after_warm_up, slope

pytestmark = pytest.mark.unit

CALLS = [10 * (number + 1) for number in range(12)]
NOISE = [0.0, 3.0, -2.0, 1.0, -3.0, 2.0, 0.0, -1.0, 3.0, -2.0, 1.0, 0.0]


def test_what_stays_is_zero_and_what_leaks_is_not() -> None:
    assert slope(CALLS, NOISE).is_zero(0)
    leaking = [value + calls for value, calls in zip(NOISE, CALLS, strict=True)]
    found = slope(CALLS, leaking)
    assert found.per_100 == pytest.approx(100, abs=5)
    assert found.low > 0
    assert not found.is_zero(1)


def test_one_leap_is_no_leak() -> None:
    assert slope(CALLS, [1.0] * 6 + [500.0] + [1.0] * 5).is_zero(0)


def test_a_steady_leak_within_the_tolerance_is_nothing() -> None:
    found = slope(CALLS, [calls / 1000 for calls in CALLS])
    assert found.per_100 == pytest.approx(0.1)
    assert found.is_zero(0.1)
    assert not found.is_zero(0.05)


def test_too_few_samples_say_nothing() -> None:
    assert not slope([10, 20, 30], [1, 1, 1]).is_zero(0)
    assert not slope([], []).is_zero(0)


@given(
    st.floats(-1000, 1000),
    st.floats(-1000, 1000),
    st.lists(st.integers(1, 10_000), min_size=4, max_size=30, unique=True),
)
def test_a_straight_line_is_found_whatever_the_order(
    rise: float, start: float, calls: list[int]
) -> None:
    found = slope(calls, [start + rise * count / 100 for count in calls])
    assert found.per_100 == pytest.approx(rise, abs=1e-6 * (1 + abs(rise) + abs(start)) * 100)
    assert found.low <= found.per_100 <= found.high


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=30), st.floats(-1e6, 1e6))
def test_where_it_begins_does_not_matter(values: list[float], shift: float) -> None:
    calls = list(range(10, 10 * len(values) + 1, 10))
    plain = slope(calls, values)
    shifted = slope(calls, [value + shift for value in values])
    assert shifted.per_100 == pytest.approx(plain.per_100, abs=1e-3)


@given(st.lists(st.floats(0, 1), max_size=50))
def test_the_first_half_does_not_count(samples: list[float]) -> None:
    kept = samples[after_warm_up(samples)]
    assert len(kept) == len(samples) // 2
