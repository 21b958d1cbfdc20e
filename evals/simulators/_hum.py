"""What a simulated voice says: a hum in chunks, and when in it each word begins. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from providers.tts._hum import hum

CHUNK_SECS = 0.1
_PITCH_HZ = 220.0
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Word:
    """A word and its times, from the beginning of the text's sound."""

    text: str
    start_secs: float
    end_secs: float


@dataclass(frozen=True)
class Chunk:
    """A piece of a text's sound."""

    audio: bytes
    """int16 LE mono."""
    start_secs: float
    """Where in the text's sound it begins."""
    secs: float
    letters: str
    """What is said in it: the letters of all chunks are the text."""
    words: tuple[Word, ...]
    """Those that begin in it."""


def word_times(text: str, *, char_secs: float) -> tuple[Word, ...]:
    """When each word is said if each character takes as long as any other."""
    return tuple(
        Word(found[0], found.start() * char_secs, found.end() * char_secs)
        for found in _WORD.finditer(text)
    )


def chunks(text: str, *, char_secs: float, sample_rate_hz: int) -> Iterator[Chunk]:
    """The sound of `text`, 100 ms at a time; nothing if it holds no word."""
    words = word_times(text, char_secs=char_secs)
    if not words:
        return
    audio = hum(text, char_secs=char_secs, pitch_hz=_PITCH_HZ, sample_rate_hz=sample_rate_hz)
    step = round(sample_rate_hz * CHUNK_SECS) * 2

    def sample_at(secs: float) -> int:
        return min(round(secs * sample_rate_hz), len(audio) // 2 - 1)

    for start in range(0, len(audio), step):
        piece = audio[start : start + step]
        here = range(start // 2, (start + step) // 2)
        yield Chunk(
            piece,
            start / 2 / sample_rate_hz,
            len(piece) / 2 / sample_rate_hz,
            "".join(c for i, c in enumerate(text) if sample_at(i * char_secs) in here),
            tuple(word for word in words if sample_at(word.start_secs) in here),
        )
