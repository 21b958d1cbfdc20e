"""Nobody sends faster than real time for long, and nobody who is late loses anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from pipelines.pace import AHEAD_SECS, Ahead, Pace

pytestmark = pytest.mark.unit


@given(
    sent=st.lists(st.tuples(st.floats(0, 10), st.floats(0.001, 3)), max_size=60),
    began_secs=st.floats(0, 1e6),
)
def test_what_is_taken_is_never_far_ahead_of_the_clock(
    sent: list[tuple[float, float]], began_secs: float
) -> None:
    """Over every stretch of time: what it lasted, the bound, and the one message that passes it."""
    ahead, now_secs = Ahead(), began_secs
    longest = max((secs for _, secs in sent), default=0.0)
    excess_secs = 0.0
    for gap_secs, secs in sent:
        now_secs += gap_secs
        excess_secs = max(0.0, excess_secs - gap_secs)
        taken = ahead.take(secs, now_secs=now_secs)
        excess_secs += secs if taken else 0.0
        assert excess_secs <= AHEAD_SECS + longest + 1e-6


@given(
    late_secs=st.lists(st.floats(0, AHEAD_SECS / 2), max_size=100),
    chunk_secs=st.floats(0.01, 0.5),
)
def test_nothing_is_dropped_of_what_comes_in_real_time_but_late(
    late_secs: list[float], chunk_secs: float
) -> None:
    ahead, now_secs = Ahead(), 0.0
    for number, late in enumerate(late_secs):
        # In order, as a network delivers: no chunk overtakes the one before it.
        now_secs = max(now_secs, number * chunk_secs + late)
        assert ahead.take(chunk_secs, now_secs=now_secs)


async def test_what_is_too_early_is_told_once() -> None:
    pace, told = Pace(), list[str]()
    sink = logger.add(told.append, level="WARNING", format="{message}")
    try:
        taken = [pace.takes_audio(0.5) for _ in range(10)]
        said = [pace.takes_message() for _ in range(500)]
    finally:
        logger.remove(sink)
    # Two seconds, and the one that passes them.
    assert 4 <= sum(taken) <= 5
    assert not any(taken[5:])
    assert any(said)
    assert not all(said)
    assert len(told) == 1
