"""What the caller of the latency bench says: human speech, with pauses where people make them."""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from errors import MissingError
from evals.simulators._ears import stretches
from evals.simulators.behaviour import Line
from providers.stt._loudness import FRAME_MS
from records.gate import Samples, speech

RATE_HZ = 16_000
SOUNDS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
_TEXTS = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")
_PER_MS = RATE_HZ // 1000
_FRAME = FRAME_MS * _PER_MS
_PAUSE_MS = 350
"""Silence that no prompt has inside a word."""
_SILENCE = np.zeros(RATE_HZ // 2, np.int16)
_JOIN_MS = 60
"""Between two prompts that are said in one breath."""

_PLAIN = (
    "conf-extended", "followme/options", "vm-dialout", "conf-getpin", "check-number-dial-again",
    "demo-nomatch", "feature-not-avail-line", "vm-savefolder", "conf-waitforleader", "tt-weasels",
    "please-try-call-later", "conf-placeintoconf", "enter-num-blacklist", "confbridge-invalid",
    "vm-nonumber", "vm-nobodyavail", "speed-dial-empty", "conf-now-recording", "vm-whichbox",
    "followme/pls-hold-while-try", "number-not-answering", "confbridge-lock-no-join",
    "cannot-complete-as-dialed", "dir-nomatch", "privacy-prompt", "conf-onlyperson",
    "vm-passchanged", "tt-monkeysintro", "queue-callswaiting", "vm-tempgreetactive",
    "conf-nonextended", "vm-sorry", "transfer", "sorry-youre-having-problems", "vm-changeto",
    "privacy-incorrect",
)  # fmt: skip
"""Sentences said in one breath."""

_PAUSED = (
    "if-correct-press 600 vm-star-cancel",
    "confbridge-leave-in 700 vm-helpexit",
    "vm-num-i-have 500 digits/5 digits/5 digits/2 600 digits/9 digits/1 digits/4",
    "confbridge-mute-in 800 vm-then-pound",
    "telephone-number 550 digits/4 digits/1 digits/7 650 digits/2 digits/0 digits/8 vm-isonphone",
    "queue-quantity1 650 digits/12 queue-quantity2",
    "to-extension 600 digits/6 digits/0 500 digits/3 digits/9",
    "conf-thereare 700 digits/3 conf-otherinparty",
    "confbridge-lock-in 550 vm-tocancelmsg",
    "vm-from-phonenumber 500 digits/8 digits/2 digits/1 750 digits/4 digits/4 digits/0",
    "queue-holdtime 600 digits/10 queue-minutes",
    "conf-enteringno 800 digits/7 digits/1 digits/6",
    "confbridge-menu-exit-in 500 vm-starmain",
    "privacy-to-blacklist-last-caller 700 letters/b letters/a 600 letters/k letters/e",
    "vm-theperson 650 digits/2 digits/0 digits/4 vm-isunavail",
    "at-tone-time-exactly 550 digits/9 digits/oclock",
    "vm-from-extension 500 digits/1 digits/2 700 digits/8 digits/5",
    "confbridge-menu-exit-out 600 vm-reachoper",
)
"""Sentences and spelled numbers with pauses inside: prompts, and pauses between them in ms."""


@dataclass(frozen=True)
class Saying:
    """One turn of the caller."""

    text: str
    audio: bytes
    """int16 LE mono at 16 kHz; begins and ends with speech, 10 ms of silence before it aside."""
    lines: tuple[Line, ...]
    """What a recogniser hears of it, a line for each stretch between pauses."""
    pauses: int
    """How many pauses are inside."""

    @property
    def secs(self) -> float:
        """How long it takes to say."""
        return len(self.audio) / 2 / RATE_HZ


@dataclass(frozen=True)
class _Prompt:
    text: str
    samples: Samples


def sayings(count: int, *, pause_ms: int = 350) -> list[Saying]:
    """The first `count` turns, about a third of them with pauses inside; repeated if need be.

    Args:
        count: How many.
        pause_ms: The pause at which the recogniser ends a line.

    Raises:
        MissingError: The prompts are not installed.
    """
    if not (SOUNDS.exists() and _TEXTS.exists()):
        raise MissingError(
            "The test speech is not on this machine: "
            "`apt-get install asterisk-core-sounds-en-wav asterisk-core-sounds-en`."
        )
    texts = _texts()
    scripts = _mixed(_PLAIN, _PAUSED)
    wanted = [scripts[number % len(scripts)] for number in range(count)]
    made = {script: _said(script, texts, pause_ms) for script in dict.fromkeys(wanted)}
    return [made[script] for script in wanted]


def timed_lines(
    audio: bytes, spans: Sequence[tuple[str, int, int]], *, pause_ms: int
) -> tuple[Line, ...]:
    """The lines that a recogniser hears, each word ending when it was said.

    Args:
        audio: int16 LE mono at 16 kHz.
        spans: A text and where it is said, from and to, in ms. Its words are spread over what is
            voiced there in proportion to their letters.
        pause_ms: The pause at which the recogniser ends a line.
    """
    heard = [
        (at_ms, line, (number + 1) * FRAME_MS)
        for line, voiced in enumerate(stretches(audio, sample_rate_hz=RATE_HZ, pause_ms=pause_ms))
        for number, at_ms in enumerate(voiced)
    ]
    lines: dict[int, list[tuple[str, int]]] = {line: [] for _, line, _ in heard}
    for text, start_ms, end_ms in spans:
        inside = [moment for moment in heard if start_ms < moment[0] <= end_ms + FRAME_MS]
        for word, share in _shares(text) if inside else []:
            _, line, voiced_ms = inside[max(0, round(share * len(inside)) - 1)]
            lines[line].append((word, voiced_ms))
    return tuple(
        Line(text=" ".join(word for word, _ in said), ends_ms=tuple(ms for _, ms in said))
        for said in lines.values()
    )


def _shares(text: str) -> list[tuple[str, float]]:
    """Each word, and how much of the text's letters it and those before it have."""
    words = text.split()
    total = sum(map(len, words))
    return [(word, sum(map(len, words[: n + 1])) / total) for n, word in enumerate(words)]


def _mixed(plain: Sequence[str], paused: Sequence[str]) -> list[str]:
    """Two plain ones, one paused, and so on."""
    mixed: list[str] = []
    for number in range(max((len(plain) + 1) // 2, len(paused))):
        mixed += [*plain[2 * number : 2 * number + 2], *paused[number : number + 1]]
    return mixed


def _texts() -> dict[str, str]:
    """What each prompt says, in small letters and without punctuation, as it tells the ending."""
    table: dict[str, str] = {}
    for line in gzip.decompress(_TEXTS.read_bytes()).decode("utf-8", "replace").splitlines():
        name, colon, text = line.partition(":")
        if colon and not line.startswith(";"):
            table[name.strip()] = " ".join(re.findall(r"[\w'-]+", text.lower()))
    return table


def _said(script: str, texts: dict[str, str], pause_ms: int) -> Saying:
    pieces: list[Samples] = []
    spans: list[tuple[str, int, int]] = []
    length, gap_ms, pauses = 0, 0, 0
    for word in script.split():
        if word.isdigit():
            gap_ms, pauses = int(word), pauses + 1
            continue
        prompt = _prompt(word, texts[word])
        pieces += [np.zeros(gap_ms * _PER_MS, np.int16), prompt.samples]
        start = length + gap_ms * _PER_MS
        length = start + len(prompt.samples)
        spans.append((prompt.text, start // _PER_MS, length // _PER_MS))
        gap_ms = _JOIN_MS
    audio = np.concatenate(pieces).astype("<i2").tobytes()
    if length // _FRAME % 2 == 0:
        audio, spans = bytes(2 * _FRAME) + audio, [_later(span) for span in spans]
    lines = timed_lines(audio, spans, pause_ms=pause_ms)
    return Saying(" ".join(text for text, _, _ in spans), audio, lines, pauses)


def _later(span: tuple[str, int, int]) -> tuple[str, int, int]:
    """A turn is an odd number of frames: its final is then due as a packet of 20 ms arrives."""
    text, start_ms, end_ms = span
    return text, start_ms + FRAME_MS, end_ms + FRAME_MS


def _prompt(name: str, text: str) -> _Prompt:
    """A prompt, cut where both the simulated recogniser and the judge hear its last sound."""
    from pipelines.headless import read_speech

    samples = np.frombuffer(read_speech(SOUNDS / f"{name}.wav"), "<i2")
    start = speech(samples, RATE_HZ)[0][0] // _FRAME * _FRAME
    kept = samples[start:]
    while (end := _end(kept)) < len(kept):
        kept = kept[:end]
    return _Prompt(text, kept)


def _end(samples: Samples) -> int:
    """The end of the 10 ms in which speech is last heard by whoever hears less of it."""
    audio = samples.astype("<i2").tobytes()
    heard_ms = stretches(audio, sample_rate_hz=RATE_HZ, pause_ms=_PAUSE_MS)[-1][-1]
    judged = -(-speech(_in_silence(samples), RATE_HZ)[-1][1] // _FRAME) * _FRAME
    return min(heard_ms * _PER_MS, judged - len(_SILENCE), len(samples) // _FRAME * _FRAME)


def _in_silence(samples: Samples) -> Samples:
    return np.concatenate((_SILENCE, samples, _SILENCE))
