"""The ear measures what was heard, whatever the detector that drove the call believed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.ear import Answer, BargeIn, CutIn, Ear, hear
from records.gate import Samples
from tests.support.speech import EDGES_MS, PER_MS, RATE_HZ, Spans, clip, voice

pytestmark = pytest.mark.unit


def call(caller: Spans, bot: Spans, total_ms: int = 12_000) -> Samples:
    return np.stack((voice(caller, total_ms, noise=0.0006), voice(bot, total_ms)), axis=1)


def mixed(*parts: tuple[int, Samples]) -> Samples:
    """A track with each part at its millisecond."""
    track = np.zeros(max(at * PER_MS + len(part) for at, part in parts), np.int16)
    for at, part in parts:
        track[at * PER_MS : at * PER_MS + len(part)] += part
    return track


def two(caller: Samples, bot: Samples) -> Samples:
    tracks = np.zeros((max(len(caller), len(bot)), 2), np.int16)
    tracks[: len(caller), 0] = caller
    tracks[: len(bot), 1] = bot
    return tracks


@given(cuts=st.lists(st.integers(1, 12_000 * PER_MS), max_size=12))
@settings(max_examples=15, deadline=None)
def test_hears_the_same_however_the_tracks_are_cut(cuts: list[int]) -> None:
    tracks = call([(500, 2000), (4000, 4600)], [(2700, 4300), (5400, 7000)])
    ear = Ear(RATE_HZ)
    edges = [0, *sorted(cuts), len(tracks)]

    events = [event for a, b in pairwise(edges) for event in ear.feed(tracks[a:b])]

    assert events + ear.finish() == hear(tracks, RATE_HZ)


def test_tells_an_answer_at_once_and_takes_it_back_if_the_caller_went_on() -> None:
    tracks = call([(500, 1900), (2350, 3000)], [(2200, 2700)])
    ear = Ear(RATE_HZ)

    (early,) = ear.feed(tracks[: 2260 * PER_MS])
    (later,) = ear.feed(tracks[2260 * PER_MS : 2600 * PER_MS])

    assert isinstance(early, Answer)
    assert isinstance(later, CutIn)
    assert later.bot_start_ms == early.bot_start_ms


@given(pause=st.integers(60, 1200), gap=st.integers(260, 2000))
@settings(max_examples=25, deadline=None)
def test_a_pause_inside_the_callers_sentence_does_not_end_the_turn(pause: int, gap: int) -> None:
    end = 1500 + pause + 800
    events = hear(call([(500, 1500), (1500 + pause, end)], [(end + gap, end + gap + 900)]), RATE_HZ)

    (answer,) = events
    assert isinstance(answer, Answer)
    assert abs(answer.ear_ms - gap) <= 10


def test_measures_each_turn_and_not_the_greeting() -> None:
    events = hear(
        call([(2000, 3000), (6000, 7000)], [(200, 1500), (3700, 5000), (8100, 9500)]), RATE_HZ
    )

    gaps_ms = [event.ear_ms for event in events if isinstance(event, Answer)]
    assert gaps_ms == pytest.approx([700, 1100], abs=10)
    assert len(events) == 2


def test_a_gap_between_two_sentences_of_the_bot_is_no_turn() -> None:
    events = hear(call([(500, 1500)], [(2100, 3000), (3600, 4500), (5300, 6000)]), RATE_HZ)

    assert len(events) == 1


def test_measures_how_fast_the_bot_falls_silent() -> None:
    events = hear(call([(500, 1500), (3000, 4500)], [(2200, 3420), (5000, 6000)]), RATE_HZ)

    answer, barge_in, second = events
    assert isinstance(answer, Answer)
    assert isinstance(barge_in, BargeIn)
    assert isinstance(second, Answer)
    assert abs(barge_in.stop_ms - 420) <= 15
    assert abs(second.ear_ms - 500) <= 15


def test_a_short_stop_word_is_a_barge_in_and_the_reply_to_it_an_answer() -> None:
    events = hear(call([(500, 1500), (3000, 3300)], [(2200, 3500), (4300, 6000)]), RATE_HZ)

    assert [type(event) for event in events] == [Answer, BargeIn, Answer]


@pytest.mark.parametrize("caller", [[(500, 2600)], [(500, 1900), (2350, 3000)]])
def test_a_bot_that_starts_while_the_caller_has_more_to_say_cuts_in(caller: Spans) -> None:
    events = hear(call(caller, [(2200, 2700), (3700, 4500)]), RATE_HZ)

    assert [type(event) for event in events] == [CutIn, Answer]
    assert isinstance(events[0], CutIn)
    assert abs(events[0].bot_start_ms - 2200) <= 10


def test_silence_says_nothing() -> None:
    assert hear(np.zeros((RATE_HZ * 3, 2), np.int16), RATE_HZ) == []


def test_measures_human_speech_mixed_at_known_offsets() -> None:
    """Caller asks, bot answers, caller interrupts, bot answers again; pauses inside sentences."""
    first, second, answer = clip("0890"), clip("0880"), clip("0920")
    caller_end, answer_start = 1000 + EDGES_MS["0890"][1], EDGES_MS["0920"][0]
    answer_at = caller_end + 800 - answer_start
    barge_at = answer_at + 2500
    cut_at = barge_at + EDGES_MS["0880"][0] + 350
    again_at = barge_at + EDGES_MS["0880"][1] + 1200 - answer_start
    cut = answer[: (cut_at - answer_at) * PER_MS]

    events = hear(
        two(mixed((1000, first), (barge_at, second)), mixed((answer_at, cut), (again_at, answer))),
        RATE_HZ,
    )

    one, barge_in, two_ = events
    assert isinstance(one, Answer)
    assert isinstance(barge_in, BargeIn)
    assert isinstance(two_, Answer)
    assert abs(one.ear_ms - 800) <= 20
    assert abs(barge_in.stop_ms - 350) <= 20
    assert abs(two_.ear_ms - 1200) <= 20
