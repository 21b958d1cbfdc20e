"""Replies that end where a sentence ends, and histories that fit the model's window."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

_ENDS = re.compile(r"[.!?][\"')\]]*(?=\s)")
_LAST_END = re.compile(r"[.!?][\"')\]]*\s*$")
_STEP = 16
"""Messages dropped at a time: after each drop the model has to read the rest again."""

M = TypeVar("M", bound=Mapping[str, Any])


class Sentences:
    """Lets the first sentence through as it comes and each further one when it is whole.

    So a reply that reaches its length limit is cut between sentences and not within one.
    """

    def __init__(self) -> None:
        self._text = ""
        self._released = 0

    def feed(self, text: str) -> str:
        """Take the next words; return those that may be spoken now."""
        self._text += text
        ends = [found.end() for found in _ENDS.finditer(self._text)]
        return self._release(ends[-1] if ends else len(self._text))

    def finish(self, *, complete: bool) -> str:
        """Return what is left to speak: nothing of a sentence that the length limit cut."""
        whole = complete or _LAST_END.search(self._text)
        return self._release(len(self._text) if whole else self._released)

    def _release(self, end: int) -> str:
        start, self._released = self._released, max(self._released, end)
        return self._text[start : self._released]


def fit(messages: Sequence[M], *, head: int, max_chars: int) -> list[M]:
    """Drop the oldest messages after the first `head` until the rest is at most `max_chars`.

    The last message always stays. What is dropped grows in steps, so that from one request to
    the next the beginning is nearly always the same and need not be read again.
    """
    opening, talk = list(messages[:head]), list(messages[head:])
    dropped = 0
    while _chars(opening) + _chars(talk[dropped:]) > max_chars and dropped < len(talk) - 1:
        dropped = min(dropped + _STEP, len(talk) - 1)
    return opening + talk[dropped:]


def _chars(messages: Sequence[Mapping[str, Any]]) -> int:
    return sum(len(str(message.get("content") or "")) for message in messages)
