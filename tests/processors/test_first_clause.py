"""Where a reply may be cut so that the voice can begin."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.utils.text.base_text_aggregator import TextType

from processors.first_clause import FirstClauseAggregator, first_clause_end

pytestmark = pytest.mark.unit


async def spoken(*replies: str) -> list[str]:
    """What is handed to the voice of replies that come word by word."""
    aggregator = FirstClauseAggregator()
    pieces: list[str] = []
    for reply in replies:
        for token in re.findall(r"\s*\S+", reply):
            async for piece in aggregator.aggregate(token):
                assert piece.type == TextType.SENTENCE
                pieces.append(piece.text)
        if rest := await aggregator.flush():
            pieces.append(rest.text)
    return pieces


@pytest.mark.parametrize(
    ("reply", "pieces"),
    [
        pytest.param(
            "Thank you for calling the dental practice, how can I help you today?",
            ["Thank you for calling the dental practice,", "how can I help you today?"],
            id="at a comma",
        ),
        pytest.param(
            "We are open from nine to five on Monday and Tuesday.",
            ["We are open from nine to five", "on Monday and Tuesday."],
            id="before a phrase",
        ),
        pytest.param(
            "Yes, we have a slot on Tuesday at half past ten.",
            ["Yes, we have a slot", "on Tuesday at half past ten."],
            id="not after one word",
        ),
        pytest.param(
            "It costs $1,200 at 10:30, or later; ask us.",
            ["It costs $1,200 at 10:30,", "or later; ask us."],
            id="not within a number",
        ),
        pytest.param(
            "Sure. What time would you like to come in?",
            ["Sure.", "What time would you like to come in?"],
            id="a short sentence is a clause",
        ),
        pytest.param("Hello there!", ["Hello there!"], id="short"),
        pytest.param(
            "Dr. Smith has one opening, the last of the day.",
            ["Dr. Smith has one opening,", "the last of the day."],
            id="an abbreviation ends no sentence",
        ),
        pytest.param(
            "One two three, four five six. Seven eight nine, ten eleven twelve thirteen.",
            ["One two three,", "four five six.", "Seven eight nine, ten eleven twelve thirteen."],
            id="only the first",
        ),
        pytest.param(
            "Unbelievably big fat old ugly dogs eat green sour fruit all morning every single "
            "spring day.",
            [
                "Unbelievably big fat old ugly dogs eat green sour fruit all morning",
                "every single spring day.",
            ],
            id="no end in sight",
        ),
    ],
)
async def test_pieces(reply: str, pieces: list[str]) -> None:
    assert await spoken(reply) == pieces


async def test_each_reply_has_a_first_clause() -> None:
    reply = "I have found it, thank you."
    assert await spoken(reply, reply) == ["I have found it,", "thank you."] * 2


async def test_an_interruption_begins_anew() -> None:
    aggregator = FirstClauseAggregator()
    assert [p.text async for p in aggregator.aggregate("I have found it, and")] == [
        "I have found it,"
    ]
    await aggregator.handle_interruption()
    assert await aggregator.flush() is None
    assert [p.text async for p in aggregator.aggregate("Oh well I see, so")] == ["Oh well I see,"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("We are open,", id="the comma may be within a number"),
        pytest.param("One two, three four", id="two words"),
        pytest.param("Wait a moment. Then, after that, ", id="a sentence comes first"),
        pytest.param("We are open on Monday, and Tuesday.", id="the rest is two words"),
    ],
)
def test_no_cut_yet(text: str) -> None:
    assert first_clause_end(text) is None


VOCABULARY = (
    *("the", "of", "a", "dentist", "Monday,", "at", "nine;", "and", "10:30", "Dr.", "who"),
    *("yes.", "really?", "1,200", "open", "for"),
)
words = st.lists(
    st.sampled_from(VOCABULARY),
    min_size=1,
    max_size=40,
)


@given(words)
def test_a_cut_lies_between_words_and_early(heard: list[str]) -> None:
    text = " ".join(heard)
    end = first_clause_end(text)
    if end is not None:
        clause = text[:end].split()
        assert text[end] == " "
        assert len(clause) >= 3
        assert clause[-1].lower() not in {"the", "of", "a", "and", "at", "for", "who"}


@given(words, st.integers(1, 12))
async def test_no_word_is_lost(heard: list[str], size: int) -> None:
    text = " ".join(heard)
    aggregator = FirstClauseAggregator()
    pieces: list[str] = []
    for start in range(0, len(text), size):
        pieces += [piece.text async for piece in aggregator.aggregate(text[start : start + size])]
    if rest := await aggregator.flush():
        pieces.append(rest.text)
    assert " ".join(pieces).split() == heard
