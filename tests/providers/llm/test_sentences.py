from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.llm._sentences import Sentences, fit

pytestmark = pytest.mark.unit


def spoken(pieces: list[str], *, complete: bool) -> str:
    sentences = Sentences()
    return "".join(map(sentences.feed, pieces)) + sentences.finish(complete=complete)


@given(st.lists(st.text(alphabet="ab .!?'")))
def test_a_complete_reply_comes_out_as_it_is(pieces: list[str]) -> None:
    assert spoken(pieces, complete=True) == "".join(pieces)


@given(st.lists(st.text(alphabet="ab .!?'")))
def test_a_cut_reply_is_a_beginning_of_it(pieces: list[str]) -> None:
    assert "".join(pieces).startswith(spoken(pieces, complete=False))


@pytest.mark.parametrize(
    ("reply", "heard"),
    [
        ("We open at nine. On Friday we cl", "We open at nine."),
        ("Yes! It is 9.50. Come", "Yes! It is 9.50."),
        ("We open at nine. We close at six.", "We open at nine. We close at six."),
        ("A first sentence that never", "A first sentence that never"),
        ('He said "no." And th', 'He said "no."'),
    ],
)
def test_a_reply_that_hits_its_limit_ends_with_a_sentence(reply: str, heard: str) -> None:
    assert spoken(list(reply), complete=False) == heard


def test_the_first_sentence_is_not_held_back() -> None:
    sentences = Sentences()
    assert [sentences.feed(piece) for piece in ("We ", "open.", " At", " nine.", " Or")] == [
        "We ",
        "open.",
        "",
        "",
        " At nine.",
    ]


def talk(count: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"{number:010}"} for number in range(count)]


def test_a_history_that_fits_is_left_alone() -> None:
    assert fit(talk(20), head=4, max_chars=200) == talk(20)


def test_the_oldest_turns_go_and_the_opening_stays() -> None:
    messages = talk(40)
    assert fit(messages, head=4, max_chars=300) == messages[:4] + messages[20:]


def test_what_is_dropped_stays_the_same_for_many_turns() -> None:
    starts = {fit(talk(count), head=4, max_chars=300)[4]["content"] for count in range(31, 47)}
    assert len(starts) == 1


@given(st.integers(1, 60), st.integers(0, 10), st.integers(0, 400))
def test_the_last_message_always_stays(count: int, head: int, max_chars: int) -> None:
    assert fit(talk(count), head=head, max_chars=max_chars)[-1] == talk(count)[-1]
