"""The scripted ears: what they say, and when, follows from the audio alone."""

from __future__ import annotations

import itertools
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.simulators import behaviour
from evals.simulators._ears import (
    Began,
    Ears,
    Ended,
    Event,
    Finalized,
    Heard,
    LikelyEnd,
    Patience,
    Resumed,
    Words,
    stretches,
)
from tests.support.ears import sentence
from tests.support.speech import EDGES_MS, clip, voice

pytestmark = pytest.mark.unit

LINES = ("one two three four five six", "seven eight")
MANNER = behaviour.Ears(
    lines=LINES, interim_ms=100, lag_ms=100, final=behaviour.Latency(p50_ms=350), words_per_sec=4
)
PATIENT = Patience(end_ms=lambda final_ms: max(final_ms, 300))
EAGER = Patience(end_ms=lambda final_ms: final_ms * 2, likely_ms=lambda final_ms: final_ms)


def ears(patience: Patience = PATIENT, manner: behaviour.Ears = MANNER) -> Ears:
    script = itertools.cycle(manner.lines)
    return Ears(manner, script, Random(0), sample_rate_hz=16_000, patience=patience)


def sound(*spans: tuple[int, int], length_ms: int) -> bytes:
    return voice(list(spans), length_ms).tobytes()


def text(words: Words) -> str:
    return " ".join(word.text for word in words)


def ends(events: list[Event]) -> list[Ended]:
    return [event for event in events if isinstance(event, Ended)]


def test_a_line_is_heard_word_by_word_and_whole_after_its_end() -> None:
    events = ears().audio(sound((500, 2500), length_ms=4000))
    began, *_, ended = events
    assert began == Began(530), "three loud frames"
    assert isinstance(ended, Ended)
    assert text(ended.words) == LINES[0]
    assert ended.at_ms == 2500 + 350
    heard = [event for event in events if isinstance(event, Heard)]
    assert [event.at_ms for event in heard] == list(range(630, ended.at_ms, 100))
    counts = [len(event.words) for event in heard]
    assert counts == sorted(counts)
    for event in heard:
        assert all(word.end_ms <= event.at_ms - 100 for word in event.words)


def test_words_have_their_place_in_the_audio() -> None:
    (ended,) = ends(ears().audio(sound((500, 2500), length_ms=4000)))
    assert all(500 <= word.start_ms < word.end_ms <= ended.at_ms for word in ended.words)
    for before, after in itertools.pairwise(ended.words):
        assert before.end_ms <= after.start_ms
    first, second, *_ = ended.words
    assert second.end_ms - first.end_ms == 250, "four words a second"


def test_a_short_pause_is_inside_the_line_and_costs_no_words() -> None:
    (ended,) = ends(ears().audio(sound((500, 1200), (1450, 2400), length_ms=4000)))
    assert text(ended.words) == LINES[0]
    assert ended.at_ms == 2750
    gaps = [b.end_ms - a.end_ms for a, b in itertools.pairwise(ended.words)]
    assert max(gaps) > 250, "no word is said in the pause"


def test_a_long_pause_ends_the_line_and_the_next_is_the_scripts_next() -> None:
    spans = ((500, 1000), (2000, 2500), (3500, 4000))
    ended = ends(ears().audio(sound(*spans, length_ms=5000)))
    assert [text(event.words) for event in ended] == [LINES[0], LINES[1], LINES[0]]


def test_finalizing_gives_what_was_said_and_the_rest_comes_later() -> None:
    listener = ears()
    listener.audio(sound((500, 1500), length_ms=1500))
    first = listener.finalize()
    assert text(first) == "one two three", "a second of speech, less its onset"
    assert listener.finalize() == ()
    events = listener.audio(sound((0, 800), length_ms=2000))
    (ended,) = ends(events)
    assert text(first + ended.words) == LINES[0]
    assert all(not set(first) & set(event.words) for event in events if isinstance(event, Heard))


def test_finalizing_silence_gives_nothing() -> None:
    listener = ears()
    listener.audio(sound(length_ms=1000))
    assert listener.finalize() == ()


