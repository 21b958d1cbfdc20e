"""Pieces of human speech: the telephone prompts of Debian's Asterisk packages, cut to fit."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from errors import MissingError
from records.gate import Samples, speech

RATE_HZ = 16_000
PER_MS = RATE_HZ // 1000
_SOUNDS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
_TEXTS = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")
_MARGIN_MS = 30
"""Kept around speech; the gate finds its edges within this."""
_FADE_MS = 8
_SEARCH_MS = 120
"""How far from its estimate the quietest moment between two words is looked for."""
_ROOM_DBFS = -66.0


@dataclass(frozen=True)
class Word:
    """A word, and when it is over."""

    text: str
    end_ms: int


@dataclass(frozen=True)
class Piece:
    """A recording without the silence around it, and its words."""

    samples: Samples
    """int16 mono at 16 kHz."""
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        """What is said."""
        return " ".join(word.text for word in self.words)


def recording(path: Path, *, package: str) -> Samples:
    """A recording of any format, as int16 mono at 16 kHz; headerless ones are that already.

    Raises:
        MissingError: It is not on this machine.
    """
    from pipelines.headless import read_speech

    if not path.exists():
        raise MissingError(f"{path.name} is not on this machine: `apt-get install {package}`.")
    if path.suffix == ".raw":
        return np.fromfile(path, "<i2")
    return np.frombuffer(read_speech(path), "<i2")


def piece(samples: Samples, text: str) -> Piece:
    """Cut the silence off; each word gets time in proportion to its letters."""
    runs = speech(samples, RATE_HZ)
    start = max(0, runs[0][0] - _MARGIN_MS * PER_MS)
    end = min(len(samples), runs[-1][1] + _MARGIN_MS * PER_MS)
    voiced = [(first - start, last - start) for first, last in runs]
    return Piece(_faded(samples[start:end]), _timed(text.split(), voiced))


@cache
def prompt(name: str) -> Piece:
    """A prompt by its name in Asterisk's list (`digits/5`).

    Raises:
        MissingError: The packages are not installed.
    """
    package = "asterisk-core-sounds-en-wav asterisk-core-sounds-en"
    return piece(recording(_SOUNDS / f"{name}.wav", package=package), _texts()[name])


def cut(whole: Piece, after: int) -> tuple[Piece, Piece]:
    """Cut after word number `after`, at the quietest moment near its end."""
    at = quietest(whole.samples, whole.words[after - 1].end_ms)
    at_ms = at // PER_MS
    head = tuple(Word(word.text, min(word.end_ms, at_ms)) for word in whole.words[:after])
    tail = tuple(Word(word.text, max(word.end_ms - at_ms, 0)) for word in whole.words[after:])
    return Piece(_faded(whole.samples[:at]), head), Piece(_faded(whole.samples[at:]), tail)


def quietest(samples: Samples, near_ms: int) -> int:
    """The sample near this time where a cut is heard least."""
    frame = 20 * PER_MS
    first = max(frame, (near_ms - _SEARCH_MS) * PER_MS)
    last = min(len(samples) - frame, (near_ms + _SEARCH_MS) * PER_MS)
    starts = range(first, max(first + 1, last), frame // 4)
    powers = [float(np.square(samples[at : at + frame].astype(np.float64)).sum()) for at in starts]
    return starts[int(np.argmin(powers))] + frame // 2


def joined(pieces: Sequence[Piece], gaps_ms: Sequence[int]) -> Piece:
    """One after the other, each but the first after its gap, in a quiet room."""
    parts: list[Samples] = []
    words: list[Word] = []
    length = 0
    for part, gap_ms in zip(pieces, [0, *gaps_ms], strict=True):
        gap = gap_ms * PER_MS
        parts += [np.zeros(gap, np.int16), part.samples]
        start_ms = (length + gap) // PER_MS
        words += [Word(word.text, start_ms + word.end_ms) for word in part.words]
        length += gap + len(part.samples)
    return Piece(in_room(np.concatenate(parts)), tuple(words))


def in_room(samples: Samples) -> Samples:
    """The same with a faint hiss: no microphone hears digital silence. Always the same hiss."""
    hiss = np.random.default_rng(1).normal(0, 32768 * 10 ** (_ROOM_DBFS / 20), len(samples))
    return np.clip(samples + hiss, -32768, 32767).astype(np.int16)


@cache
def _texts() -> dict[str, str]:
    """What each prompt says, in small letters without punctuation, as many recognisers tell it."""
    if not _TEXTS.exists():
        raise MissingError(
            "The text of the test speech is not on this machine: "
            "`apt-get install asterisk-core-sounds-en`."
        )
    table: dict[str, str] = {}
    for line in gzip.decompress(_TEXTS.read_bytes()).decode("utf-8", "replace").splitlines():
        name, colon, text = line.partition(": ")
        if colon and not line.startswith(";"):
            told = re.sub(r"\[.*?\]|\(.*?\)", "", text.lower())
            table[name.strip()] = " ".join(re.findall(r"[\w'-]+", told))
    return table


def _timed(words: Sequence[str], voiced: Sequence[tuple[int, int]]) -> tuple[Word, ...]:
    """Spread words over stretches of speech, given in samples."""
    letters = sum(len(word) for word in words)
    total = sum(last - first for first, last in voiced)
    timed: list[Word] = []
    said = 0
    for word in words:
        said += len(word)
        left = total * said / max(1, letters)
        end = voiced[-1][1]
        for first, last in voiced:
            if left <= last - first:
                end = first + left
                break
            left -= last - first
        timed.append(Word(word, round(end / PER_MS)))
    return tuple(timed)


def _faded(samples: Samples) -> Samples:
    """Without a click where it was cut."""
    fade = min(_FADE_MS * PER_MS, len(samples) // 2)
    ramp = np.ones(len(samples))
    if fade:
        ramp[:fade] = np.linspace(0, 1, fade)
        ramp[-fade:] = np.linspace(1, 0, fade)
    return (samples * ramp).astype(np.int16)
