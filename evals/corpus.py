"""Human speech to test with, from Debian's packages: nothing synthetic, nothing committed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from errors import MissingError
from evals.noises import Noise, noises
from evals.prompts import PER_MS, RATE_HZ, Piece, Word, cut, joined, piece, prompt, recording
from records.gate import Samples, speech

__all__ = ["LIBRIVOX", "Clip", "Noise", "Utterance", "librivox", "noises", "utterances"]

_TESTDATA = Path("/usr/share/pocketsphinx/test/data")
LIBRIVOX = _TESTDATA / "librivox"

Kind = Literal["sentence", "pause", "spelled"]

_SHORT = {
    "cards/001.wav": "ten of clubs",
    "cards/003.wav": "seven of clubs",
    "cards/005.wav": "eight of spades four of clubs seven of hearts",
    "goforward.raw": "go forward ten meters",
    "something.raw": "go somewhere and do something",
}
_SENTENCES = (
    "all-circuits-busy-now", "cannot-complete-as-dialed", "conf-extended", "conf-full",
    "conf-getpin", "conf-lockednow", "conf-onlyperson", "conf-waitforleader",
    "confbridge-invalid", "confbridge-lock-no-join", "dir-nomatch", "feature-not-avail-line",
    "number-not-answering", "please-try-call-later", "privacy-incorrect", "speed-dial-empty",
    "sorry-youre-having-problems", "transfer", "vm-nobodyavail", "vm-passchanged",
)  # fmt: skip
_BROKEN = (
    "agent-newlocation", "check-number-dial-again", "conf-getchannel",
    "conf-noempty", "conf-placeintoconf", "confbridge-only-participant", "demo-nomatch",
    "enter-num-blacklist", "followme/pls-hold-while-try", "followme/sorry", "privacy-prompt",
    "confbridge-pin-bad", "privacy-unident", "queue-callswaiting", "vm-tempgreetactive",
)  # fmt: skip
"""Sentences in which a pause is put between two words."""
_CARRIED = (
    "confbridge-leave-in vm-star-cancel", "confbridge-menu-exit-in vm-starmain",
    "confbridge-lock-in vm-tocancelmsg", "queue-thereare digits/12", "queue-holdtime digits/10",
    "at-tone-time-exactly digits/9", "if-correct-press digits/1", "auth-thankyou privacy-prompt",
)  # fmt: skip
"""A beginning and the rest, with a pause between."""
_NUMBER_CARRIERS = ("telephone-number", "vm-from-phonenumber", "vm-num-i-have")
_DIGIT_GROUPS = ((3, 2, 2), (3, 4), (3, 3, 4), (2, 2, 3), (3, 3, 2, 2))
_NAMES = ("bro wn", "smi th", "wal ker", "jon es", "k o w a l", "mey er", "ni el sen", "hu g o")
_GAP_MS, _DIGITS_GAP_MS, _JOIN_MS = (400, 1200), (400, 900), (40, 90)
_SEED = 4


@dataclass(frozen=True)
class Clip:
    """A recording and what is said in it."""

    path: Path
    text: str


@dataclass(frozen=True)
class Utterance:
    """One turn of a caller, made of recordings of humans."""

    name: str
    kind: Kind
    """`pause`: with a pause inside a sentence; `spelled`: digits or letters in groups."""
    samples: Samples
    """int16 mono at 16 kHz; what follows it is silence."""
    words: tuple[Word, ...]
    end_ms: int
    """The end of the caller's last word, by energy."""
    asked: str = ""
    """What the bot said before, where it asked for what is spelled."""

    @property
    def text(self) -> str:
        """What is said."""
        return " ".join(word.text for word in self.words)


def librivox() -> list[Clip]:
    """Five sentences of an audiobook, 3 to 7 s, from Debian's `pocketsphinx-testdata` (BSD-2).

    Raises:
        MissingError: The package is not installed.
    """
    listing = LIBRIVOX / "transcription"
    if not listing.exists():
        raise MissingError(
            "The test speech is not on this machine: `apt-get install pocketsphinx-testdata`."
        )
    clips: list[Clip] = []
    for line in listing.read_text("utf-8").splitlines():
        said, _, name = line.rpartition("(")
        path = LIBRIVOX / f"{name.strip(' )')}.wav"
        text = said.replace("<s>", "").replace("</s>", "").strip()
        if path.exists():
            # The listing has a word that the reader does not say.
            clips.append(Clip(path, text.replace("more a amiable", "more amiable")))
    return sorted(clips, key=lambda clip: clip.path)


