"""Sounds after which a bot goes on."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from errors import MissingError
from evals.noises import Noise, noises
from pipelines.headless import read_speech

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def sounds() -> tuple[Noise, ...]:
    try:
        return noises()
    except MissingError as error:
        pytest.skip(error.message)


def test_there_are_at_least_forty_of_all_kinds_and_few_are_made(
    sounds: tuple[Noise, ...],
) -> None:
    kinds = Counter(noise.kind for noise in sounds)
    assert kinds["noise"] >= 20 and kinds["cough"] >= 10 and kinds["backchannel"] >= 10
    assert sum(noise.synthetic for noise in sounds) <= len(sounds) / 5
    assert {noise.kind for noise in sounds[:6]} == {"noise", "cough", "backchannel"}


def test_only_backchannels_have_words(sounds: tuple[Noise, ...]) -> None:
    assert all(bool(noise.text) == (noise.kind == "backchannel") for noise in sounds)


def test_names_are_unique_and_sounds_short_and_audible(sounds: tuple[Noise, ...]) -> None:
    assert len({noise.path for noise in sounds}) == len(sounds)
    assert all(100 <= len(noise.samples) / 16 <= 2200 for noise in sounds)
    # A breath is the softest.
    assert all(int(np.abs(noise.samples).max()) > 300 for noise in sounds)


def test_the_file_holds_the_sound(sounds: tuple[Noise, ...]) -> None:
    assert read_speech(sounds[0].path) == sounds[0].audio
