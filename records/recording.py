"""The two-track recording of a call: left caller, right bot, 16 kHz, a valid WAV at any moment."""

from __future__ import annotations

import struct
import wave
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from records.tracks import RATE_HZ

FLUSH_SECS = 0.5
"""At most so much of a call is lost when its process is killed."""
_CHANNELS, _SAMPLE_BYTES = 2, 2
_ROW_BYTES = _CHANNELS * _SAMPLE_BYTES
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_WAV_LIMIT_SECS = (2**32 - 1 - _HEADER.size) // (_ROW_BYTES * RATE_HZ)


class RecordingFile:
    """A WAV file that grows as the call goes.

    Its header counts only what is written, and is set right at each flush: killed at any moment,
    the process leaves a file that every reader opens.

    Args:
        path: Of the file; it is overwritten.
        max_secs: Audio beyond it is not kept (`full` says so). A WAV file ends at 18 hours anyway.
    """

    def __init__(self, path: Path, *, max_secs: float = _WAV_LIMIT_SECS) -> None:
        self.path = path
        self._limit_rows = int(min(max_secs, _WAV_LIMIT_SECS) * RATE_HZ)
        self._rows = 0
        self._pending: list[NDArray[np.int16]] = []
        self._pending_rows = 0
        # Unbuffered: what is written is the kernel's, and outlives the process.
        self._file: BinaryIO | None = path.open("wb", buffering=0)
        self._file.write(_header(0))

    @property
    def secs(self) -> float:
        """Length of the recording so far."""
        return (self._rows + self._pending_rows) / RATE_HZ

    @property
    def full(self) -> bool:
        """Whether the limit is reached, so that nothing more is kept."""
        return self._rows + self._pending_rows >= self._limit_rows

    def write(self, tracks: NDArray[np.int16]) -> None:
        """Append samples of both tracks, one row a sample: caller, bot."""
        room = self._limit_rows - self._rows - self._pending_rows
        kept = tracks[:room]
        if not len(kept) or self._file is None:
            return
        self._pending.append(kept)
        self._pending_rows += len(kept)
        if self._pending_rows >= FLUSH_SECS * RATE_HZ:
            self.flush()

    def flush(self) -> None:
        """Put what is pending into the file, and count it in the header."""
        if self._file is None or not self._pending:
            return
        self._file.write(np.concatenate(self._pending).astype("<i2").tobytes())
        self._rows += self._pending_rows
        self._pending, self._pending_rows = [], 0
        self._file.seek(0)
        self._file.write(_header(self._rows * _ROW_BYTES))
        self._file.seek(0, 2)

    def close(self) -> None:
        """Write the rest. Closing again does nothing."""
        if self._file is None:
            return
        self.flush()
        self._file.close()
        self._file = None

    def __enter__(self) -> RecordingFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_tracks(path: Path) -> NDArray[np.int16]:
    """The tracks of a finished recording, one row a sample: caller, bot.

    Raises:
        ValueError: The file is no two-track recording of ours.
    """
    try:
        with wave.open(str(path)) as source:
            shape = (source.getnchannels(), source.getsampwidth(), source.getframerate())
            audio = source.readframes(source.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path} is no WAV file: {error}.") from error
    if shape != (_CHANNELS, _SAMPLE_BYTES, RATE_HZ):
        raise ValueError(f"{path} is no recording of a call: it is not 16-bit stereo at 16 kHz.")
    return np.frombuffer(audio, "<i2").astype(np.int16, copy=False).reshape(-1, _CHANNELS)


def _header(data_bytes: int) -> bytes:
    """RIFF header of a PCM file with so much data."""
    return _HEADER.pack(
        b"RIFF", data_bytes + _HEADER.size - 8, b"WAVE", b"fmt ", 16, 1, _CHANNELS, RATE_HZ,
        RATE_HZ * _ROW_BYTES, _ROW_BYTES, 8 * _SAMPLE_BYTES, b"data", data_bytes,
    )  # fmt: skip
