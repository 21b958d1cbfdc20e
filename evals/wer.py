"""Word error rate: how many words of what was said were heard wrongly, missed or made up."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import jiwer

from processors.speakable import speakable

_HESITATION = re.compile(r"\b(?:u+h+|u+m+|e+r+m*|h*m{2,})\b")
_NUMBER_AND = re.compile(r"\b(hundred|thousand|million|billion) and\b")
_ALIKE = {"ok": "okay", "mr": "mister", "mrs": "missus", "dr": "doctor", "til": "until"}
_ARTICULATED = re.compile(r"[^\w\s']|_")


@dataclass(frozen=True)
class WordErrors:
    """What became of the words that were said."""

    said: int
    substituted: int
    missed: int
    made_up: int

    @property
    def rate(self) -> float:
        """Errors for each word that was said; above 1 where more was made up than said."""
        return (self.substituted + self.missed + self.made_up) / max(self.said, 1)


def normalised(text: str) -> str:
    """Words alone, in one spelling: no case, no marks, no digits, no hesitations."""
    text = unicodedata.normalize("NFKC", speakable(text)).lower()
    text = _ARTICULATED.sub(" ", text)
    text = _HESITATION.sub(" ", _NUMBER_AND.sub(r"\1", text))
    words = (word.strip("'") for word in text.split())
    return " ".join(_ALIKE.get(word, word) for word in words if word)


def word_errors(said: Sequence[str], heard: Sequence[str]) -> WordErrors:
    """Compare sentence by sentence; words are not matched across sentences.

    Raises:
        ValueError: There are not as many sentences heard as said.
    """
    if len(said) != len(heard):
        raise ValueError(f"{len(said)} sentences were said, {len(heard)} are given as heard.")
    references, hypotheses = [*map(normalised, said)], [*map(normalised, heard)]
    compared = jiwer.process_words(references, hypotheses)
    return WordErrors(
        said=compared.hits + compared.substitutions + compared.deletions,
        substituted=compared.substitutions,
        missed=compared.deletions,
        made_up=compared.insertions,
    )


def word_error_rate(said: Sequence[str], heard: Sequence[str]) -> float:
    """Errors for each word said, over all sentences together.

    Raises:
        ValueError: There are not as many sentences heard as said.
    """
    return word_errors(said, heard).rate
