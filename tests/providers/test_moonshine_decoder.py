"""Moonshine's library and weights on human speech, and on what is none."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import pytest

from providers.stt._moonshine_decoder import MoonshineDecoder, collapse_loops
from providers.stt.moonshine import MoonshineStt
from tests.support.local_speech import human_clips, weights, word_errors

pytestmark = pytest.mark.integration

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def decoder() -> Generator[MoonshineDecoder]:
    loaded = MoonshineDecoder(weights(MoonshineStt()))
    yield loaded
    loaded.close()


def error_rate(decoder: MoonshineDecoder, clips: list[tuple[str, bytes]]) -> float:
    counts = [word_errors(words, decoder.decode(audio, RATE_HZ)) for words, audio in clips]
    return sum(wrong for wrong, _ in counts) / sum(total for _, total in counts)


def test_sentences_are_understood(decoder: MoonshineDecoder) -> None:
    assert error_rate(decoder, human_clips("librivox", "transcription")) <= 0.06


def test_card_names_are_understood(decoder: MoonshineDecoder) -> None:
    assert error_rate(decoder, human_clips("cards", "cards.transcription")) <= 0.15


def test_another_sample_rate(decoder: MoonshineDecoder) -> None:
    words, audio = human_clips("librivox", "transcription")[1]
    half = np.frombuffer(audio, "<i2").reshape(-1, 2).mean(axis=1).astype("<i2").tobytes()
    wrong, _ = word_errors(words, decoder.decode(half, RATE_HZ // 2))
    assert wrong <= 3


def test_too_short_for_a_word_is_no_word(decoder: MoonshineDecoder) -> None:
    assert decoder.decode(b"", RATE_HZ) == ""
    assert decoder.decode(b"\1\0" * 1500, RATE_HZ) == ""


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        pytest.param("The 2020" + "-2020" * 20, "The 2020-2020", id="within a word"),
        pytest.param(
            "You can use the button to use the button to use the button to use the button"
            " to use the button to use the button to use the button to use the button.",
            "You can use the button to use the button.",
            id="a phrase",
        ),
        pytest.param("five five five five five five", "five five five five five five", id="digits"),
        pytest.param("No no no no, not that one.", "No no no no, not that one.", id="insisting"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_loop_is_told_from_a_repetition(said: str, kept: str) -> None:
    assert collapse_loops(said) == kept
