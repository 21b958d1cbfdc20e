"""Sounds of a caller who does not want the word: coughs, noises, "right".

Recorded, but for the coughs and cleared throats: no Debian package of a sensible size has one.
Those are shaped noise, and say so. The short words are cut from a human's telephone prompts.
"""

from __future__ import annotations

import tempfile
import wave
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from evals.prompts import PER_MS, RATE_HZ, Piece, cut, in_room, joined, prompt, recording
from records.gate import Samples, speech

_SHARE = Path("/usr/share")
_FOLDERS = {
    "sound-icons": _SHARE / "sounds" / "sound-icons",
    "sound-theme-freedesktop": _SHARE / "sounds" / "freedesktop" / "stereo",
    "tuxpaint-data": _SHARE / "tuxpaint" / "sounds",
    "heroes-sound-effects": _SHARE / "games" / "heroes" / "sfx",
    "asterisk-core-sounds-en-wav": _SHARE / "asterisk" / "sounds" / "en_US_f_Allison",
    "pocketsphinx-testdata": _SHARE / "pocketsphinx" / "test" / "data" / "librivox",
}
_RECORDED = {
    "sound-icons": (
        "canary-long", "cembalo-1", "cembalo-12", "cymbaly-1", "glass-water-1", "guitar-12",
        "percussion-28", "percussion-50", "piano-3", "pipe", "trumpet-1", "violoncello-7",
        "xylofon",
    ),
    "sound-theme-freedesktop": (
        "bell", "camera-shutter", "dialog-warning", "message", "phone-outgoing-busy",
        "trash-empty",
    ),
    "tuxpaint-data": ("click", "eraser1", "line_end", "paint4", "stamp", "typewriterbell"),
    "heroes-sound-effects": ("clock01", "coins", "foule1"),
    "asterisk-core-sounds-en-wav": ("ascending-2tone", "beep"),
}  # fmt: skip
"""Music, bells, beeps, glass, clocks, a shutter, tools on paper, a crowd; by Debian package."""
_REPEATED = (("sound-icons", "percussion-12", 3, 160), ("tuxpaint-data", "keyclick", 8, 90))
"""Knocking and typing: a sound, how often, and the pause between in ms."""
_PEAK = 11_000
"""As loud as a caller's voice; many of the recordings are louder."""
_BREATH_GAIN = 4.0
"""The reader kept away from the microphone."""


@dataclass(frozen=True)
class Noise:
    """A sound after which the bot goes on."""

    name: str
    kind: Literal["cough", "noise", "backchannel"]
    """`cough` is whatever else comes from a throat: a laugh, a breath."""
    samples: Samples
    """int16 mono at 16 kHz."""
    text: str = ""
    """What a recogniser hears in it."""
    synthetic: bool = False

    @property
    def audio(self) -> bytes:
        """int16 LE mono at 16 kHz."""
        return self.samples.astype("<i2").tobytes()

    @property
    def path(self) -> Path:
        """A WAV file of it, written among the temporary files when first asked for."""
        folder = Path(tempfile.gettempdir()) / "offhook-noises"
        folder.mkdir(exist_ok=True)
        path = folder / f"{self.kind}-{self.name}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE_HZ)
            file.writeframes(self.audio)
        return path


@cache
def noises() -> tuple[Noise, ...]:
    """All of them, the kinds mixed, so that any first part of it has every kind.

    Raises:
        MissingError: A package is not installed.
    """
    kinds = [_coughs() + _breaths(), _backchannels(), _recorded()]
    shares = [(place / len(kind), noise) for kind in kinds for place, noise in enumerate(kind)]
    return tuple(noise for _, noise in sorted(shares, key=lambda share: share[0]))


def _recorded() -> list[Noise]:
    single = [
        Noise(name, "noise", _level(_load(package, name)))
        for package, names in _RECORDED.items()
        for name in names
    ]
    repeated = [
        Noise(f"{name}-{times}", "noise", _level(_repeat(_load(package, name), times, gap_ms)))
        for package, name, times, gap_ms in _REPEATED
    ]
    return single + repeated


