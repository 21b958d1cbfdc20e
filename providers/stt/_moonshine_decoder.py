"""Moonshine's library, called with plain memory: its own Python wrapper copies sample by sample."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import numpy as np
from moonshine_voice.errors import (  # pyright: ignore[reportMissingTypeStubs]
    MoonshineError,
    check_error,
)
from moonshine_voice.moonshine_api import (  # pyright: ignore[reportMissingTypeStubs]
    ModelArch,
    TranscriptC,
)
from moonshine_voice.transcriber import Transcriber  # pyright: ignore[reportMissingTypeStubs]

_SHORTEST_SECS = 0.1
_PAD_SECS = 0.7
"""Silence added at the end: without it the last word is often garbled or said twice."""
_LOOP = re.compile(r"(.{2,80}?)\1{5,}", re.DOTALL)
_LOOP_CHARS = 40


def collapse_loops(text: str) -> str:
    """Keep one round of what a decoder that lost its way says over and over."""

    def once(match: re.Match[str]) -> str:
        looped = len(match.group(0)) >= _LOOP_CHARS
        return match.group(1) if looped else match.group(0)

    return _LOOP.sub(once, text)


class MoonshineDecoder(Transcriber):
    """A loaded model; not for use by two threads at once."""

    def __init__(self, weights: Path) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            weights,
            ModelArch.TINY,
            options={
                # The audio was cut by a VAD already; Moonshine's own invents leading words.
                "vad_threshold": 0,
                "return_audio_data": "false",
            },
        )

    def decode(self, audio: bytes, sample_rate_hz: int) -> str:
        """Transcribe int16 LE mono audio; blocks. Noise may come back as a word or two.

        Raises:
            RuntimeError: The library failed.
        """
        samples = np.frombuffer(audio, "<i2").astype(np.float32) / 32768.0
        if samples.size < _SHORTEST_SECS * sample_rate_hz:
            return ""
        samples = np.pad(samples, (0, round(_PAD_SECS * sample_rate_hz)))
        found = ctypes.POINTER(TranscriptC)()
        status = self._lib.moonshine_transcribe_without_streaming(  # pyright: ignore[reportOptionalMemberAccess]
            self._handle,
            samples.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            samples.size,
            sample_rate_hz,
            0,
            ctypes.byref(found),
        )
        try:
            check_error(status)
        except MoonshineError as error:
            raise RuntimeError(f"Moonshine: {error}") from error
        return collapse_loops(_text(found.contents)) if found else ""


def _text(transcript: TranscriptC) -> str:
    lines = (transcript.lines[index].text for index in range(transcript.line_count))
    parts = (ctypes.string_at(text).decode("utf-8", "ignore").strip() for text in lines if text)
    return " ".join(part for part in parts if part)
