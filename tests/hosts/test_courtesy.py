"""A server answers while calls fill the core, but requests without end do not take it from them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.courtesy import BURST_SECS, SHARE, Courtesy
from hosts.urgency import Rank

pytestmark = pytest.mark.unit

STEP_SECS = 0.1
BUSY, MODEST = 1.0, SHARE / 2


class Thread:
    """A thread that uses its core, and is ranked; times are far from 0."""

    def __init__(self) -> None:
        self.now_secs, self.used_secs = 1000.0, 70.0
        self.ranks: list[Rank] = []
        self.courtesy = Courtesy(self.now_secs, self.used_secs, take=self.take)

    def take(self, rank: Rank) -> bool:
        self.ranks.append(rank)
        return True

    def uses(self, shares: Sequence[float]) -> list[Rank]:
        """The rank that it has in each of the steps, in which it uses such shares of its core."""
        had: list[Rank] = []
        for share in shares:
            had.append(self.ranks[-1])
            self.now_secs += STEP_SECS
            self.used_secs += share * STEP_SECS
            self.courtesy.look(self.now_secs, self.used_secs)
        return had


def test_who_is_asked_now_and_then_is_among_those_that_owe_an_answer() -> None:
    assert set(Thread().uses([MODEST] * 100)) == {Rank.OWES}


def test_a_burst_is_answered() -> None:
    """Of calls that begin at once, say: half a core for a fifth of a second."""
    assert set(Thread().uses([0.0, 0.5, 0.5, *[MODEST] * 10])) == {Rank.OWES}


def test_who_is_asked_without_end_goes_last_until_they_owe_nothing() -> None:
    thread = Thread()
    thread.uses([BUSY] * 3)
    assert thread.ranks[-1] is Rank.RESTS
    thread.uses([BUSY] * 10_000)
    assert thread.ranks[-1] is Rank.RESTS
    thread.uses([0.0] * 50)
    assert thread.ranks[-1] is Rank.RESTS
    thread.uses([0.0] * 100)
    assert thread.ranks[-1] is Rank.OWES


@given(st.lists(st.sampled_from([0.0, MODEST, SHARE, 0.5, BUSY]), min_size=1, max_size=400))
def test_what_it_has_of_a_core_before_the_calls_is_bounded(shares: list[float]) -> None:
    """Whatever is asked of it, and when; what it used between two looks is seen after it."""
    had = Thread().uses(shares)
    first_secs = sum(
        share * STEP_SECS for share, rank in zip(shares, had, strict=True) if rank is Rank.OWES
    )
    assert first_secs <= BURST_SECS + SHARE * len(shares) * STEP_SECS + STEP_SECS + 1e-6


def test_the_rank_is_taken_again_where_the_kernel_took_it() -> None:
    thread = Thread()
    thread.uses([MODEST] * 3)
    assert thread.ranks == [Rank.OWES] * 4


def test_a_server_that_is_over_is_as_any_other() -> None:
    thread = Thread()
    thread.courtesy.over()
    assert thread.ranks == [Rank.OWES, Rank.RESTS]
