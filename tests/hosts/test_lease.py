"""A lease is lost by silence alone: not before its term, not long after, and for good."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.lease import LOOK_SECS, TERM_SECS, Lease

pytestmark = pytest.mark.unit

STEPS = st.lists(st.tuples(st.floats(0, 2 * LOOK_SECS), st.booleans()), max_size=200)


@given(steps=STEPS)
def test_it_is_lost_after_its_term_of_silence_and_not_before(
    steps: list[tuple[float, bool]],
) -> None:
    lease, now_secs, renewed_secs = Lease(0.0), 0.0, 0.0
    for step_secs, renews in steps:
        now_secs += step_secs
        lost = lease.look(now_secs)
        silent_secs = now_secs - renewed_secs
        if lost:
            assert silent_secs >= TERM_SECS - 1e-6
            break
        assert silent_secs < TERM_SECS + 1e-6
        if renews:
            lease.renew()
            renewed_secs = now_secs


@given(steps=STEPS, gap_secs=st.floats(0, 1e6))
def test_a_gap_in_our_own_looking_is_not_held_against_the_holder(
    steps: list[tuple[float, bool]], gap_secs: float
) -> None:
    lease, now_secs = Lease(0.0), 0.0
    for step_secs, _ in steps:
        now_secs += step_secs
        lease.look(now_secs)
        lease.renew()
    assert lease.look(now_secs + gap_secs) == lease.lost
    assert not lease.lost


@given(after=st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=20))
def test_what_is_lost_stays_lost(after: list[tuple[float, bool]]) -> None:
    lease, now_secs = Lease(0.0, term_secs=1.0), 0.0
    while not lease.look(now_secs):
        now_secs += LOOK_SECS
    for step_secs, renews in after:
        now_secs += step_secs
        if renews:
            lease.renew()
        assert lease.look(now_secs)


@given(times=st.lists(st.floats(0, 100), max_size=50))
def test_a_clock_that_goes_back_takes_nothing_back(times: list[float]) -> None:
    lease, latest_secs = Lease(0.0), 0.0
    for now_secs in times:
        lease.look(now_secs)
        latest_secs = max(latest_secs, now_secs)
        assert lease.now_secs == pytest.approx(latest_secs)
