"""The chunks of a hum are all of it, and its words are in their places."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.simulators._hum import CHUNK_SECS, chunks, word_times

pytestmark = pytest.mark.unit

CHAR_SECS = 0.06
RATE_HZ = 24_000

_texts = st.text("ab .", min_size=1, max_size=60).filter(str.strip)


def test_words_are_said_one_after_the_other() -> None:
    first, second = word_times("one two", char_secs=0.1)
    assert (first.text, first.start_secs, first.end_secs) == ("one", 0.0, pytest.approx(0.3))
    assert (second.text, second.start_secs) == ("two", pytest.approx(0.4))


@given(_texts, st.sampled_from([8000, 22_050, 24_000]), st.sampled_from([0.011, 0.06, 0.25]))
def test_nothing_is_lost_between_chunks(text: str, rate_hz: int, char_secs: float) -> None:
    found = list(chunks(text, char_secs=char_secs, sample_rate_hz=rate_hz))

    assert sum(len(chunk.audio) for chunk in found) == round(len(text) * char_secs * rate_hz) * 2
    assert "".join(chunk.letters for chunk in found) == text
    assert [word.text for chunk in found for word in chunk.words] == text.split()


@given(_texts)
def test_chunks_follow_each_other(text: str) -> None:
    found = list(chunks(text, char_secs=CHAR_SECS, sample_rate_hz=RATE_HZ))

    assert all(chunk.secs <= CHUNK_SECS for chunk in found)
    for before, after in pairwise(found):
        assert after.start_secs == pytest.approx(before.start_secs + before.secs)
        assert all(word.start_secs >= after.start_secs - 1e-4 for word in after.words)


def test_no_word_no_sound() -> None:
    assert list(chunks("  ", char_secs=CHAR_SECS, sample_rate_hz=RATE_HZ)) == []
