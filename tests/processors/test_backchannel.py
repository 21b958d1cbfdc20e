"""A listener's sounds are told from words that want an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.backchannel import (
    fresh,
    is_backchannel,
    is_part,
    is_urgent,
    plain,
    repeats,
    similar,
)

pytestmark = pytest.mark.unit

NODS = ["uh-huh", "mm-hm", "right", "yeah", "ok", "okay", "sure", "I see", "got it", "hm"]
REAL = ["monday", "what", "two", "price", "tomorrow", "robin"]
SAID = ("We are open from nine to five on Monday.",)

words = st.lists(st.sampled_from(REAL), min_size=1, max_size=8).map(" ".join)


@given(st.lists(st.sampled_from(NODS), min_size=1, max_size=4))
def test_any_run_of_nods_is_a_backchannel(nods: list[str]) -> None:
    assert is_backchannel(" ".join(nods))
    assert is_backchannel(", ".join(nods).upper() + ".")


@given(st.lists(st.sampled_from(NODS), max_size=3), st.sampled_from(REAL))
def test_a_real_word_among_them_is_none(nods: list[str], word: str) -> None:
    assert not is_backchannel(" ".join([*nods, word]))


@pytest.mark.parametrize("text", ["", "  ", "..."])
def test_nothing_is_no_backchannel(text: str) -> None:
    assert not is_backchannel(text)


@pytest.mark.parametrize("text", ["Stop!", "no", "Hold on a second", "Excuse me", "yeah, wait"])
def test_some_words_ask_for_silence(text: str) -> None:
    assert is_urgent(text)
    assert not is_backchannel(text)


@pytest.mark.parametrize("text", ["now", "know", "nonstop", "yes"])
def test_words_that_only_look_like_them_do_not(text: str) -> None:
    assert not is_urgent(text)


@pytest.mark.parametrize("text", ["open from nine to five", "pen from nine to fi", "nine to five"])
def test_the_bots_own_words_are_known_even_if_cut(text: str) -> None:
    assert repeats(text, SAID, echo=False)


@pytest.mark.parametrize("text", ["from nine to seven", "monday", "on Monday"])
def test_a_few_words_in_common_prove_nothing(text: str) -> None:
    assert not repeats(text, SAID, echo=False)


def test_one_word_in_common_is_an_echo_if_it_sounds_like_one() -> None:
    assert repeats("Monday", SAID, echo=True)
    assert not repeats("Tuesday", SAID, echo=True)


@given(words, words)
def test_what_follows_the_words_of_the_turn_before_is_new(before: str, more: str) -> None:
    assert fresh(f"{before.title()}, {more}", before) == " ".join(plain(more))
    assert fresh(before, before) == ""


@given(words)
def test_without_a_turn_before_all_is_new(text: str) -> None:
    assert fresh(text, "") == " ".join(plain(text))


def test_a_corrected_word_leaves_the_words_similar() -> None:
    assert similar("how much is a check up", "how much is the check up")
    assert not similar("how much is a check up", "thank you goodbye")


def test_a_space_more_or_less_does_too() -> None:
    assert similar("I want a checkup", "I want a check up")
    assert not similar("on Tuesday", "on Thursday")


@given(words, words, words)
def test_any_piece_of_the_words_is_a_part_of_them(before: str, piece: str, after: str) -> None:
    assert is_part(piece.title(), f"{before}, {piece} {after}")
    assert not is_part(f"{piece} never", f"{before} {piece} {after}")


def test_no_words_are_no_part() -> None:
    assert not is_part("...", "two monday")
