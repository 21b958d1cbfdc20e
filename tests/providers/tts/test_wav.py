"""A WAV is read as it comes, however it is cut."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.tts._wav import WavError, read_wav

pytestmark = pytest.mark.unit

SAMPLES = bytes(range(200)) * 2


def wav(
    samples: bytes = SAMPLES,
    *,
    rate_hz: int = 22_050,
    channels: int = 1,
    bits: int = 16,
    code: int = 1,
    before: bytes = b"",
) -> bytes:
    layout = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, code, channels, rate_hz, rate_hz * 2, 2 * channels, bits
    )
    data = struct.pack("<4sI", b"data", len(samples)) + samples
    body = b"WAVE" + before + layout + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


async def read(content: bytes, size: int = 7) -> tuple[int, bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), size):
            yield content[start : start + size]

    rate_hz, audio = await read_wav(pieces())
    return rate_hz, b"".join([piece async for piece in audio])


@given(st.integers(1, 500))
async def test_it_may_be_cut_anywhere(size: int) -> None:
    assert await read(wav(), size) == (22_050, SAMPLES)


async def test_other_tables_are_passed_over() -> None:
    assert await read(wav(before=b"LIST\x05\0\0\0Piper\0")) == (22_050, SAMPLES)


async def test_channels_are_mixed() -> None:
    both = struct.pack("<4h", 100, 300, -50, 50)
    assert await read(wav(both, channels=2)) == (22_050, struct.pack("<2h", 200, 0))


async def test_half_a_sample_at_the_end_is_dropped() -> None:
    assert await read(wav(SAMPLES + b"\1")) == (22_050, SAMPLES)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>502 Bad Gateway</html>",
        wav()[:30],
        wav(bits=8),
        wav(code=3),
        wav(rate_hz=0),
        b"RIFF\0\0\0\0WAVEdata\0\0\0\0",
        b"RIFF\0\0\0\0AVI ",
    ],
)
async def test_what_is_no_wav_of_16_bits_is_refused(content: bytes) -> None:
    with pytest.raises(WavError):
        await read(content)


async def test_a_header_without_an_end_is_given_up() -> None:
    with pytest.raises(WavError):
        await read(b"RIFF\0\0\0\0WAVE" + bytes(100_000), 4096)
