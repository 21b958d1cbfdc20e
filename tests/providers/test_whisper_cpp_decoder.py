"""The decoder around whisper.cpp: real weights, human speech."""

from __future__ import annotations

import threading
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

from providers.stt._whisper_cpp_decoder import WhisperCppDecoder
from tests.support.ears import quiet, sentence
from tests.support.local_speech import word_errors
from tests.support.whisper_weights import ggml_base

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Generator[WhisperCppDecoder]:
    weights = ggml_base(tmp_path_factory.mktemp("whisper"))
    decoder = WhisperCppDecoder(weights, threads=2, context_ms=15_000)
    yield decoder
    decoder.close()


def test_it_hears_every_sentence(decoder: WhisperCppDecoder) -> None:
    wrong = count = 0
    for index in range(5):
        audio, words = sentence(index)
        errors = word_errors(words, decoder.decode(audio, 16_000))
        wrong, count = wrong + errors[0], count + errors[1]
    assert wrong <= count // 20


def test_a_telephones_sound_is_heard_too(decoder: WhisperCppDecoder) -> None:
    audio, words = sentence(0)
    pairs = np.frombuffer(audio, "<i2")[: len(audio) // 4 * 2].reshape(-1, 2)
    narrow = pairs.mean(axis=1).astype("<i2").tobytes()
    wrong, count = word_errors(words, decoder.decode(narrow, 8000))
    assert wrong <= count // 5


def test_what_is_no_word_is_not_told(decoder: WhisperCppDecoder) -> None:
    for audio in (b"", bytes(320), quiet(300)):
        assert not set("[]()*") & set(decoder.decode(audio, 16_000))


def test_a_long_speech_fills_the_whole_context(decoder: WhisperCppDecoder) -> None:
    speech = b"".join(sentence(index)[0] for index in range(5))
    words = " ".join(sentence(index)[1] for index in range(5))
    wrong, count = word_errors(words, decoder.decode(speech, 16_000))
    assert wrong <= count // 10


def test_other_threads_run_while_it_decodes(decoder: WhisperCppDecoder) -> None:
    ticks, done = 0, threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.wait(0.005):
            ticks += 1

    ticking = threading.Thread(target=tick)
    ticking.start()
    decoder.decode(sentence(0)[0], 16_000)
    done.set()
    ticking.join()
    assert ticks > 3


def test_it_says_nothing_on_stderr(
    decoder: WhisperCppDecoder, capfd: pytest.CaptureFixture[str]
) -> None:
    decoder.warm()
    assert capfd.readouterr() == ("", "")


def test_weights_that_are_none_are_an_error(tmp_path: Path) -> None:
    rubbish = tmp_path / "model.bin"
    rubbish.write_bytes(b"no model")
    with pytest.raises(RuntimeError, match=r"whisper\.cpp"):
        WhisperCppDecoder(rubbish, threads=1, context_ms=15_000)
