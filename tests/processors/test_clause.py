"""Sentences that stop where none ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.clause import NEVER_LAST, is_open

pytestmark = pytest.mark.unit

starts = st.sampled_from(["i live in london", "we met her", "the one at ten", "no"])


def judged(text: str) -> bool:
    return is_open(text.lower(), text.lower().rstrip(".,?! ").split())


@given(starts, st.sampled_from(sorted(NEVER_LAST - {"to", "of", "who", "may", "i"})))
def test_no_sentence_ends_on_one_of_these(start: str, word: str) -> None:
    assert judged(f"{start} {word}")
    assert judged(f"{start} {word}.")


@pytest.mark.parametrize(
    "text",
    [
        "I would love to",
        "it's kind of",
        "where are you from",
        "turn it on",
        "in may",
        "am i",
        "older than he was",
    ],
)
def test_but_some_sentences_do(text: str) -> None:
    assert not judged(text)


@given(starts, st.sampled_from([",", " -", "...", ":"]))
def test_a_mark_that_promises_more_is_believed(start: str, mark: str) -> None:
    assert not judged(start)
    assert is_open(start + mark, start.split())
