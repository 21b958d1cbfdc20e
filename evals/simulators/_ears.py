"""Scripted ears: they hear when speech begins and ends; what is said is a script's.

Time is the audio itself, so the same audio gives the same events, however it is cut.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from evals.simulators import behaviour
from providers.stt._loudness import FRAME_MS, level_db

_LOUD_DB = -36.0
"""Level that begins speech..."""
_QUIET_DB = -41.0
"""...and that below which it may have ended; above a room as loud as those of the test clips."""
_ONSET_FRAMES = 3
"""Loud frames in a row that are speech and no click."""
_DIP_MS = 120
"""Quiet inside a word; the speaker is still speaking."""


@dataclass(frozen=True)
class Word:
    """A word, and when in the audio it was said."""

    text: str
    start_ms: int
    end_ms: int


Words = tuple[Word, ...]


@dataclass(frozen=True)
class Began:
    """Somebody speaks."""

    at_ms: int


@dataclass(frozen=True)
class Heard:
    """What is understood so far of the line, without what a `finalize` gave already."""

    at_ms: int
    words: Words


@dataclass(frozen=True)
class LikelyEnd:
    """It is quiet, and the line may be over."""

    at_ms: int
    words: Words


@dataclass(frozen=True)
class Resumed:
    """It was not: what is understood so far."""

    at_ms: int
    words: Words


@dataclass(frozen=True)
class Ended:
    """The line is over: the rest of it."""

    at_ms: int
    words: Words


@dataclass(frozen=True)
class Finalized:
    """What `finalize_later` asked for."""

    at_ms: int
    words: Words


Event = Began | Heard | LikelyEnd | Resumed | Ended | Finalized


@dataclass(frozen=True)
class Patience:
    """How much quiet means what, given how long this line's final result is in coming."""

    end_ms: Callable[[float], float]
    """The line is over; a shorter pause is inside it."""
    likely_ms: Callable[[float], float] | None = None
    """The line may be over; None if that is not announced."""


@dataclass
class _Line:
    """One line of the script while it is said."""

    rest: list[str]
    ends_ms: list[float]
    """For each word, how much of the line is voiced by its end."""
    final_ms: float
    interim_at_ms: int
    voiced_ms: int = 0
    said: list[Word] = field(default_factory=list[Word])
    given: int = 0
    """How many of those `finalize` gave."""
    announced: bool = False

    def speak(self, at_ms: int, *, all_of_it: bool = False) -> None:
        """Say what is due by then, or the whole rest."""
        while self.rest and (all_of_it or self.voiced_ms >= self.ends_ms[len(self.said)]):
            self._say(at_ms)

    def _say(self, at_ms: int) -> None:
        """The next word has just been said."""
        start_ms = self.said[-1].end_ms if self.said else at_ms - self.voiced_ms
        self.said.append(Word(self.rest.pop(0), start_ms, at_ms))

    def heard(self, until_ms: int) -> Words:
        """Words said by then and not given yet."""
        return tuple(word for word in self.said[self.given :] if word.end_ms <= until_ms)


