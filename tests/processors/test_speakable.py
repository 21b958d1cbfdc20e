"""What the model wrote for the eye is said for the ear, and what is said already stays."""

from __future__ import annotations

import re
import string
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from processors.speakable import speakable, to_speech

pytestmark = pytest.mark.unit

_FRAGMENTS = [
    "$80", "£12.50", "80 EUR", "9:30", "14:00", "9 a.m.", "2026-11-23", "Nov 23", "23/11/2026",
    "**bold**", "`x = 1`", "- item", "1. item", "# Title", "| a | b |", "> quote", "```", "~~no~~",
    "info@example.com", "https://www.example.com/a?b=c", "[label](https://x.org)",
    "+1 555 010 1234",
    "e.g.", "Dr.", "etc.", "approx.", "50%", "3rd", "1990s", "5-10", "-5", "1,200.50", "3.14", "½",
    "😀", "👨‍👩‍👧", "…", "—", "&", "#1", "24/7", "5kg", "Mon-Fri", "&amp;", "<b>", "\n", "\n\n",
    "(", ")", "\N{EN DASH}",
    "*", "_", "'", '"', "no", "Sat", "at", "/", ":", ".", ",", "?", "!", "٣", "²", "°C", "\u200b",
]  # fmt: skip

_written = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=string.printable, max_size=60),
    st.lists(st.sampled_from(_FRAGMENTS), max_size=10).map(" ".join),
    st.lists(st.sampled_from(_FRAGMENTS), max_size=10).map("".join),
)


@given(_written)
@settings(max_examples=400, deadline=None)
@example("Ünïcode, naïve café; ﬁne")
@example("0" * 400)
@example("1" * 400 + "." + "2" * 400)
def test_is_idempotent_and_leaves_nothing_for_the_eye(text: str) -> None:
    said = speakable(text)

    assert speakable(said) == said
    assert not re.search(r"\d", said)
    signs = set(re.sub(r"[\w\s'.,;:!?-]", "", said))
    assert all(unicodedata.category(sign)[0] == "M" for sign in signs), said
    assert said == said.strip()
    assert not re.search(r"\s\s|\s[,.;:!?]|[,.;:!?]{2}", said)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("We are **open** _every_ day.", "We are open every day."),
        ("A check-up is $80.", "A check-up is eighty dollars."),
        ("Is Tuesday, November 24 at 10:15 fine?",
         "Is Tuesday, November twenty-fourth at ten fifteen fine?"),
        ("We open Mon-Fri 9:00-17:00.", "We open Monday to Friday nine AM to five PM."),
        ("See you on 2026-11-23.", "See you on the twenty-third of November twenty twenty-six."),
        ("Dr. Smith, e.g., is in.", "Doctor Smith, for example is in."),
        ("Bring your card, keys, etc.", "Bring your card, keys, et cetera."),
        ("It takes approx. 5 min.", "It takes approximately five minutes."),
        ("Great 😀! See you 🎉", "Great! See you"),
        ("I am happy :)", "I am happy"),
        ("He said “hello” (quietly) — and left…", "He said hello, quietly, and left."),
        ("Well... maybe.", "Well, maybe."),
        ("Mail info@smile-dental.com or visit https://www.smile.com/pricing.",
         "Mail info at smile dash dental dot com or visit smile dot com slash pricing."),
        ("Call 555-010-1234.", "Call five five five, zero one zero, one two three four."),
        ("Prices:\n\n- Check-up: $80\n- Filling: $90\n\nAnything else?",
         "Prices: Check-up: eighty dollars. Filling: ninety dollars. Anything else?"),
        ("Run this:\n\n```python\nprint(1)\n```\n\nThen wait.", "Run this: Then wait."),
        ("Salt &amp; pepper &lt;3", "Salt and pepper"),
        ("he/she and/or they", "he or she and or they"),
        ("x = 2 + 3", "x equals two plus three"),
        ("Hello.How are you", "Hello. How are you"),
        ("Really?! Yes!!", "Really? Yes!"),
        ("the patients' room isn't free", "the patients' room isn't free"),
        ("9am \N{EN DASH} 5pm, Mon\N{EN DASH}Fri, £5\N{EM DASH}10",
         "nine AM to five PM, Monday to Friday, five to ten pounds"),
        ("3 \N{MULTIPLICATION SIGN} 4", "three by four"),
        ("now\N{EM DASH}or never", "now, or never"),
        ("क्या ३ बजे", "क्या three बजे"),
        ("😀", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_says(written: str, said: str) -> None:
    assert speakable(written) == said


def test_plain_words_come_back_as_they_are() -> None:
    words = "Your appointment is on Tuesday at nine thirty, with Doctor Smith. Shall I book it?"

    assert speakable(words) == words


async def test_is_a_text_transform_of_pipecat() -> None:
    assert await to_speech("$5", "sentence") == "five dollars"
