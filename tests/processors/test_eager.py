"""An early answer is kept exactly when the turn ends on the words it was started on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.eager import Eagerness, Verdict

pytestmark = pytest.mark.unit

words = st.text("abc ", min_size=1, max_size=8).filter(lambda text: text.strip() != "")


def test_nothing_started_nothing_kept() -> None:
    eager = Eagerness()
    eager.final("hello")
    assert eager.end() is Verdict.NONE


def test_the_same_words_confirm_it_whatever_their_dress() -> None:
    eager = Eagerness()
    assert eager.likely_end("what time is it") == "what time is it"
    eager.final("What time is it?")
    assert eager.end() is Verdict.CONFIRMED


def test_other_words_miss_it() -> None:
    eager = Eagerness()
    eager.likely_end("what time")
    eager.final("what time is it")
    assert eager.end() is Verdict.MISSED


def test_earlier_segments_of_the_turn_belong_to_it() -> None:
    eager = Eagerness()
    eager.final("i would like")
    assert eager.likely_end("an appointment") == "i would like an appointment"
    eager.final("an appointment")
    assert eager.end() is Verdict.CONFIRMED


def test_the_same_guess_twice_starts_once() -> None:
    eager = Eagerness()
    assert eager.likely_end("yes") is not None
    assert eager.likely_end("Yes.") is None


def test_no_words_start_nothing() -> None:
    assert Eagerness().likely_end("  ") is None


def test_a_withdrawn_answer_is_neither_kept_nor_missed() -> None:
    eager = Eagerness()
    eager.likely_end("yes")
    assert eager.withdraw()
    assert not eager.withdraw()
    eager.final("yes")
    assert eager.end() is Verdict.NONE


@given(st.lists(words, max_size=4), words)
def test_a_verdict_is_given_once(finals: list[str], guess: str) -> None:
    eager = Eagerness()
    for final in finals:
        eager.final(final)
    eager.likely_end(guess)
    eager.final(guess)
    assert eager.end() is Verdict.CONFIRMED
    assert eager.end() is Verdict.NONE


@given(st.lists(words, max_size=4), words, words)
def test_more_words_after_the_guess_always_miss(finals: list[str], guess: str, more: str) -> None:
    eager = Eagerness(finals=list(finals))
    eager.likely_end(guess)
    eager.final(guess)
    eager.final(more)
    assert eager.end() is Verdict.MISSED


def test_certain_words_of_an_open_turn_start_an_answer() -> None:
    eager = Eagerness()
    eager.final("i would like an appointment")
    assert eager.likely_end("") == "i would like an appointment"
    assert eager.end() is Verdict.CONFIRMED


def test_a_new_turn_has_no_words_to_start_on() -> None:
    eager = Eagerness()
    eager.final("thank you")
    eager.clear()
    assert eager.likely_end("") is None


def test_an_answer_taken_back_before_the_end_is_asked_for_by_the_end() -> None:
    eager = Eagerness()
    eager.likely_end("what is the price")
    assert not eager.refused()
    eager.final("what is the price")
    assert eager.end() is Verdict.NONE


def test_an_answer_taken_back_as_the_turn_ends_on_it_is_asked_for_again_once() -> None:
    eager = Eagerness()
    eager.likely_end("what is the price")
    eager.final("what is the price")
    assert eager.end() is Verdict.CONFIRMED
    eager.finals.clear()
    assert eager.refused()
    assert not eager.refused()


def test_a_new_turn_owes_no_answer() -> None:
    eager = Eagerness()
    eager.final("hello")
    eager.likely_end("")
    eager.end()
    eager.clear()
    assert not eager.refused()
