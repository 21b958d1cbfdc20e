"""What a listener says to show that they listen, and other judgements about a few words. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

_ALIKE = 0.75
"""Of the words of two transcripts; a final one corrects a word or two of a partial."""
_ALIKE_LETTERS = 0.9
"""Of their letters: "check up" and "checkup" have no word in common."""
_NODS = """
    uh-huh uhhuh uh huh mm-hm mmhm mm-hmm mmhmm mhm mm mmm hm hmm hmmm um er erm ah oh right yeah
    yep yup yes ok okay sure alright good great fine cool nice wow really exactly
"""
_NOD_WORDS = frozenset(_NODS.split())
_NOD_PAIRS = frozenset({"i see", "got it", "all right", "of course", "i know"})
_NOD_BEGINNINGS = frozenset(pair.split()[0] for pair in _NOD_PAIRS)
"""Words of a partial transcript that may still become a pair."""
_URGENT = re.compile(
    r"\b(stop|wait|no|nope|hold on|hang on|excuse me|sorry|pardon|listen|actually|hello)\b"
)


def plain(text: str) -> list[str]:
    """Its words, without case and punctuation."""
    return re.findall(r"[^\W_][\w'-]*", text.lower().replace("\u2019", "'"))


def is_backchannel(text: str) -> bool:
    """Whether it only says "I am listening"."""
    words = plain(text)
    index = 0
    while index < len(words):
        if " ".join(words[index : index + 2]) in _NOD_PAIRS:
            index += 2
        elif words[index] in _NOD_WORDS or " ".join(words[index:]) in _NOD_BEGINNINGS:
            index += 1
        else:
            return False
    return bool(words)


def is_urgent(text: str) -> bool:
    """Whether it asks for silence, whatever else is in it."""
    return bool(_URGENT.search(" ".join(plain(text))))


def repeats(text: str, said: Sequence[str], *, echo: bool) -> bool:
    """Whether the bot just said those words itself.

    Fewer than three words prove nothing unless the sound is like the bot's too.
    """
    words, bots = plain(text), plain(" ".join(said))
    if len(words) < (1 if echo else 3):
        return False
    return any(_echoes(words, bots[at:]) for at in range(len(bots) - len(words) + 1))


def _echoes(words: list[str], bots: list[str]) -> bool:
    """Whether they are the first of those; an echo is often cut at both ends, within a word."""
    last = len(words) - 1
    return (
        bots[0].endswith(words[0])
        and words[1:last] == bots[1:last]
        and bots[last].startswith(words[last])
    )


def fresh(text: str, before: str) -> str:
    """What is new in a transcript that may begin with words of the turn before."""
    words, old = plain(text), plain(before)
    return " ".join(words[len(old) :] if words[: len(old)] == old else words)


def similar(text: str, other: str) -> bool:
    """Whether the two are the same words, give or take a correction, or a space."""
    words, others = plain(text), plain(other)
    if SequenceMatcher(None, words, others).ratio() >= _ALIKE:
        return True
    return SequenceMatcher(None, "".join(words), "".join(others)).ratio() >= _ALIKE_LETTERS


def is_part(text: str, whole: str) -> bool:
    """Whether those words stand in the others, side by side."""
    words, others = plain(text), plain(whole)
    ends = range(len(words), len(others) + 1)
    return bool(words) and any(others[end - len(words) : end] == words for end in ends)
