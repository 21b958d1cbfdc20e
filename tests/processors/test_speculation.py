"""The books of early answers: what they gain, what they waste, whether the next is worth it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.speculation import Regret, Speculations, Worth

pytestmark = pytest.mark.unit


def early(books: Speculations, *, gap_ms: float, lead_ms: float, sound_ms: float) -> None:
    """A turn whose early answer was kept."""
    number = books.asked(early=True, now_ms=0)
    books.wrote(number, 80)
    books.clause(number, lead_ms)
    books.voiced(number, 40)
    books.sound(number, lead_ms + sound_ms)
    assert books.ended(gap_ms) == number


def test_replies_are_numbered_upwards() -> None:
    books = Speculations()
    numbers = [books.asked(early=number % 2 == 0, now_ms=number) for number in range(5)]
    assert numbers == sorted(set(numbers))
    assert books.newest == numbers[-1]


def test_an_end_confirms_the_newest_early_reply_only() -> None:
    books = Speculations()
    books.asked(early=True, now_ms=0)
    assert books.withdrawn() == 1
    assert books.ended(100) == 0
    second = books.asked(early=True, now_ms=200)
    assert books.ended(300) == second
    books.asked(early=True, now_ms=400)
    books.asked(early=False, now_ms=500)
    assert books.ended(600) == 0


def test_a_reply_is_withdrawn_once_and_not_after_its_turn() -> None:
    books = Speculations()
    assert books.withdrawn() is None
    books.asked(early=True, now_ms=0)
    assert books.withdrawn() == 1
    assert books.withdrawn() is None
    books.asked(early=True, now_ms=0)
    books.ended(10)
    assert books.withdrawn() is None
    books.asked(early=False, now_ms=20)
    assert books.withdrawn() is None


def test_what_was_thrown_away_is_counted_also_what_comes_after() -> None:
    books = Speculations()
    number = books.asked(early=True, now_ms=0, read=400)
    books.wrote(number, 40)
    books.voiced(number, 20)
    books.withdrawn()
    books.wrote(number, 4)
    regret = Regret(replies=1, characters_read=400, characters_written=44, characters_voiced=20)
    assert books.regret == regret
    assert (regret.tokens_read, regret.tokens_written) == (100, 11)


def test_an_unknown_call_tries_everything() -> None:
    assert Speculations().worth() == Worth(answer=True, voice=True)


def test_the_voice_is_started_early_where_the_turn_ends_later_than_the_text_comes() -> None:
    late, soon = Speculations(), Speculations()
    early(late, gap_ms=450, lead_ms=180, sound_ms=100)
    early(soon, gap_ms=140, lead_ms=180, sound_ms=100)
    assert late.worth() == Worth(answer=True, voice=True)
    assert soon.worth() == Worth(answer=True, voice=False)


def test_nothing_is_started_for_a_gain_that_nobody_hears_and_it_is_tried_again() -> None:
    books = Speculations()
    early(books, gap_ms=5, lead_ms=180, sound_ms=100)
    assert not books.worth().answer
    for turn in range(8):
        books.asked(early=False, now_ms=1000 * turn)
        books.ended(1000 * turn)
    assert books.worth().answer


def test_a_voice_that_is_switched_off_stays_off() -> None:
    assert Speculations(voice=False).worth() == Worth(answer=True, voice=False)


def test_waste_beyond_the_budget_stops_it_until_enough_was_used() -> None:
    books = Speculations(ratio=1.5)
    number = books.asked(early=True, now_ms=0)
    books.wrote(number, 1000)
    books.withdrawn()
    assert not books.worth().answer
    number = books.asked(early=False, now_ms=0)
    books.wrote(number, 2000)
    assert books.worth().answer


moves = st.lists(
    st.tuples(st.sampled_from(["early", "plain", "withdraw", "end", "write"]), st.integers(1, 400)),
    max_size=80,
)


@given(moves, st.floats(1, 3))
def test_the_budget_bounds_the_waste(story: list[tuple[str, int]], ratio: float) -> None:
    books = Speculations(ratio=ratio)
    used = wasted = largest = 0
    drafts: dict[int, int] = {}
    for now_ms, (move, size) in enumerate(story):
        if move == "early" and books.worth().answer:
            if (dropped := books.withdrawn()) is not None:
                wasted += drafts.pop(dropped, 0)
            drafts[books.asked(early=True, now_ms=now_ms)] = 0
        elif move == "plain":
            drafts[books.asked(early=False, now_ms=now_ms)] = 0
        elif move == "withdraw" and (dropped := books.withdrawn()) is not None:
            wasted += drafts.pop(dropped, 0)
        elif move == "end":
            books.ended(now_ms)
        elif move == "write" and books.newest in drafts:
            books.wrote(books.newest, size)
            drafts[books.newest] += size
            largest = max(largest, drafts[books.newest])
        used = sum(drafts.values())
        assert books.regret.characters_written == wasted
    # One reply more than was affordable can be on its way when the budget is used up.
    assert wasted <= max(600, (ratio - 1) * (used + wasted)) + largest
