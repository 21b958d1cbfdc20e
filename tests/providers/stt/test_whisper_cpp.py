"""whisper.cpp in a pipeline: the real library, real weights, human speech."""

from __future__ import annotations

from pathlib import Path

import pytest
from pipecat.frames.frames import (
    EagerTranscriptionFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
)

from providers.manifest import load_manifest
from providers.stt.whisper_cpp import WhisperCppStt
from tests.support.ears import listening, sentence
from tests.support.local_speech import word_errors
from tests.support.whisper_weights import ggml_base

pytestmark = pytest.mark.integration


class Here:
    """A site that has one model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def weights(self, name: str) -> Path:
        assert name == "whisper-cpp-base-en"
        return self.folder

    def url(self, sidecar: str) -> str:
        raise AssertionError(f"{sidecar} was never started")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Here:
    folder = tmp_path_factory.mktemp("whisper")
    ggml_base(folder).rename(folder / "model.bin")
    return Here(folder)


async def test_human_speech_is_heard_before_and_after_its_end(site: Here) -> None:
    audio, words = sentence(0)
    async with listening(WhisperCppStt(partial_ms=500).build(site)) as ears:
        await ears.say(audio, pace_secs=0.015)
        (final,) = await ears.tap.wait(TranscriptionFrame)
    wrong, count = word_errors(words, final.text)
    assert wrong <= count // 10, final.text
    assert final.finalized
    assert ears.tap.of(InterimTranscriptionFrame)
    assert [frame.text for frame in ears.tap.of(EagerTranscriptionFrame)] in ([], [final.text])
    assert ears.errors == []


def test_its_weights_are_known() -> None:
    for model in ("whisper-cpp-tiny-en", "whisper-cpp-base-en"):
        (name,) = WhisperCppStt.model_validate({"model": model}).weights()
        assert [file.name for file in load_manifest().spec(name).files] == ["model.bin"]
