"""Recordings cut and put together again, with their words."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from errors import MissingError
from evals.prompts import PER_MS, RATE_HZ, cut, joined, piece, prompt, recording
from records.gate import speech

pytestmark = pytest.mark.unit

SENTENCE = "conf-getpin"


def ask(name: str = SENTENCE) -> None:
    """Skip where the recordings are not installed, naming what to install."""
    try:
        prompt(name)
    except MissingError as error:
        pytest.skip(error.message)


def test_a_recording_that_is_not_there_names_the_package_to_install() -> None:
    with pytest.raises(MissingError, match="apt-get install some-package"):
        recording(Path("no-such.wav"), package="some-package")


def test_a_prompt_begins_and_ends_with_speech_and_its_words_end_in_order() -> None:
    ask()
    said = prompt(SENTENCE)
    assert said.text == "please enter the conference pin number"
    ends_ms = [word.end_ms for word in said.words]
    assert ends_ms == sorted(set(ends_ms))
    runs = speech(np.concatenate((said.samples, np.zeros(RATE_HZ, np.int16))), RATE_HZ)
    assert runs[0][0] <= 60 * PER_MS
    assert len(said.samples) - runs[-1][1] <= 60 * PER_MS


def test_two_halves_hold_all_samples_and_all_words() -> None:
    ask()
    said = prompt(SENTENCE)
    for after in range(1, len(said.words)):
        head, tail = cut(said, after)
        assert len(head.samples) + len(tail.samples) == len(said.samples)
        assert (len(head.words), f"{head.text} {tail.text}") == (after, said.text)
        assert head.words[-1].end_ms * PER_MS <= len(head.samples)


def test_pieces_are_joined_with_a_pause_that_the_gate_finds() -> None:
    ask("digits/5")
    five, six = prompt("digits/5"), prompt("digits/6")
    both = joined([five, six], [700])
    assert both.text == "five six"
    track = np.concatenate((both.samples, np.zeros(RATE_HZ, np.int16)))
    pauses_ms = [(b[0] - a[1]) / PER_MS for a, b in pairwise(speech(track, RATE_HZ))]
    assert any(650 <= pause_ms <= 800 for pause_ms in pauses_ms)
    assert both.words[0].end_ms < 700 < both.words[1].end_ms


def test_time_is_dealt_by_letters() -> None:
    loud = np.random.default_rng(0).normal(0, 3000, RATE_HZ).astype(np.int16)
    silence = np.zeros(RATE_HZ // 2, np.int16)
    said = piece(np.concatenate((silence, loud, silence)), "one seven")
    first, second = (word.end_ms for word in said.words)
    assert first == pytest.approx(30 + 1000 * 3 / 8, abs=40)
    assert second == pytest.approx(1030, abs=40)
