"""Kokoro in this process. Its phonemes come from espeak-ng, GPL: only the sidecar may load it."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from providers.tts._silence import tail_secs, trim
from providers.tts._voice_http import Request

_MODEL = "model.onnx"
_LANGUAGES = {"a": "en-us", "b": "en-gb"}
"""By the first letter of a speaker's name."""
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_SAYABLE = re.compile(r"\w")
_GAIN = 1.2
"""Kokoro's level lies near -22 dBFS; so it is as loud as Piper."""


class KokoroVoice:
    """The loaded model and the styles of its speakers, one file each.

    It takes every core: on two it speaks hardly faster than people do.
    """

    sample_rate_hz = 24_000

    def __init__(self, folder: Path) -> None:
        import onnxruntime  # pyright: ignore[reportMissingTypeStubs]
        from kokoro_onnx import Kokoro

        options: Any = onnxruntime.SessionOptions()  # pyright: ignore[reportUnknownVariableType]
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(
            str(folder / _MODEL), sess_options=options, providers=["CPUExecutionProvider"]
        )
        styles = {path.stem: _style(path) for path in sorted(folder.glob("*.bin"))}
        self.speakers = tuple(styles)
        with tempfile.TemporaryDirectory(prefix="offhook-") as scratch:
            # The package knows the styles only as one archive.
            archive = Path(scratch) / "voices.npz"
            np.savez(archive, allow_pickle=False, **styles)
            self._kokoro = Kokoro.from_session(session, str(archive))

    def speak(self, request: Request) -> Iterator[bytes]:
        """Yield each sentence without the silence around it, but for a natural pause."""
        speaker = request.speaker or self.speakers[0]
        for sentence in filter(_SAYABLE.search, _SENTENCE.split(request.text.strip())):
            samples, rate_hz = self._kokoro.create(
                sentence, speaker, request.speed, _LANGUAGES[speaker[0]], trim=False
            )
            loud = (np.clip(samples * _GAIN, -1, 1) * 32767).astype(np.int16)
            yield trim(loud, rate_hz, tail_secs=tail_secs(sentence))


def _style(path: Path) -> NDArray[np.float32]:
    """A style vector for each count of phonemes."""
    return np.fromfile(path, np.float32).reshape(-1, 1, 256)
