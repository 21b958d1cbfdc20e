"""What the configuration of Piper asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from providers.tts._voice_service import VoiceTtsService
from providers.tts.piper import PiperTts
from tests.support.speaking import Here

pytestmark = pytest.mark.unit


def test_the_configuration_names_its_process_and_weights() -> None:
    config = PiperTts()
    (sidecar,) = config.sidecars(Here())
    assert config.weights() == ("piper-en_US-joe-medium",)
    assert sidecar.name == config.voice
    assert sidecar.module == "providers.tts.voice_server"
    assert sidecar.args == ("piper", str(Path("weights") / config.voice))
    assert isinstance(config.build(Here()), VoiceTtsService)


@pytest.mark.parametrize("speed", [0.1, 3.0])
def test_speed_has_limits(speed: float) -> None:
    with pytest.raises(ValidationError, match="speed"):
        PiperTts(speed=speed)