class Ears:
    """Feed it audio in order; it gives what a recogniser would say, and when.

    Args:
        settings: How late and how fast.
        script: The lines; one for each stretch of speech.
        random: Draws each line's latency.
        sample_rate_hz: Of the audio, int16 LE mono.
        patience: What a pause means.
    """

    def __init__(
        self,
        settings: behaviour.Ears,
        script: Iterator[str | behaviour.Line],
        random: Random,
        *,
        sample_rate_hz: int,
        patience: Patience,
    ) -> None:
        self.settings = settings
        """How it hears."""
        self._script = script
        self._random = random
        self._patience = patience
        self._frame_bytes = sample_rate_hz * FRAME_MS // 1000 * 2
        self._scrap = b""
        self._loud_frames = 0
        self._loud_at_ms = -_DIP_MS
        self._line: _Line | None = None
        self._asked: tuple[int, float] | None = None
        self.now_ms = 0
        """Audio heard."""

    def audio(self, chunk: bytes) -> list[Event]:
        """Hear the next audio, of any length."""
        data = self._scrap + chunk
        whole = len(data) - len(data) % self._frame_bytes
        self._scrap = data[whole:]
        events: list[Event] = []
        for start in range(0, whole, self._frame_bytes):
            events += self._hear(level_db(data[start : start + self._frame_bytes]))
        return events

    def finalize(self) -> Words:
        """Give what was said so far at once; the line may still go on."""
        if self._line is None:
            return ()
        words = self._line.heard(self.now_ms)
        self._line.given = len(self._line.said)
        return words

    def finalize_later(self) -> bool:
        """Like `finalize`, and as late as a final result comes: by `Finalized`.

        Returns:
            False if nothing is being said, so that there is nothing to wait for.
        """
        if self._line is None:
            return False
        self._asked = self.now_ms, self._loud_at_ms + self._line.final_ms
        return True

    @property
    def voiced(self) -> bool:
        """Whether the last 10 ms count as speech; short quiet after speech does."""
        return self._line is not None and self._quiet_ms <= _DIP_MS

    @property
    def _quiet_ms(self) -> int:
        return self.now_ms - self._loud_at_ms

    def _hear(self, frame_db: float) -> list[Event]:
        self.now_ms += FRAME_MS
        speaking = self._quiet_ms <= _DIP_MS
        loud = frame_db >= (_QUIET_DB if speaking else _LOUD_DB)
        self._loud_frames = self._loud_frames + 1 if loud else 0
        events: list[Event] = []
        if self._loud_frames >= (1 if speaking else _ONSET_FRAMES):
            self._loud_at_ms = self.now_ms
            events += self._speech()
        if self._line:
            self._speak(self._line)
            events += self._interim(self._line)
            events += self._answer(self._line)
            events += self._pause(self._line)
        return events

    def _speech(self) -> list[Event]:
        if self._line is None:
            final_ms = self.settings.final.draw_secs(self._random) * 1000
            first_at_ms = self.now_ms + self.settings.interim_ms
            self._line = self._next_line(final_ms, first_at_ms)
            return [Began(self.now_ms)]
        if not self._line.announced:
            return []
        self._line.announced = False
        return [Resumed(self.now_ms, self._line.heard(self.now_ms))]

    def _speak(self, line: _Line) -> None:
        if not self.voiced:
            return
        line.voiced_ms += FRAME_MS
        line.speak(self.now_ms)

    def _next_line(self, final_ms: float, first_at_ms: int) -> _Line:
        line = next(self._script)
        if isinstance(line, behaviour.Line):
            return _Line(line.text.split(), list(line.ends_ms), final_ms, first_at_ms)
        words = line.split()
        word_ms = 1000 / self.settings.words_per_sec
        ends_ms = [number * word_ms for number in range(1, len(words) + 1)]
        return _Line(words, ends_ms, final_ms, first_at_ms)

    def _interim(self, line: _Line) -> list[Event]:
        if self.now_ms < line.interim_at_ms:
            return []
        line.interim_at_ms += self.settings.interim_ms
        return [Heard(self.now_ms, line.heard(self.now_ms - self.settings.lag_ms))]

    def _answer(self, line: _Line) -> list[Event]:
        """Give what was asked for, once it is due: what had been said when it was asked."""
        if self._asked is None or self.now_ms < self._asked[1]:
            return []
        words = line.heard(self._asked[0])
        line.given += len(words)
        self._asked = None
        return [Finalized(self.now_ms, words)]

    def _pause(self, line: _Line) -> list[Event]:
        if self._quiet_ms >= self._patience.end_ms(line.final_ms):
            return self._end(line)
        likely_ms = self._patience.likely_ms
        if likely_ms is None or line.announced or self._quiet_ms < likely_ms(line.final_ms):
            return []
        line.announced = bool(words := line.heard(self.now_ms))
        return [LikelyEnd(self.now_ms, words)] if words else []

    def _end(self, line: _Line) -> list[Event]:
        """The line is over, and told to its last word."""
        changed = line.announced and bool(line.rest)
        line.speak(self.now_ms, all_of_it=True)  # though there was no time for it
        self._line = self._asked = None
        words = line.heard(self.now_ms)
        ended = Ended(self.now_ms, words)
        return [Resumed(self.now_ms, words), ended] if changed else [ended]


def stretches(audio: bytes, *, sample_rate_hz: int, pause_ms: int) -> list[list[int]]:
    """The stretches of speech that `Ears` hear in `audio`, each a line of the script.

    Args:
        audio: int16 LE mono.
        sample_rate_hz: Of it.
        pause_ms: How long a final result is in coming; a longer pause parts two stretches.

    Returns:
        For each, when each 10 ms of its speech was heard to the end: the n-th number (from 0) is
        where in the audio `10 * (n + 1)` ms of it were voiced.
    """
    settings = behaviour.Ears(lines=("",), final=behaviour.Latency(p50_ms=pause_ms))
    patience = Patience(end_ms=lambda final_ms: final_ms)
    script = itertools.repeat("")
    ears = Ears(settings, script, Random(0), sample_rate_hz=sample_rate_hz, patience=patience)
    found: list[list[int]] = []
    step = sample_rate_hz * FRAME_MS // 1000 * 2
    audio += bytes(step * (_DIP_MS // FRAME_MS + 1))
    for start in range(0, len(audio) // step * step, step):
        events = ears.audio(audio[start : start + step])
        if any(isinstance(event, Began) for event in events):
            found.append([])
        if found and ears.voiced:
            found[-1].append(ears.now_ms)
    # The quiet that follows the last loud 10 ms is none of the speech.
    return [voiced[: len(voiced) - _DIP_MS // FRAME_MS] for voiced in found]
