"""Piper in this process. Piper is GPL: only the sidecar may load it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from providers.tts._silence import tail_secs, trim
from providers.tts._voice_http import Request

_GAIN = 1.6
"""Piper's level lies near -22 dBFS; made louder by a fixed gain, as its own normalising makes every
clause of a sentence loud in its own way."""


class PiperVoice:
    """A loaded Piper voice on one thread that sleeps, not spins, while it waits."""

    speakers: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
        import piper
        from piper.config import PiperConfig

        model = folder / "voice.onnx"
        options: Any = onnxruntime.SessionOptions()  # pyright: ignore[reportUnknownVariableType]
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(
            str(model), sess_options=options, providers=["CPUExecutionProvider"]
        )
        settings = json.loads(model.with_name(model.name + ".json").read_text("utf-8"))
        self._voice = piper.PiperVoice(session=session, config=PiperConfig.from_dict(settings))

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the voice's samples."""
        return self._voice.config.sample_rate

    def speak(self, request: Request) -> Iterator[bytes]:
        """Yield each sentence without the silence around it, but for a natural pause."""
        from piper import SynthesisConfig

        text = request.text.strip()
        # A clause without an end would be spoken as if the sentence ended there.
        spoken = text if text[-1:] in ".!?,;:" else f"{text},"
        config = SynthesisConfig(
            length_scale=self._voice.config.length_scale / request.speed,
            normalize_audio=False,
            volume=_GAIN,
        )
        for chunk in self._voice.synthesize(spoken, config):
            yield trim(chunk.audio_int16_array, chunk.sample_rate, tail_secs=tail_secs(text))
