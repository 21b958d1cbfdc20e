"""Words after which more is coming, and words that may be all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.unfinished import Expects, Reason, asked_for, complete, unfinished

pytestmark = pytest.mark.unit

MORE: dict[Reason, list[str]] = {
    Reason.SPELLING: [
        "b r o w n",
        "B. R. O.",
        "My name is Smith, that's S-M-I",
        "s for sugar",
        "S as in sugar, M as in",
        "it's capital b r",
        "bravo romeo oscar",
        "B",
    ],
    Reason.DIGITS: [
        "555",
        "555 01",
        "five five five",
        "My number is five.",
        "it's 555, 01",
        "oh two oh seven nine four six",
        "+44 20",
        "double five one",
        "415 555 01",
        "my phone number is 41",
        "the code is double",
        "zero one two three four five six seven",
    ],
    Reason.ADDRESS: [
        "john dot smith at",
        "John.smith@",
        "john smith at gmail",
        "it's john@example",
        "john underscore",
        "www",
        "www dot example",
        "my e-mail is john dot",
    ],
    Reason.FILLER: [
        "um",
        "I would like, uh",
        "On Tuesday, er...",
        "it's about the, you know",
        "Hmm.",
        "Let me see.",
        "hold on",
        "well",
        "yes um",
    ],
    Reason.CLAUSE: [
        "And.",
        "I need to see the",
        "it's my",
        "My name is.",
        "my name's",
        "the problem is",
        "I want to",
        "I'd like",
        "I'd like to.",
        "if you could",
        "if you could help me",
        "when I",
        "on Tuesday or",
        "I'm calling about",
        "Could you?",
        "can I",
        "I was wondering",
        "I need",
        "tomorrow at",
        "on Monday, the",
        "I was thinking...",
        "on Tuesday,",
        "because",
        "I live in",
        "at half past",
        "it is",
        "I think",
        "so",
        "and they",
        "I spoke to Mr.",
        "my phone number",
        "it is currently",
        "I would like a new",
    ],
}

COMPLETE = [
    "",
    "...",
    "yes",
    "No.",
    "tomorrow at four",
    "Tomorrow at four p.m.",
    "that's it",
    "yes I am",
    "no, it isn't",
    "I think so",
    "uh-huh",
    "mm-hmm",
    "okay",
    "Right.",
    "two",
    "at 4:30",
    "at ten thirty",
    "nineteen ninety nine",
    "in 1999",
    "it costs 1,200",
    "room 12",
    "My name is Brown, B R O W N",
    "I would like a check-up.",
    "What time is it?",
    "who is it for?",
    "where are you from",
    "how are you",
    "are they",
    "turn it on",
    "when can I come in?",
    "I live in the USA",
    "John at example dot com",
    "john.smith@example.com",
    "john dot smith at example dot co dot uk",
    "it's www dot example dot com",
    "five five five oh one four two",
    "555-0142",
    "+1 415 555 0142",
    "oh two oh seven nine four six oh nine five eight",
    "415 555 0142",
    "5 5 5 please",
    "call 911",
    "the fourth of May",
    "I would love to",
    "thank you",
    "if you come on Tuesday I will be there",
    "I want to cancel my appointment",
    "vitamin C",
    "let me know",
    "what is your phone number?",
    "I would like to change my phone number",
    "that's not my number",
    "could you please call me back",
]


@pytest.mark.parametrize(
    ("text", "reason"), [(text, reason) for reason, texts in MORE.items() for text in texts]
)
def test_more_is_coming(text: str, reason: Reason) -> None:
    assert unfinished(text) is reason


@pytest.mark.parametrize("text", COMPLETE)
def test_these_words_may_be_all(text: str) -> None:
    assert unfinished(text) is None


@pytest.mark.parametrize(
    ("expects", "text", "reason"),
    [
        (Expects.PHONE, "four", Reason.DIGITS),
        (Expects.PHONE, "it's twenty one, four", Reason.DIGITS),
        (Expects.PHONE, "sure, one second", Reason.FILLER),
        (Expects.PHONE, "the mobile one", Reason.DIGITS),
        (Expects.PHONE, "555 0142", None),
        (Expects.PHONE, "555 01 42, thank you", None),
        (Expects.PHONE, "Why do you need that?", None),
        (Expects.PHONE, "I don't have one", None),
        (Expects.PHONE, "actually I would rather come by", None),
        (Expects.EMAIL, "john", Reason.ADDRESS),
        (Expects.EMAIL, "John Smith.", Reason.ADDRESS),
        (Expects.EMAIL, "j", Reason.SPELLING),
        (Expects.EMAIL, "john dot smith", Reason.ADDRESS),
        (Expects.EMAIL, "john smith at example", Reason.ADDRESS),
        (Expects.EMAIL, "john smith at example dot com", None),
        (Expects.EMAIL, "John@example.org.", None),
        (Expects.NAME, "John Brown", None),
        (Expects.NAME, "b", Reason.SPELLING),
        (Expects.NAME, "my name is", Reason.CLAUSE),
        (Expects.NAME, "Brown, b r o w n", None),
        (Expects.CODE, "12", Reason.DIGITS),
        (Expects.CODE, "1 2 3 4", None),
        (Expects.CODE, "it's 1 2 3 4.", None),
        (Expects.CODE, "S W 1 A", None),
        (Expects.NUMBER, "4 7 1", Reason.DIGITS),
        (Expects.NUMBER, "four seven one one five five six", None),
        (Expects.BIRTH_DATE, "the third of May", Reason.DIGITS),
        (Expects.BIRTH_DATE, "May 3rd", Reason.DIGITS),
        (Expects.BIRTH_DATE, "May 3rd, 1984", None),
        (Expects.BIRTH_DATE, "third of may nineteen eighty four", None),
        (Expects.BIRTH_DATE, "3.5.1984", None),
        (Expects.BIRTH_DATE, "3rd of May 84", None),
    ],
)
def test_a_part_of_what_was_asked_for_is_not_enough(
    expects: Expects, text: str, reason: Reason | None
) -> None:
    assert unfinished(text, expects=expects) is reason


@pytest.mark.parametrize(
    ("bot_text", "expects"),
    [
        ("May I have your name, please?", Expects.NAME),
        ("Could you spell that for me?", Expects.NAME),
        ("Thank you, John. What is your phone number?", Expects.PHONE),
        ("What's the best number to reach you?", Expects.PHONE),
        ("And your e-mail address, please.", Expects.EMAIL),
        ("Can you tell me your email?", Expects.EMAIL),
        ("When were you born?", Expects.BIRTH_DATE),
        ("What is your date of birth?", Expects.BIRTH_DATE),
        ("Please give me your order number.", Expects.NUMBER),
        ("What is the PIN?", Expects.CODE),
        ("I have your phone number. When would you like to come?", None),
        ("My name is Ada. How can I help you?", None),
        ("We are open until five.", None),
        ("", None),
    ],
)
def test_what_the_bot_asks_for_is_told_by_its_last_question(
    bot_text: str, expects: Expects | None
) -> None:
    assert asked_for(bot_text) is expects


@pytest.mark.parametrize(
    ("expects", "text", "all_of_it"),
    [
        (Expects.PHONE, "555 01 42", False),
        (Expects.PHONE, "020 7946 0123 45", True),
        (Expects.PHONE, "it's 555 01", False),
        (Expects.PHONE, "555 01 42 and", False),
        (Expects.PHONE, "I don't have one", False),
        (Expects.EMAIL, "john at example dot com", True),
        (Expects.EMAIL, "john at example", False),
        (Expects.CODE, "one two three four", False),
        (Expects.BIRTH_DATE, "third of may 1984", True),
        (Expects.BIRTH_DATE, "third of may", False),
        (Expects.NUMBER, "4 7 1 1 5 5 6", False),
        (Expects.NAME, "John Brown", False),
        (None, "555 01 42", False),
        (Expects.PHONE, "", False),
    ],
)
def test_all_of_it_is_known_by_the_words(
    expects: Expects | None, text: str, all_of_it: bool
) -> None:
    assert complete(text, expects) is all_of_it


expectations = st.none() | st.sampled_from(Expects)
said = st.lists(
    st.sampled_from([text for texts in MORE.values() for text in texts] + COMPLETE), max_size=3
).map(" ".join)


@given(st.text(), expectations)
def test_any_text_can_be_judged(text: str, expects: Expects | None) -> None:
    assert unfinished(text, expects=expects) in {None, *Reason}
    assert asked_for(text) in {None, *Expects}


@given(said, expectations)
def test_neither_case_nor_a_full_stop_is_a_proof(text: str, expects: Expects | None) -> None:
    text = text.rstrip(" .,")
    verdict = unfinished(text.lower(), expects=expects)
    assert unfinished(f"{text.upper()}.", expects=expects) is verdict
    assert unfinished(f"  {text} ", expects=expects) is verdict


@given(said, st.sampled_from(["um", "Uhm,", "er", "you know", "Let me see."]), expectations)
def test_a_filler_holds_whatever_was_said_before(
    text: str, filler: str, expects: Expects | None
) -> None:
    assert unfinished(f"{text} {filler}", expects=expects) is Reason.FILLER


@given(
    st.sampled_from(["yes", "No.", "Okay!", "that's it", "no thank you", "Uh-huh"]), expectations
)
def test_short_complete_answers_never_hold(text: str, expects: Expects | None) -> None:
    assert unfinished(text, expects=expects) is None


@given(st.lists(st.sampled_from("123456789"), min_size=1, max_size=9))
def test_a_phone_number_holds_until_it_has_seven_digits(digits: list[str]) -> None:
    reason = unfinished(" ".join(digits), expects=Expects.PHONE)
    if "".join(digits) in {"911", "112", "999"}:
        return
    assert reason is (None if len(digits) == 7 else Reason.DIGITS)