@cache
def utterances() -> tuple[Utterance, ...]:
    """Turns of which it is known when they are over; the same at every call.

    Raises:
        MissingError: A package is not installed.
    """
    chance = random.Random(_SEED)
    return (*_sentences(), *_pauses(chance), *_spelled(chance))


def _sentences() -> list[Utterance]:
    """Said in one breath, by four people; pauses are the speaker's own."""
    read = [_utterance(clip.path.stem[-4:], "sentence", said) for clip, said in _read()]
    short = [
        _utterance(name, "sentence", piece(_testdata(name), text)) for name, text in _SHORT.items()
    ]
    return [*read, *short, *(_utterance(name, "sentence", prompt(name)) for name in _SENTENCES)]


def _pauses(chance: random.Random) -> list[Utterance]:
    """With one pause of 0.4 to 1.2 s at the boundary of two words."""
    made: list[Utterance] = []
    for clip, said in _read():
        count = len(said.words)
        for after in (count // 3, 2 * count // 3):
            made.append(_broken(f"{clip.path.stem[-4:]}/{after}", said, after, chance=chance))
    for name in _BROKEN:
        said = prompt(name)
        made.append(_broken(name, said, chance.randint(1, len(said.words) - 1), chance=chance))
    for names in _CARRIED:
        pieces = [prompt(name) for name in names.split()]
        whole = joined(pieces, [chance.randint(*_GAP_MS)])
        made.append(_utterance(names, "pause", whole))
    return made


def _spelled(chance: random.Random) -> list[Utterance]:
    """Numbers and names in groups, half of them because the bot has asked."""
    made: list[Utterance] = []
    for number in range(20):
        groups = [
            [f"digits/{chance.randint(0, 9)}" for _ in range(size)]
            for size in _DIGIT_GROUPS[number % len(_DIGIT_GROUPS)]
        ]
        if number % 2:
            carrier = _NUMBER_CARRIERS[number % len(_NUMBER_CARRIERS)]
            made.append(_grouped([[carrier], *groups], "", chance))
        else:
            made.append(_grouped(groups, "What is your phone number?", chance))
    for name in _NAMES:
        groups = [[f"letters/{letter}" for letter in group] for group in name.split()]
        made.append(_grouped(groups, "Could you spell your name for me?", chance))
    for name in _NAMES[:4]:
        groups = [[f"phonetic/{letter}_p" for letter in group] for group in name.split()]
        made.append(_grouped(groups, "Could you spell your name for me?", chance))
    return made


def _grouped(groups: list[list[str]], asked: str, chance: random.Random) -> Utterance:
    names = [name for group in groups for name in group]
    firsts = {sum(map(len, groups[:number])) for number in range(len(groups))}
    gaps_ms = [
        chance.randint(*(_DIGITS_GAP_MS if number in firsts else _JOIN_MS))
        for number in range(1, len(names))
    ]
    whole = joined([prompt(name) for name in names], gaps_ms)
    return _utterance(" ".join(names), "spelled", whole, asked=asked)


def _broken(name: str, said: Piece, after: int, *, chance: random.Random) -> Utterance:
    return _utterance(name, "pause", joined(cut(said, after), [chance.randint(*_GAP_MS)]))


def _utterance(name: str, kind: Kind, said: Piece, *, asked: str = "") -> Utterance:
    quiet = np.zeros(RATE_HZ // 2, np.int16)
    end_ms = speech(np.concatenate((said.samples, quiet)), RATE_HZ)[-1][1] // PER_MS
    words = tuple(Word(word.text, min(word.end_ms, end_ms)) for word in said.words)
    return Utterance(name, kind, said.samples, words, end_ms, asked)


def _read() -> list[tuple[Clip, Piece]]:
    return [
        (clip, piece(recording(clip.path, package="pocketsphinx-testdata"), clip.text))
        for clip in librivox()
    ]


def _testdata(name: str) -> Samples:
    return recording(_TESTDATA / name, package="pocketsphinx-testdata")
