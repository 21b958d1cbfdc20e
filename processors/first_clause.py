"""Lets the voice begin with the first clause of a reply while the model still writes the rest."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from pipecat.utils.text.base_text_aggregator import Aggregation, TextType
from pipecat.utils.text.simple_text_aggregator import SimpleTextAggregator

_MIN_CLAUSE_WORDS = 3
"""Before a comma."""
_MIN_PHRASE_WORDS = 5
"""Before a word that may open a phrase."""
_MAX_PHRASE_WORDS = 12
"""Then the cut is made wherever it does not tear words apart that belong together."""
_MIN_REST_WORDS = 3
"""A sentence known to end sooner after the cut is better said in one breath."""

_WORD = re.compile(r"\S+")
_SENTENCE_END = re.compile(r"[.!?…][\"')\]]*$")
_CLAUSE_END = re.compile(r"[,;:][\"')\]]*$")
_ABBREVIATION = re.compile(r"^\W*(?:[A-Z]|Dr|Mr|Mrs|Ms|St|No|vs|approx|e\.g|i\.e)\.$")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_OPENS_PHRASE = _words(
    """
    after and as at because before but by during for from if in into on or since so that
    through until when where which while who with within without
    """
)
_LEANS_FORWARD = _OPENS_PHRASE | _words(
    """
    a about am an any are be been between can could did do does each every had has have her
    his how i is it its just may might more most must my no not of one our over per shall she
    should some than the their there these they this those to under very was we were what will
    would you your he
    """
)
"""A clause does not end on one of these."""


def first_clause_end(text: str) -> int | None:
    """Where the first clause of a reply that begins with `text` may be cut off, if anywhere yet.

    Args:
        text: The reply so far; more may follow at any character.

    Returns:
        The length of the clause. None when more words are needed, or when the first sentence is
        short enough to be said whole.
    """
    words = list(_WORD.finditer(text))
    unfinished = words.pop() if words and words[-1].end() == len(text) else None
    for count, word in enumerate(words, 1):
        if _SENTENCE_END.search(word.group()) and not _ABBREVIATION.match(word.group()):
            return None
        follower = words[count].group() if count < len(words) else None
        if _may_cut(count, word.group(), follower):
            rest = [match.group() for match in words[count:]]
            if unfinished:
                rest.append(unfinished.group())
            return None if _ends_soon(rest) else word.end()
    return None


def _may_cut(count: int, word: str, follower: str | None) -> bool:
    """Whether the reply may be cut after its word number `count`."""
    if _CLAUSE_END.search(word):
        return count >= _MIN_CLAUSE_WORDS
    if follower is None or _plain(word) in _LEANS_FORWARD:
        return False
    if count >= _MIN_PHRASE_WORDS and _plain(follower) in _OPENS_PHRASE:
        return True
    return count >= _MAX_PHRASE_WORDS and not (_is_name(word) and _is_name(follower))


def _ends_soon(rest: list[str]) -> bool:
    """Whether the sentence is seen to end within a few words."""
    return any(_SENTENCE_END.search(word) for word in rest[:_MIN_REST_WORDS])


def _plain(word: str) -> str:
    return word.strip("\"'()[],;:").lower()


def _is_name(word: str) -> bool:
    """Whether it is capitalised or a number: such words belong to their neighbours."""
    return word[:1].isupper() or word[:1].isdigit()


class FirstClauseAggregator(SimpleTextAggregator):
    """Emits the first clause of each reply as soon as it can be spoken, then whole sentences.

    Give it to Pipecat's `LLMTextProcessor(text_aggregator=...)`, between the model and the voice.
    """

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._begun = False

    async def aggregate(self, text: str) -> AsyncIterator[Aggregation]:
        """Take the reply's next characters; yield what can be spoken."""
        end = None if self._begun else first_clause_end(self._text + text)
        if end is not None:
            clause, text = (self._text + text)[:end], (self._text + text)[end:]
            await super().reset()
            self._begun = True
            yield Aggregation(clause.strip(), TextType.SENTENCE)
        async for sentence in super().aggregate(text):
            self._begun = True
            yield sentence

    async def flush(self) -> Aggregation | None:
        """Return the rest of the reply; the next text begins another."""
        self._begun = False
        return await super().flush()

    async def handle_interruption(self) -> None:
        """Drop the reply."""
        self._begun = False
        await super().handle_interruption()

    async def reset(self) -> None:
        """Drop the reply."""
        self._begun = False
        await super().reset()