def _backchannels() -> list[Noise]:
    """Short words of agreement by one woman; "okay" and "I see" are read from letters."""
    right = [cut(prompt(f"letters/{name}"), 1)[0] for name in ("ascii93", "ascii125")]
    em = prompt("letters/m").samples
    mm = Piece(em[len(em) * 6 // 10 :], ())
    okay, see = (_run_together(f"letters/{a}", f"letters/{b}") for a, b in ("ok", "ic"))
    oh = prompt("digits/oh")
    made: list[tuple[str, list[Piece]]] = [
        ("right", [right[0]]),
        ("mm", [mm]),
        ("okay", [okay]),
        ("oh", [oh]),
        ("right right", right),
        ("mm mm", [mm, mm]),
        ("i see", [see]),
        ("right", [right[1]]),
        ("oh okay", [oh, okay]),
        ("okay right", [okay, right[0]]),
        ("oh i see", [oh, see]),
    ]
    noises = [
        Noise(f"{text.replace(' ', '-')}-{number}", "backchannel", _said(pieces), text)
        for number, (text, pieces) in enumerate(made)
    ]
    yeah = _level(_load("heroes-sound-effects", "ho_yeh"))
    return [*noises, Noise("oh-yeah", "backchannel", yeah, "oh yeah")]


def _coughs() -> list[Noise]:
    laugh = Noise("giggle", "cough", _level(_load("tuxpaint-data", "giggle")))
    coughs = [
        Noise(f"cough-{number}", "cough", _level(_cough(number, bursts)), synthetic=True)
        for number, bursts in enumerate((1, 2, 2, 3))
    ]
    throats = [
        Noise(f"throat-{number}", "cough", _level(_throat(number)), synthetic=True)
        for number in range(3)
    ]
    return [laugh, *coughs, *throats]


def _breaths() -> list[Noise]:
    """What the LibriVox reader does before she begins, made louder."""
    made: list[Noise] = []
    for path in sorted(_FOLDERS["pocketsphinx-testdata"].glob("*.wav"))[:3]:
        samples = recording(path, package="pocketsphinx-testdata")
        before = samples[: speech(samples, RATE_HZ)[0][0]].astype(np.float64)
        made.append(Noise(f"breath-{path.stem[-4:]}", "cough", _whole(before * _BREATH_GAIN)))
    return made


def _cough(seed: int, bursts: int) -> Samples:
    """Each burst: a sharp onset, 60 ms of loud noise, and a hoarse decay of 200 ms."""
    random = np.random.default_rng(seed)
    parts: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
    for _ in range(bursts):
        at_ms = np.arange(280 * PER_MS) / PER_MS
        envelope = np.minimum(at_ms / 6, 1) * np.exp(-np.maximum(at_ms - 60, 0) / 55)
        rasp = 1 + 0.6 * np.sin(2 * np.pi * (110 + 20 * seed) * at_ms / 1000)
        parts += [_coloured(random.normal(size=len(at_ms))) * envelope * rasp]
        parts += [np.zeros(int(random.integers(60, 160)) * PER_MS)]
    return _whole(np.concatenate(parts) * _PEAK / 4)


def _throat(seed: int) -> Samples:
    """Half a second of noise that a slow vibration of 35 to 60 Hz opens and closes."""
    random = np.random.default_rng(seed)
    at_ms = np.arange((400 + 100 * seed) * PER_MS) / PER_MS
    envelope = np.sin(np.pi * at_ms / at_ms[-1]) ** 0.7
    rattle = np.maximum(0, np.sin(2 * np.pi * (35 + 12 * seed) * at_ms / 1000)) ** 2
    return _whole(_coloured(random.normal(size=len(at_ms))) * envelope * rattle * _PEAK / 4)


def _coloured(
    hiss: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """White noise as a mouth lets it out: most of it between 300 and 2500 Hz."""
    spectrum = np.fft.rfft(hiss)
    hertz = np.fft.rfftfreq(len(hiss), 1 / RATE_HZ)
    shape = (hertz / 300) / (1 + (hertz / 300) ** 2) + 1 / (1 + ((hertz - 1500) / 500) ** 2)
    return np.fft.irfft(spectrum * shape, len(hiss))


def _run_together(first: str, second: str) -> Piece:
    return joined([prompt(first), prompt(second)], [0])


def _said(pieces: list[Piece]) -> Samples:
    return _level(joined(pieces, [90] * (len(pieces) - 1)).samples)


def _repeat(samples: Samples, times: int, gap_ms: int) -> Samples:
    return np.tile(np.concatenate((samples, np.zeros(gap_ms * PER_MS, np.int16))), times)


def _load(package: str, name: str) -> Samples:
    suffix = "oga" if package == "sound-theme-freedesktop" else "wav"
    return recording(_FOLDERS[package] / f"{name}.{suffix}", package=package)


def _level(samples: Samples) -> Samples:
    """At most two seconds of it, as loud as speech, in a quiet room."""
    part = samples[: 2 * RATE_HZ].astype(np.float64)
    return in_room(_whole(part * _PEAK / max(1.0, float(np.abs(part).max()))))


def _whole(samples: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Samples:
    return np.clip(samples, -32768, 32767).astype(np.int16)
