"""What the configuration of Kokoro asks for."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from providers.manifest import load_manifest
from providers.tts._voice_service import VoiceTtsService
from providers.tts.kokoro import KokoroTts
from tests.support.speaking import Here

pytestmark = pytest.mark.unit


def test_the_configuration_names_its_process_and_weights() -> None:
    config = KokoroTts()
    (name,) = config.weights()
    (sidecar,) = config.sidecars(Here())
    assert (sidecar.name, sidecar.module) == (name, "providers.tts.voice_server")
    assert sidecar.args == ("kokoro", str(Path("weights") / name))
    assert isinstance(config.build(Here()), VoiceTtsService)


def test_calls_with_other_speakers_share_the_process() -> None:
    assert KokoroTts(voice="bf_emma").sidecars(Here()) == KokoroTts().sidecars(Here())


def test_each_speaker_is_among_the_weights() -> None:
    (name,) = KokoroTts().weights()
    here = {Path(file.name).stem for file in load_manifest().spec(name).files} - {"model"}
    assert here == set(get_args(KokoroTts.model_fields["voice"].annotation))


def test_speed_has_limits() -> None:
    with pytest.raises(ValidationError, match="speed"):
        KokoroTts(speed=3.0)