def test_a_likely_end_is_withdrawn_by_more_speech_and_held_by_none() -> None:
    events = ears(EAGER).audio(sound((500, 1500), (2000, 3000), length_ms=5000))
    marks = [event for event in events if isinstance(event, LikelyEnd | Resumed | Ended)]
    likely, resumed, held, ended = marks
    assert isinstance(likely, LikelyEnd)
    assert text(likely.words) == "one two three four"
    assert isinstance(resumed, Resumed)
    assert isinstance(held, LikelyEnd)
    assert isinstance(ended, Ended)
    assert text(held.words) == text(ended.words) == LINES[0]


def test_a_line_that_gains_words_at_its_end_withdraws_the_likely_one_first() -> None:
    events = ears(EAGER).audio(sound((500, 1500), length_ms=4000))
    kinds = [type(event) for event in events if not isinstance(event, Heard)]
    assert kinds == [Began, LikelyEnd, Resumed, Ended]


@pytest.mark.parametrize("click_ms", [10, 20])
def test_a_click_is_no_speech(click_ms: int) -> None:
    assert ears().audio(sound((500, 500 + click_ms), length_ms=2000)) == []


@pytest.mark.parametrize("name", EDGES_MS)
def test_human_speech_is_one_line_from_its_first_sound_to_its_last(name: str) -> None:
    """A reader's pauses are shorter than a second."""
    start_ms, end_ms = EDGES_MS[name]
    patience = Patience(end_ms=lambda _: 1000)
    hiss = np.random.default_rng(0).normal(0, 10, 32_000).astype("<i2").tobytes()
    events = ears(patience).audio(clip(name).tobytes() + hiss)
    assert isinstance(events[0], Began)
    assert abs(events[0].at_ms - start_ms) <= 150
    (ended,) = ends(events)
    assert abs(ended.at_ms - 1000 - end_ms) <= 150


spans = st.lists(st.integers(60, 1500), min_size=1, max_size=8)


def _spoken(lengths_ms: list[int]) -> bytes:
    """Quiet and speech in turn, and a second of quiet."""
    at, parts = 300, list[tuple[int, int]]()
    for index, length_ms in enumerate(lengths_ms):
        if index % 2 == 0:
            parts.append((at, at + length_ms))
        at += length_ms
    return sound(*parts, length_ms=at + 1000)


@settings(max_examples=25, deadline=None)
@given(spans, st.lists(st.integers(1, 5000), min_size=1, max_size=6), st.booleans())
def test_how_the_audio_is_cut_changes_nothing(
    lengths_ms: list[int], cuts: list[int], eager: bool
) -> None:
    audio = _spoken(lengths_ms)
    patience = EAGER if eager else PATIENT
    whole, pieces = ears(patience), ears(patience)
    told: list[Event] = []
    at = 0
    for size in itertools.cycle(cuts):
        told += pieces.audio(audio[at : at + size])
        at += size
        if at >= len(audio):
            break
    assert told == whole.audio(audio)


@settings(max_examples=40, deadline=None)
@given(spans, st.integers(0, 60), st.booleans())
def test_what_is_told_makes_sense(lengths_ms: list[int], finalize_at: int, eager: bool) -> None:
    """Each line begins once, ends once, and is told in whole, whatever is finalized when."""
    listener = ears(EAGER if eager else PATIENT)
    audio = _spoken(lengths_ms)
    events: list[Event] = []
    for index, start in enumerate(range(0, len(audio), 3200)):
        events += listener.audio(audio[start : start + 3200])
        if index == finalize_at and (given_words := listener.finalize()):
            events.append(Ended(listener.now_ms, given_words))
    assert [event.at_ms for event in events] == sorted(event.at_ms for event in events)
    lines = "".join(f"{text(event.words)} " for event in events if isinstance(event, Ended))
    begun = sum(isinstance(event, Began) for event in events)
    script = itertools.islice(itertools.cycle(LINES), begun)
    assert lines.split() == " ".join(script).split()
    announced = False
    for event in events:
        assert not (isinstance(event, LikelyEnd) and announced)
        assert not (isinstance(event, Resumed) and not announced)
        if isinstance(event, LikelyEnd | Resumed | Began):
            announced = isinstance(event, LikelyEnd)


