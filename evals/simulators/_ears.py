"""Scripted ears: they hear when speech begins and ends; what is said is a script's.

Time is the audio itself, so the same audio gives the same events, however it is cut.
"""

from __future__ import annotations

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


Event = Began | Heard | LikelyEnd | Resumed | Ended


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
    final_ms: float
    interim_at_ms: int
    voiced_ms: int = 0
    said: list[Word] = field(default_factory=list[Word])
    given: int = 0
    """How many of those `finalize` gave."""
    announced: bool = False

    def say(self, at_ms: int) -> None:
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
        script: Iterator[str],
        random: Random,
        *,
        sample_rate_hz: int,
        patience: Patience,
    ) -> None:
        self._settings = settings
        self._script = script
        self._random = random
        self._patience = patience
        self._frame_bytes = sample_rate_hz * FRAME_MS // 1000 * 2
        self._scrap = b""
        self._loud_frames = 0
        self._loud_at_ms = -_DIP_MS
        self._line: _Line | None = None
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
            events += self._pause(self._line)
        return events

    def _speech(self) -> list[Event]:
        if self._line is None:
            final_ms = self._settings.final.draw_secs(self._random) * 1000
            first_at_ms = self.now_ms + self._settings.interim_ms
            self._line = _Line(next(self._script).split(), final_ms, first_at_ms)
            return [Began(self.now_ms)]
        if not self._line.announced:
            return []
        self._line.announced = False
        return [Resumed(self.now_ms, self._line.heard(self.now_ms))]

    def _speak(self, line: _Line) -> None:
        if self._quiet_ms > _DIP_MS:
            return
        line.voiced_ms += FRAME_MS
        while line.rest and line.voiced_ms >= self._takes_ms(len(line.said) + 1):
            line.say(self.now_ms)

    def _takes_ms(self, words: int) -> float:
        return words * 1000 / self._settings.words_per_sec

    def _interim(self, line: _Line) -> list[Event]:
        if self.now_ms < line.interim_at_ms:
            return []
        line.interim_at_ms += self._settings.interim_ms
        return [Heard(self.now_ms, line.heard(self.now_ms - self._settings.lag_ms))]

    def _pause(self, line: _Line) -> list[Event]:
        if self._quiet_ms >= self._patience.end_ms(line.final_ms):
            return self._end(line)
        likely_ms = self._patience.likely_ms
        if likely_ms is None or line.announced or self._quiet_ms < likely_ms(line.final_ms):
            return []
        line.announced = bool(words := line.heard(self.now_ms))
        return [LikelyEnd(self.now_ms, words)] if words else []

    def _end(self, line: _Line) -> list[Event]:
        """The rest of the line, though there was no time to say it."""
        changed = line.announced and bool(line.rest)
        while line.rest:
            line.say(self.now_ms)
        self._line = None
        words = line.heard(self.now_ms)
        ended = Ended(self.now_ms, words)
        return [Resumed(self.now_ms, words), ended] if changed else [ended]
