"""A WAV as it comes: its rate from the header, its samples as they arrive."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator

import numpy as np

_PCM = (1, 0xFFFE)
"""Format codes of uncompressed samples."""
_HEADER_LIMIT_BYTES = 64 * 1024


class WavError(Exception):
    """What came is no WAV of 16-bit samples."""


async def read_wav(chunks: AsyncIterator[bytes]) -> tuple[int, AsyncIterator[bytes]]:
    """Read the header; return the rate in Hz and the samples as int16 LE mono.

    Raises:
        WavError: It is none, or its samples are not of 16 bits.
    """
    buffer = bytearray()
    while (header := _header(buffer)) is None:
        try:
            buffer += await anext(chunks)
        except StopAsyncIteration:
            raise WavError("what came is not a WAV") from None
    start, rate_hz, channels = header
    return rate_hz, _mono(bytes(buffer[start:]), chunks, channels)


def _header(buffer: bytearray) -> tuple[int, int, int] | None:
    """Where the samples begin, their rate and channels; None if more bytes are needed.

    Raises:
        WavError: It is not a WAV of 16-bit samples.
    """
    is_wav = b"RIFF".startswith(buffer[:4]) and b"WAVE".startswith(buffer[8:12])
    if not is_wav or len(buffer) > _HEADER_LIMIT_BYTES:
        raise WavError("what came is not a WAV")
    position, described = 12, None
    while len(buffer) >= position + 8:
        name = bytes(buffer[position : position + 4])
        (size,) = struct.unpack_from("<I", buffer, position + 4)
        position += 8
        if name == b"data":
            if described is None:
                raise WavError("its samples are not described")
            return (position, *described)
        if name == b"fmt " and len(buffer) >= position + 16:
            described = _described(buffer, position)
        position += size + size % 2
    return None


def _described(buffer: bytearray, position: int) -> tuple[int, int]:
    code, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", buffer, position)
    if code not in _PCM or bits != 16 or not 1 <= channels <= 8 or not 4000 <= rate_hz <= 192_000:
        raise WavError(f"its samples are {bits}-bit of format {code}, not 16-bit PCM")
    return rate_hz, channels


async def _mono(first: bytes, chunks: AsyncIterator[bytes], channels: int) -> AsyncIterator[bytes]:
    """The mean of the channels; whole samples only."""
    rest = first
    size = 2 * channels
    while True:
        whole = len(rest) // size * size
        if whole:
            samples = np.frombuffer(rest[:whole], "<i2").reshape(-1, channels)
            yield samples.mean(axis=1).astype("<i2").tobytes() if channels > 1 else rest[:whole]
        try:
            rest = rest[whole:] + await anext(chunks)
        except StopAsyncIteration:
            return
