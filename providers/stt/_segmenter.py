"""Decides what to transcribe and when: the thinking of a recogniser that hears whole segments.

A segment is what lies between the VAD's start and stop, and a little before. While it lasts,
all of it is transcribed again every half second (partials). As soon as it falls quiet it is
transcribed once more; if nothing louder follows, that is the final text when the VAD stops,
150 ms later, and nobody had to wait for it.

Time is the audio itself: nothing here looks at a clock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from providers.stt._loudness import FRAME_MS, Loudness, LoudnessTuning, level_db


class Kind(Enum):
    """Why a stretch of audio is transcribed."""

    PARTIAL = "partial"
    QUIET = "quiet"
    FINAL = "final"


@dataclass(frozen=True, eq=False)
class Job:
    """Audio to transcribe; hand the text to `Segmenter.decoded`. Jobs are done in order."""

    kind: Kind
    audio: bytes = field(repr=False)
    segment: int
    """Number of the segment, counted from 1."""


@dataclass(frozen=True)
class Partial:
    """What the segment sounds like so far."""

    text: str


@dataclass(frozen=True)
class LikelyEnd:
    """The caller may have finished: the text, before the VAD says so."""

    text: str


@dataclass(frozen=True)
class Resumed:
    """The caller went on after a `LikelyEnd`."""


@dataclass(frozen=True)
class Final:
    """A segment's text for good; empty when there was nothing to hear."""

    text: str
    speaking: bool
    """Whether the caller still speaks, in the same segment (cut for its length) or the next."""


Event = Job | Partial | LikelyEnd | Resumed | Final


@dataclass(frozen=True)
class SegmenterTuning:
    """Times in milliseconds of audio."""

    preroll_ms: int = 600
    """Kept from before the VAD's start, which comes at least 200 ms into the speech."""
    lead_ms: int = 200
    """Of the pre-roll, no more than this before its first loud frame is transcribed."""
    partial_ms: int = 500
    """Between partials; a tenth of the segment where that is longer."""
    quiet_ms: int = 100
    """Quiet after which the segment is transcribed at once."""
    likely_end_ms: int = 180
    """Quiet after which that text is announced."""
    resume_ms: int = 50
    """Loud enough, for this long, is the caller going on."""
    min_voiced_ms: int = 120
    """Less speech than this is a click, a knock, a breath: nothing was said."""
    max_segment_ms: int = 20_000
    """A longer segment is cut at its quietest point of late."""
    cut_window_ms: int = 3_000
    """How far back that point may be."""
    loudness: LoudnessTuning = field(default_factory=LoudnessTuning)


