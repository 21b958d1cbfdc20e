"""whisper.cpp as a decoder of segments: quick, quiet on stderr, never lost in a loop."""

from __future__ import annotations

import atexit
import logging
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import cast

import _pywhispercpp as native  # pyright: ignore[reportMissingModuleSource]
import numpy as np
import numpy.typing as npt
from loguru import logger
from pywhispercpp.model import Model

_RATE_HZ = 16_000
_PAD_SECS = 0.5
"""Silence added at the end, without which the last word is often garbled."""
_SHORTEST_SECS = 1.2
"""whisper.cpp refuses less than a second."""
_FRAME_MS = 20
"""What one position of the encoder spans."""
_FRAMES = 1500
_SPARE_FRAMES = 64
_TOKENS_PER_SEC = 8
_NO_WORDS = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|♪")
_ERROR_LEVEL = 4


class WhisperCppDecoder:
    """A loaded model; not for use by two threads at once."""

    def __init__(self, weights: Path, *, threads: int, context_ms: int, prompt: str = "") -> None:
        errors = _native_errors()
        errors.clear()
        self._context_frames = context_ms // _FRAME_MS
        self._model: Model | None = Model(
            str(weights),
            n_threads=threads,
            language="en",
            initial_prompt=prompt,
            print_progress=False,
            no_timestamps=True,
            single_segment=True,
            suppress_nst=True,
            # No second try at another temperature: a doubtful word is better than a late one.
            temperature_inc=0.0,
        )
        if errors:
            self._model = None
            raise RuntimeError(f"whisper.cpp: {errors[0]}")

    def warm(self) -> None:
        """Decode a second of silence, which the first words would wait for otherwise."""
        self.decode(bytes(2 * _RATE_HZ), _RATE_HZ)

    def decode(self, audio: bytes, sample_rate_hz: int) -> str:
        """Transcribe int16 LE mono audio; blocks, and lets other threads run."""
        assert self._model, "closed"
        samples = _padded(_resampled(np.frombuffer(audio, "<i2"), sample_rate_hz))
        frames = samples.size * 1000 // _RATE_HZ // _FRAME_MS + _SPARE_FRAMES
        segments = self._model.transcribe(
            samples,
            audio_ctx=min(_FRAMES, max(self._context_frames, frames)),
            # A decoder that has lost its way says one thing over and over.
            max_tokens=16 + _TOKENS_PER_SEC * samples.size // _RATE_HZ,
        )
        text = " ".join(segment.text for segment in segments)
        return " ".join(_NO_WORDS.sub(" ", text).split())

    def close(self) -> None:
        """Free the model."""
        self._model = None


def _resampled(samples: npt.NDArray[np.int16], rate_hz: int) -> npt.NDArray[np.float32]:
    """The same at 16 kHz, full scale 1.0."""
    scaled = samples.astype(np.float32) / 32768.0
    if rate_hz == _RATE_HZ:
        return scaled
    times = np.arange(samples.size * _RATE_HZ // rate_hz) * (rate_hz / _RATE_HZ)
    return np.interp(times, np.arange(samples.size), scaled).astype(np.float32)


def _padded(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    pad = round(max(_PAD_SECS, _SHORTEST_SECS - samples.size / _RATE_HZ) * _RATE_HZ)
    return np.pad(samples, (0, pad))


@cache
def _native_errors() -> list[str]:
    """Send what whisper.cpp says to the log, once; the list collects its errors."""
    errors: list[str] = []

    def note(level: int, text: str) -> None:
        logger.trace("whisper.cpp: {}", text.rstrip())
        if level == _ERROR_LEVEL:
            errors.append(text.strip())

    set_log = cast("Callable[[Callable[[int, str], None] | None], None]", native.whisper_log_set)
    set_log(note)
    # A model that lives until the interpreter ends would speak through it when it is gone.
    atexit.register(set_log, None)
    logging.getLogger("pywhispercpp").setLevel(logging.WARNING)
    return errors
