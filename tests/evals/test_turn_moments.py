"""What is known of a turn, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import MissingError
from evals.corpus import utterances
from evals.prompts import Word
from evals.turn_moments import (
    FINAL_MS,
    PARTIAL_LAG_MS,
    Moment,
    in_order,
    stretches,
    transcripts,
    turns,
)

pytestmark = pytest.mark.integration

WORDS = [Word("one", 400), Word("two", 800), Word("three", 2000)]


def test_a_short_pause_joins_and_a_long_one_parts() -> None:
    said = stretches([(100, 500), (700, 850), (1600, 2010)], WORDS)
    assert [(s.start_ms, s.end_ms) for s in said] == [(100, 850), (1600, 2010)]
    assert [[w.text for w in s.words] for s in said] == [["one", "two"], ["three"]]


def test_a_partial_lags_and_a_final_comes_after_the_stretch() -> None:
    told = transcripts(stretches([(100, 850), (1600, 2010)], WORDS))
    finals = [(m.at_ms, m.text) for m in told if m.what == "final"]
    assert finals == [(850 + FINAL_MS, "one two"), (2010 + FINAL_MS, "three")]
    first = next(m for m in told if m.what == "partial")
    assert first.text == "one" and 400 + PARTIAL_LAG_MS <= first.at_ms <= 500 + PARTIAL_LAG_MS


def test_a_transcript_knows_for_how_long_it_has_been_silent() -> None:
    silence = [Moment(20 * n, "audio", quiet_ms=20 * n) for n in range(20)]
    final, stop = Moment(350, "final", "one"), Moment(200, "silent", quiet_ms=200)
    ordered = in_order([final, stop, *silence])
    assert [m.at_ms for m in ordered] == sorted(m.at_ms for m in ordered)
    assert [m.quiet_ms for m in ordered if m.what != "audio"] == [200, 340]


@given(st.lists(st.tuples(st.integers(50, 900), st.integers(10, 900)), min_size=1, max_size=8))
def test_every_word_is_told_for_good_once_and_never_before_it_is_said(
    spans: list[tuple[int, int]],
) -> None:
    runs: list[tuple[float, float]] = []
    words: list[Word] = []
    at_ms = 0
    for speech_ms, pause_ms in spans:
        runs.append((at_ms, at_ms + speech_ms))
        words.append(Word(f"w{len(words)}", at_ms + speech_ms))
        at_ms += speech_ms + pause_ms
    told = transcripts(stretches(runs, words))
    finals = " ".join(m.text for m in told if m.what == "final").split()
    assert finals == [word.text for word in words]
    ends_ms = {word.text: word.end_ms for word in words}
    assert all(ends_ms[text] < m.at_ms for m in told for text in m.text.split())
    assert [m.at_ms for m in told] == sorted(m.at_ms for m in told)


def test_voice_and_silence_are_heard_around_human_speech() -> None:
    try:
        heard = turns([u for u in utterances() if u.kind == "pause"][:2])
    except MissingError as error:
        pytest.skip(error.message)
    for turn in heard:
        changes = [m for m in turn.moments if m.what in {"speaks", "silent"}]
        assert [m.what for m in changes] == ["speaks", "silent"] * (len(changes) // 2)
        assert abs(changes[-1].at_ms - changes[-1].quiet_ms - turn.end_ms) <= 200
        assert len([m for m in turn.moments if m.what == "vote"]) == len(changes) // 2
        assert [m.at_ms for m in turn.moments] == sorted(m.at_ms for m in turn.moments)
