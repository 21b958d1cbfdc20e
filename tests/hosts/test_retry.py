"""Tries are bounded, waits are jittered, and what a service asks for is honoured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.retry import Miss, Patience, wait_secs

pytestmark = pytest.mark.unit

PATIENCE = st.builds(
    Patience,
    tries=st.integers(1, 10),
    total_secs=st.floats(0.1, 60),
    base_secs=st.floats(0.01, 5),
    cap_secs=st.floats(0.01, 10),
)
PASSING = st.builds(
    Miss,
    status=st.sampled_from([None, 429, 500, 502, 503, 504, 599]),
    retry_after_secs=st.none() | st.floats(0, 30),
)
LUCK = st.floats(0, 1)


@given(PATIENCE, PASSING, st.integers(1, 12), st.floats(0, 100), LUCK)
def test_a_wait_is_within_every_bound(
    patience: Patience, miss: Miss, tries: int, spent_secs: float, luck: float
) -> None:
    wait = wait_secs(patience, miss, tries=tries, spent_secs=spent_secs, luck=luck)
    if wait is None:
        return
    asked_secs = miss.retry_after_secs or 0.0
    assert tries < patience.tries
    assert asked_secs <= wait <= asked_secs + patience.cap_secs
    assert spent_secs + wait < patience.total_secs


@given(PATIENCE, st.integers(400, 499).filter(lambda s: s != 429), st.floats(0, 5), LUCK)
def test_a_refusal_is_final(
    patience: Patience, status: int, retry_after_secs: float, luck: float
) -> None:
    miss = Miss(status, retry_after_secs)
    assert wait_secs(patience, miss, tries=1, spent_secs=0, luck=luck) is None


@given(PASSING.filter(lambda miss: (miss.retry_after_secs or 0) < 5), LUCK)
def test_what_passes_is_tried_again_while_there_is_time(miss: Miss, luck: float) -> None:
    assert wait_secs(Patience(), miss, tries=1, spent_secs=0.1, luck=luck) is not None


@given(st.integers(1, 3))
def test_the_whole_window_is_used_and_it_doubles(tries: int) -> None:
    def wait(luck: float) -> float | None:
        return wait_secs(Patience(), Miss(500), tries=tries, spent_secs=0, luck=luck)

    assert wait(0.0) == 0.0
    assert wait(1.0) == min(2.0, 0.25 * 2 ** (tries - 1))


def test_who_asks_for_more_than_there_is_gets_nothing() -> None:
    miss = Miss(429, retry_after_secs=3600)
    assert wait_secs(Patience(), miss, tries=1, spent_secs=0, luck=0) is None