class Segmenter:
    """Turns audio and the VAD's verdicts into jobs, and the jobs' texts into events."""

    def __init__(self, sample_rate_hz: int, tuning: SegmenterTuning | None = None) -> None:
        self._tuning = tuning or SegmenterTuning()
        self._frame_bytes = sample_rate_hz * FRAME_MS // 1000 * 2
        self._clear()

    def _clear(self) -> None:
        self._rest = b""
        self._audio = bytearray()
        self._levels_db: deque[float] = deque(maxlen=self._tuning.cut_window_ms // FRAME_MS)
        self._loudness = Loudness(self._tuning.loudness)
        self._speaking = False
        self._segment = 0
        self._running = 0
        self._next_partial_ms = 0
        self._last_partial = ""
        self._lull: Job | None = None
        self._lull_text: str | None = None
        self._announced = False
        self._awaited: set[Job] = set()

    @property
    def speaking(self) -> bool:
        """Whether the VAD hears speech."""
        return self._speaking

    def audio(self, chunk: bytes) -> list[Event]:
        """Take the next audio, int16 LE mono, of any length."""
        events: list[Event] = []
        data = self._rest + chunk
        whole = len(data) - len(data) % self._frame_bytes
        self._rest = data[whole:]
        for start in range(0, whole, self._frame_bytes):
            frame = data[start : start + self._frame_bytes]
            self._audio += frame
            self._levels_db.append(self._loudness.feed(level_db(frame)))
            events += self._advance() if self._speaking else self._forget()
        return events

    def speech_started(self) -> list[Event]:
        """Take the VAD's word that the caller speaks."""
        if self._speaking:
            return []
        self._speaking = True
        self._open_segment()
        levels = list(self._levels_db)
        onset = self._loudness.begin(levels[max(0, len(levels) - self._heard_frames()) :])
        before_onset = onset - self._tuning.lead_ms // FRAME_MS
        del self._audio[: max(0, before_onset) * self._frame_bytes]
        return self._withdraw()

    def speech_stopped(self) -> list[Event]:
        """Take the VAD's word that the caller has stopped."""
        if not self._speaking:
            return []
        self._speaking = False
        lull, text = self._lull, self._lull_text
        self._lull = self._lull_text = None
        if lull is None:
            return self._final(len(self._audio))
        del self._audio[: len(lull.audio)]
        self._forget()
        if text is not None:
            return [Final(text, speaking=False)]
        self._awaited.add(lull)
        return []

    def wants(self, job: Job) -> bool:
        """Whether the text of `job` would still be used; the caller may skip the work if not."""
        if job.kind is Kind.PARTIAL:
            return job.segment == self._segment and self._speaking and self._lull is None
        return job is self._lull or job in self._awaited

    def decoded(self, job: Job, text: str) -> list[Event]:
        """Take the text of a job; call it for each, in order, also when it failed (`""`)."""
        self._running = max(0, self._running - 1)
        if not self.wants(job):
            return []
        if job in self._awaited:
            self._awaited.discard(job)
            return [Final(text, speaking=self._speaking)]
        events = self._partial(text)
        if job.kind is Kind.PARTIAL:
            # A slow machine gets fewer partials: they may fill half of the time, no more, or the
            # text that is waited for stands behind one.
            took_ms = (len(self._audio) - len(job.audio)) // self._frame_bytes * FRAME_MS
            self._next_partial_ms = max(self._next_partial_ms, self._ms() + took_ms)
        if job.kind is Kind.QUIET:
            self._lull_text = text
            events += self._announce()
        return events

    def reset(self) -> None:
        """Forget everything, as when the microphone is muted; texts on their way are dropped."""
        segment = self._segment
        self._clear()
        self._segment = segment

    def _heard_frames(self) -> int:
        return len(self._audio) // self._frame_bytes

    def _ms(self) -> int:
        return self._heard_frames() * FRAME_MS

    def _open_segment(self) -> None:
        self._segment += 1
        self._lull = self._lull_text = None
        self._last_partial = ""
        self._next_partial_ms = self._tuning.partial_ms

    def _forget(self) -> list[Event]:
        """Keep no more than the pre-roll."""
        kept = self._tuning.preroll_ms // FRAME_MS * self._frame_bytes
        del self._audio[: max(0, len(self._audio) - kept)]
        return []

    def _advance(self) -> list[Event]:
        """Judge the segment after one more frame of it."""
        if self._lull is not None:
            if self._loudness.loud_ms >= self._tuning.resume_ms:
                self._lull = self._lull_text = None
                return self._withdraw()
            return self._announce()
        if self._loudness.voiced_ms < self._tuning.min_voiced_ms:
            return []
        if self._loudness.quiet_ms >= self._tuning.quiet_ms:
            self._lull = self._job(Kind.QUIET, len(self._audio))
            return [self._lull]
        if self._ms() >= self._tuning.max_segment_ms:
            return self._cut()
        due = self._ms() >= self._next_partial_ms and not self._running
        if due and not self._loudness.quiet_ms:
            interval_ms = max(self._tuning.partial_ms, self._ms() // 10)
            self._next_partial_ms = self._ms() + interval_ms
            return [self._job(Kind.PARTIAL, len(self._audio))]
        return []

    def _job(self, kind: Kind, end: int) -> Job:
        self._running += 1
        return Job(kind, bytes(self._audio[:end]), self._segment)

    def _final(self, end: int) -> list[Event]:
        """End the segment at byte `end` with a decode of its own."""
        if self._loudness.voiced_ms < self._tuning.min_voiced_ms:
            self._forget()
            return [Final("", speaking=self._speaking)]
        job = self._job(Kind.FINAL, end)
        self._awaited.add(job)
        del self._audio[:end]
        return [job]

    def _cut(self) -> list[Event]:
        """Split a segment that has become too long where it was quietest of late."""
        levels = list(self._levels_db)
        levels = levels[-self._heard_frames() + 1 :]
        quietest = min(range(len(levels)), key=levels.__getitem__)
        keep = (len(levels) - 1 - quietest) * self._frame_bytes
        events = self._final(len(self._audio) - keep)
        self._open_segment()
        self._loudness.begin(levels[quietest + 1 :])
        return events

    def _partial(self, text: str) -> list[Event]:
        if not text or text == self._last_partial:
            return []
        self._last_partial = text
        return [Partial(text)]

    def _announce(self) -> list[Event]:
        ripe = self._loudness.quiet_ms >= self._tuning.likely_end_ms
        if self._announced or not ripe or not self._lull_text:
            return []
        self._announced = True
        return [LikelyEnd(self._lull_text)]

    def _withdraw(self) -> list[Event]:
        if not self._announced:
            return []
        self._announced = False
        return [Resumed()]
