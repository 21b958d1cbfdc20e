"""What may be asked of a call's process is read, or refused without being repeated."""

from __future__ import annotations

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import BadRequestError
from hosts.requests import MAX_SAY_CHARS, Say, read

pytestmark = pytest.mark.unit

_words = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=600)


@given(_words)
def test_a_sentence_is_said_stripped_and_of_bounded_length(text: str) -> None:
    stripped = text.strip()
    if 1 <= len(stripped) <= MAX_SAY_CHARS:
        assert read(Say, {"text": text}).text == stripped
    else:
        with pytest.raises(BadRequestError, match="text"):
            read(Say, {"text": text})


@given(st.characters(categories=("Cc", "Zl", "Zp", "Cs")))
def test_what_is_no_single_line_of_text_is_refused(character: str) -> None:
    with pytest.raises(BadRequestError, match="text") as caught:
        read(Say, {"text": f"secret{character}words"})
    assert caught.value.code == "bad_fields"
    assert "secret" not in caught.value.message
    # Around it they are white space at most.
    if character.isspace():
        assert category(character) in ("Cc", "Zl", "Zp")
        assert read(Say, {"text": f"{character}words{character}"}).text == "words"


@pytest.mark.parametrize("fields", [{}, {"text": 1}, {"text": None}, {"text": "a", "voice": "b"}])
def test_it_is_a_text_and_nothing_else(fields: dict[str, object]) -> None:
    with pytest.raises(BadRequestError, match=r"text|voice"):
        read(Say, fields)


def test_the_words_are_in_no_log_of_the_request() -> None:
    assert "Hello" not in repr(Say(text="Hello."))
