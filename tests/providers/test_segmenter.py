"""What is transcribed and when: scripted talkers, and any talker that hypothesis can think of."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.stt._segmenter import (
    Event,
    Final,
    Job,
    Kind,
    LikelyEnd,
    Partial,
    Resumed,
    Segmenter,
    SegmenterTuning,
)

pytestmark = pytest.mark.unit

RATE_HZ = 16_000
FRAME_BYTES = 320
START_LAG_MS = 250
STOP_LAG_MS = 250
SPEECH, QUIET = 6000, 4

Script = list[tuple[bool, int]]
"""Stretches of speech (True) and quiet, in milliseconds."""


def frame(index: int, *, speech: bool) -> bytes:
    """10 ms of audio that carries its own number in its first two samples."""
    samples = np.full(FRAME_BYTES // 2, SPEECH if speech else QUIET, "<i2")
    samples[1::2] *= -1
    samples[0], samples[1] = index // 100, index % 100
    return samples.tobytes()


def numbers(audio: bytes) -> list[int]:
    """Numbers of the frames that `audio` is made of."""
    samples = np.frombuffer(audio, "<i2").reshape(-1, FRAME_BYTES // 2)
    return [int(first) * 100 + int(second) for first, second in samples[:, :2]]


@dataclass
class Talk:
    """Plays a script to a segmenter, with a VAD that lags and a decoder that takes its time."""

    tuning: SegmenterTuning = field(default_factory=SegmenterTuning)
    decode_ms: int = 80
    chunk_frames: int = 2
    events: list[tuple[int, Event]] = field(default_factory=list[tuple[int, Event]])
    """With the time in milliseconds."""
    now_ms: int = 0
    said: str = "words"
    deaf: bool = False
    """Answer no job."""

    def __post_init__(self) -> None:
        self.segmenter = Segmenter(RATE_HZ, self.tuning)
        self._due: list[tuple[int, Job]] = []
        self._edges: list[tuple[int, bool]] = []

    def play(self, script: Script) -> Talk:
        frames: list[bytes] = []
        at_ms = 0
        for speech, length_ms in script:
            self._edge(at_ms, length_ms, speech=speech)
            frames += [frame((at_ms + ms) // 10, speech=speech) for ms in range(0, length_ms, 10)]
            at_ms += length_ms
        for start in range(0, len(frames), self.chunk_frames):
            chunk = frames[start : start + self.chunk_frames]
            self.now_ms += 10 * len(chunk)
            self._take(self.segmenter.audio(b"".join(chunk)))
            self._vad()
            self._decode(until_ms=self.now_ms)
        if not self.deaf:
            self._decode(until_ms=10**9)
        return self

    def jobs(self, kind: Kind) -> list[Job]:
        return [event for _, event in self.events if isinstance(event, Job) and event.kind is kind]

    def times(self, kind: Kind) -> list[int]:
        """When jobs of that kind were asked for."""
        jobs = self.jobs(kind)
        return [at for at, event in self.events if event in jobs]

    def finals(self) -> list[Final]:
        return [event for _, event in self.events if isinstance(event, Final)]

    def told(self) -> list[Event]:
        """All but the jobs and the partials."""
        return [event for _, event in self.events if not isinstance(event, Job | Partial)]

    def _edge(self, at_ms: int, length_ms: int, *, speech: bool) -> None:
        if speech and length_ms >= START_LAG_MS:
            self._edges.append((at_ms + START_LAG_MS, True))
        if not speech and length_ms >= STOP_LAG_MS:
            self._edges.append((at_ms + STOP_LAG_MS, False))

    def _vad(self) -> None:
        while self._edges and self._edges[0][0] <= self.now_ms:
            _, starts = self._edges.pop(0)
            segmenter = self.segmenter
            self._take(segmenter.speech_started() if starts else segmenter.speech_stopped())

    def _decode(self, *, until_ms: int) -> None:
        while not self.deaf and self._due and self._due[0][0] <= until_ms:
            _, job = self._due.pop(0)
            self._take(self.segmenter.decoded(job, self.said))

    def _take(self, events: list[Event]) -> None:
        for event in events:
            self.events.append((self.now_ms, event))
            if isinstance(event, Job):
                free_ms = self._due[-1][0] if self._due else self.now_ms
                self._due.append((max(free_ms, self.now_ms) + self.decode_ms, event))


def test_one_sentence() -> None:
    talk = Talk().play([(False, 1000), (True, 2000), (False, 1000)])
    assert talk.told() == [LikelyEnd("words"), Final("words", speaking=False)]
    assert [job.kind for job in talk.jobs(Kind.FINAL)] == []
    assert len(talk.jobs(Kind.QUIET)) == 1


def test_the_final_is_there_when_the_vad_stops() -> None:
    talk = Talk().play([(False, 1000), (True, 2000), (False, 1000)])
    at_ms = next(at for at, event in talk.events if isinstance(event, Final))
    assert at_ms == 3000 + STOP_LAG_MS + 10


def test_a_slow_decode_is_awaited_not_repeated() -> None:
    talk = Talk(decode_ms=400).play([(False, 1000), (True, 600), (False, 1500)])
    assert talk.told() == [Final("words", speaking=False)]
    assert talk.jobs(Kind.FINAL) == []


def test_partials_come_every_half_second() -> None:
    talk = Talk().play([(False, 1000), (True, 3000), (False, 500)])
    times = talk.times(Kind.PARTIAL)
    assert 5 <= len(times) <= 6
    assert {later - earlier for earlier, later in pairwise(times)} == {500}


def test_a_slow_machine_gets_fewer_partials() -> None:
    busy = Talk(decode_ms=600).play([(False, 1000), (True, 6000), (False, 500)])
    times = busy.times(Kind.PARTIAL)
    assert min(b - a for a, b in pairwise(times)) >= 1200


def test_the_same_words_are_told_once() -> None:
    talk = Talk().play([(False, 1000), (True, 3000), (False, 500)])
    assert [event for _, event in talk.events if isinstance(event, Partial)] == [Partial("words")]


def test_the_caller_goes_on_before_the_vad_stops() -> None:
    talk = Talk().play([(False, 1000), (True, 1000), (False, 230), (True, 1000), (False, 1000)])
    assert talk.told() == [
        LikelyEnd("words"),
        Resumed(),
        LikelyEnd("words"),
        Final("words", speaking=False),
    ]
    assert len(numbers(talk.jobs(Kind.QUIET)[-1].audio)) >= 220


def test_the_caller_goes_on_after_the_vad_stopped() -> None:
    talk = Talk().play([(False, 1000), (True, 1000), (False, 400), (True, 1000), (False, 1000)])
    assert talk.told() == [
        LikelyEnd("words"),
        Final("words", speaking=False),
        Resumed(),
        LikelyEnd("words"),
        Final("words", speaking=False),
    ]


def test_a_short_gap_is_part_of_the_word() -> None:
    talk = Talk().play([(False, 1000), (True, 500), (False, 80), (True, 500), (False, 1000)])
    assert talk.told() == [LikelyEnd("words"), Final("words", speaking=False)]


def test_the_pre_roll_brings_the_first_word_back() -> None:
    talk = Talk().play([(False, 2000), (True, 1000), (False, 1000)])
    first = numbers(talk.jobs(Kind.QUIET)[0].audio)[0]
    assert 170 <= first <= 200


def test_a_click_says_nothing() -> None:
    """The VAD insists, but there were no 120 ms of sound."""
    segmenter = Segmenter(RATE_HZ)
    for index in range(100):
        segmenter.audio(frame(index, speech=index in range(90, 98)))
    assert segmenter.speech_started() == []
    for index in range(100, 130):
        assert segmenter.audio(frame(index, speech=False)) == []
    assert segmenter.speech_stopped() == [Final("", speaking=False)]


def test_audio_that_ends_with_the_microphone_is_decoded_when_the_vad_stops() -> None:
    segmenter = Segmenter(RATE_HZ)
    for index in range(100):
        segmenter.audio(frame(index, speech=True))
    segmenter.speech_started()
    (job,) = segmenter.speech_stopped()
    assert isinstance(job, Job)
    assert job.kind is Kind.FINAL
    assert segmenter.decoded(job, "cut off") == [Final("cut off", speaking=False)]


def test_a_final_that_comes_late_knows_that_the_caller_speaks_again() -> None:
    talk = Talk(decode_ms=500).play([(False, 500), (True, 600), (False, 300), (True, 900)])
    assert talk.finals() == [Final("words", speaking=True)]


def test_a_speech_without_a_pause_is_cut_at_its_quietest() -> None:
    script: Script = [(False, 500), (True, 8000), (False, 60), (True, 2400), (False, 1000)]
    talk = Talk(tuning=SegmenterTuning(max_segment_ms=9000)).play(script)
    assert talk.finals() == [Final("words", speaking=True), Final("words", speaking=False)]
    heard = numbers(talk.jobs(Kind.FINAL)[0].audio)
    assert 850 <= heard[-1] <= 858


def test_a_failed_decode_says_nothing() -> None:
    talk = Talk(said="").play([(False, 1000), (True, 1000), (False, 1000)])
    assert talk.told() == [Final("", speaking=False)]


def test_work_for_nothing_is_refused() -> None:
    talk = Talk(deaf=True).play([(False, 1000), (True, 1000), (False, 50)])
    (partial,) = talk.jobs(Kind.PARTIAL)
    assert talk.segmenter.wants(partial)
    talk.play([(False, 200)])
    assert not talk.segmenter.wants(partial)
    assert talk.segmenter.decoded(partial, "late") == []


def test_reset_forgets_the_speech_and_the_texts_on_their_way() -> None:
    talk = Talk(deaf=True).play([(False, 1000), (True, 1000), (False, 200)])
    (quiet,) = talk.jobs(Kind.QUIET)
    talk.segmenter.reset()
    assert not talk.segmenter.speaking
    assert talk.segmenter.decoded(quiet, "late") == []
    assert talk.segmenter.speech_stopped() == []


def test_the_vad_may_repeat_itself() -> None:
    segmenter = Segmenter(RATE_HZ)
    assert segmenter.speech_stopped() == []
    segmenter.speech_started()
    assert segmenter.speech_started() == []


scripts = st.lists(st.tuples(st.booleans(), st.integers(1, 150).map(lambda n: n * 10)), max_size=12)


@given(scripts, st.integers(0, 700), st.integers(1, 7))
def test_any_talk_keeps_the_rules(script: Script, decode_ms: int, chunk_frames: int) -> None:
    talk = Talk(decode_ms=decode_ms, chunk_frames=chunk_frames).play(script)
    announced = False
    for _, event in talk.events:
        if isinstance(event, LikelyEnd | Resumed):
            assert announced != isinstance(event, LikelyEnd)
            announced = isinstance(event, LikelyEnd)
    audio = [numbers(job.audio) for job in talk.jobs(Kind.QUIET) + talk.jobs(Kind.FINAL)]
    for heard in audio:
        assert heard == list(range(heard[0], heard[-1] + 1))


@given(scripts, st.integers(0, 700))
def test_each_segment_ends_once_and_no_audio_is_heard_twice(script: Script, decode_ms: int) -> None:
    talk = Talk(decode_ms=decode_ms)
    stops = 0
    stopped = talk.segmenter.speech_stopped

    def count() -> list[Event]:
        nonlocal stops
        stops += talk.segmenter.speaking
        return stopped()

    talk.segmenter.speech_stopped = count
    talk.play(script)
    assert len(talk.finals()) == stops
    heard: list[int] = []
    by_segment = {
        job.segment: numbers(job.audio) for job in talk.jobs(Kind.QUIET) + talk.jobs(Kind.FINAL)
    }
    for _, frames in sorted(by_segment.items()):
        assert not heard or heard[-1] < frames[0]
        heard = frames


@given(scripts, st.integers(1, 50))
def test_how_the_audio_is_cut_up_does_not_matter(script: Script, chunk_frames: int) -> None:
    """As long as the VAD's word comes at the same sample, so with a VAD that never speaks up."""
    one = Segmenter(RATE_HZ)
    other = Segmenter(RATE_HZ)
    audio = b"".join(
        frame(index, speech=speech)
        for index, speech in enumerate(
            speech for speech, length_ms in script for _ in range(length_ms // 10)
        )
    )
    one.speech_started()
    other.speech_started()
    whole = one.audio(audio)
    size = chunk_frames * 37
    parts = [other.audio(audio[start : start + size]) for start in range(0, len(audio), size)]
    flat = [event for events in parts for event in events]
    assert [(type(e), getattr(e, "audio", "")) for e in flat] == [
        (type(e), getattr(e, "audio", "")) for e in whole
    ]