TIMED = MANNER.model_copy(
    update={
        "lines": (
            behaviour.Line(text="four five", ends_ms=(300, 780)),
            behaviour.Line(text="six", ends_ms=(500,)),
            behaviour.Line(text=""),
        ),
        "lag_ms": 120,
    }
)


def test_the_words_of_a_timed_line_are_told_when_they_have_been_said() -> None:
    events = ears(manner=TIMED).audio(sound((500, 1300), (2000, 2600), length_ms=3500))
    heard = [event for event in events if isinstance(event, Heard) and event.at_ms < 1650]
    first = next(event for event in heard if text(event.words) == "four")
    both = next(event for event in heard if text(event.words) == "four five")
    assert 820 + 120 <= first.at_ms < 820 + 120 + 100, "300 ms are voiced at 820"
    assert 1300 + 120 <= both.at_ms < 1300 + 120 + 100
    four, six = ends(events)
    assert [word.end_ms for word in four.words] == [820, 1300]
    assert text(six.words) == "six"


def test_a_pause_inside_a_timed_line_stops_its_words() -> None:
    (ended, *_) = ends(ears(manner=TIMED).audio(sound((500, 900), (1200, 1700), length_ms=2500)))
    assert ended.words[1].end_ms >= 1200


def test_a_line_without_words_is_a_sound_that_is_not_understood() -> None:
    listener = ears(manner=TIMED)
    listener.audio(sound((500, 900), (1500, 2000), length_ms=3000))
    began, *told = listener.audio(sound((0, 400), length_ms=1000))
    assert isinstance(began, Began)
    assert all(event.words == () for event in told if isinstance(event, Heard | Ended))


def test_finalizing_as_late_as_a_final_gives_what_was_said_when_it_was_asked() -> None:
    listener = ears(manner=TIMED)
    events = listener.audio(sound((500, 1300), length_ms=1500))
    assert listener.finalize_later()
    events += listener.audio(sound(length_ms=1000))
    given_words = [event for event in events if isinstance(event, Finalized)]
    assert [(event.at_ms, text(event.words)) for event in given_words] == [(1650, "four five")]
    (ended,) = ends(events)
    assert (ended.at_ms, ended.words) == (1650, ()), "nothing is left to be told"


def test_finalizing_late_leaves_what_is_said_afterwards_to_the_line() -> None:
    listener = ears(manner=TIMED)
    listener.audio(sound((500, 900), length_ms=1100))
    assert listener.finalize_later()
    events = listener.audio(sound((0, 600), length_ms=1600))
    (asked,) = [event for event in events if isinstance(event, Finalized)]
    assert (asked.at_ms, text(asked.words)) == (900 + 350, "four")
    (ended,) = ends(events)
    assert text(ended.words) == "five"


def test_there_is_nothing_to_finalize_late_in_silence() -> None:
    listener = ears(manner=TIMED)
    listener.audio(sound(length_ms=1000))
    assert not listener.finalize_later()


@settings(max_examples=25, deadline=None)
@given(spans)
def test_stretches_are_the_lines_and_what_is_voiced_of_them(lengths_ms: list[int]) -> None:
    """A word that ends with a stretch has been said when the stretch is over, and no later."""
    audio = _spoken(lengths_ms)
    found = stretches(audio, sample_rate_hz=16_000, pause_ms=350)
    lines = [behaviour.Line(text="word", ends_ms=(10 * len(voiced),)) for voiced in found]
    manner = MANNER.model_copy(update={"lines": tuple(lines)})
    ended = ends(ears(manner=manner).audio(audio))
    assert [event.words[0].end_ms for event in ended] == [voiced[-1] for voiced in found]


def test_the_same_seed_is_as_late() -> None:
    manner = MANNER.model_copy(update={"final": behaviour.Latency(p50_ms=300, p95_ms=900)})
    speech = sentence(1)[0] + sound(length_ms=3000)
    first, again = ears(manner=manner), ears(manner=manner)
    assert first.audio(speech) == again.audio(speech)
