"""The corpus of turns: what is known of each, and that it is true."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from errors import MissingError
from evals.corpus import Utterance, utterances
from evals.prompts import PER_MS, RATE_HZ
from processors.unfinished import asked_for
from records.gate import speech

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def turns() -> tuple[Utterance, ...]:
    try:
        return utterances()
    except MissingError as error:
        pytest.skip(error.message)


def pauses_ms(utterance: Utterance) -> list[float]:
    track = np.concatenate((utterance.samples, np.zeros(RATE_HZ, np.int16)))
    return [(b[0] - a[1]) / PER_MS for a, b in pairwise(speech(track, RATE_HZ))]


def test_there_are_enough_of_each_kind(turns: tuple[Utterance, ...]) -> None:
    kinds = Counter(utterance.kind for utterance in turns)
    assert min(kinds.values()) >= 20 and len(turns) >= 60
    assert len({utterance.name for utterance in turns}) == len(turns)


def test_the_same_turns_are_made_at_every_call(turns: tuple[Utterance, ...]) -> None:
    utterances.cache_clear()
    again = utterances()
    assert [u.words for u in again] == [u.words for u in turns]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(again, turns, strict=True))


def test_words_end_in_order_and_none_after_the_end(turns: tuple[Utterance, ...]) -> None:
    for utterance in turns:
        ends_ms = [word.end_ms for word in utterance.words]
        assert ends_ms == sorted(ends_ms)
        assert ends_ms[-1] <= utterance.end_ms <= len(utterance.samples) / PER_MS
        assert utterance.end_ms - ends_ms[-1] <= 150


def test_a_pause_is_where_one_is_promised(turns: tuple[Utterance, ...]) -> None:
    for utterance in turns:
        longest = max(pauses_ms(utterance), default=0)
        assert (longest >= 350) == (utterance.kind != "sentence"), utterance.name


def test_what_the_bot_asked_for_is_understood(turns: tuple[Utterance, ...]) -> None:
    asked = [utterance for utterance in turns if utterance.asked]
    assert asked and all(utterance.kind == "spelled" for utterance in asked)
    assert all(asked_for(utterance.asked) for utterance in asked)
