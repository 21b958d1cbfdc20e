"""Only what was heard wrongly counts, not how it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.wer import WordErrors, normalised, word_error_rate, word_errors

pytestmark = pytest.mark.unit

_texts = st.text("abc dé'1.,-", max_size=30)


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("he was not an ill disposed young man", "He was not an ill-disposed young man."),
        ("and mister john dashwood had then leisure", "And Mr. John Dashwood had then leisure"),
        ("it costs eighty dollars", "It costs $80."),
        ("at nine thirty on november twenty third", "At 9:30 on November 23rd"),
        ("one hundred and twenty people", "One hundred twenty people"),
        ("two hundred and five", "205"),
        ("okay i don't know", "Um, OK, I don\N{RIGHT SINGLE QUOTATION MARK}t know!"),
        ("fifty percent", "50%"),
    ],
)
def test_spelling_is_no_error(said: str, heard: str) -> None:
    assert word_error_rate([said], [heard]) == 0


def test_counts_each_kind_of_error() -> None:
    errors = word_errors(
        ["the cat sat on the mat", "hello there"], ["the bat sat on mat", "hello there you"]
    )

    assert errors == WordErrors(said=8, substituted=1, missed=1, made_up=1)
    assert errors.rate == pytest.approx(3 / 8)


def test_silence_misses_every_word() -> None:
    assert word_error_rate(["one two"], [""]) == 1
    assert word_error_rate([""], ["two words"]) == 2
    assert word_error_rate([], []) == 0


def test_says_when_sentences_are_missing() -> None:
    with pytest.raises(ValueError, match="2 sentences were said, 1"):
        word_error_rate(["a", "b"], ["a"])


@given(_texts)
def test_what_is_heard_as_said_has_no_error(text: str) -> None:
    assert word_error_rate([text], [text]) == 0
    assert normalised(normalised(text)) == normalised(text)
