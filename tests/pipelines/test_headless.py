"""Recordings of every kind become the same speech; what holds none is told."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from errors import ConfigError
from pipelines.headless import HeadlessTransport, read_speech

pytestmark = pytest.mark.unit


def write(path: Path, *, rate_hz: int, channels: int, loud: float = 0.5, secs: float = 1.0) -> Path:
    time = np.arange(int(rate_hz * secs)) / rate_hz
    tone = (loud * 32767 * np.sin(2 * np.pi * 300 * time)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.repeat(tone, channels).tobytes())
    return path


@pytest.mark.parametrize("rate_hz", [8000, 11_025, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_rate_and_channel_count(tmp_path: Path, rate_hz: int, channels: int) -> None:
    speech = read_speech(write(tmp_path / "a.wav", rate_hz=rate_hz, channels=channels))
    samples = np.frombuffer(speech, "<i2").astype(float)
    assert abs(len(samples) - 16_000) <= 200
    spectrum = np.abs(np.fft.rfft(samples[2000:14_000]))
    assert abs(int(spectrum.argmax()) * 16_000 / 12_000 - 300) < 5
    assert 0.4 < np.abs(samples).max() / 32767 < 0.6


def test_silence_is_no_speech(tmp_path: Path) -> None:
    silent = write(tmp_path / "silent.wav", rate_hz=16_000, channels=1, loud=0)
    with pytest.raises(ConfigError, match=r"silent\.wav is silent"):
        read_speech(silent)


def test_an_empty_recording_is_told(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.wav", rate_hz=16_000, channels=1, secs=0)
    with pytest.raises(ConfigError, match=r"empty\.wav"):
        read_speech(empty)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not audio at all" * 100])
def test_what_is_no_recording_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "noise.wav"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"noise\.wav"):
        read_speech(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.wav"):
        read_speech(tmp_path / "absent.wav")


async def test_whoever_speaks_into_a_call_that_is_over_does_not_wait() -> None:
    transport = HeadlessTransport()
    speaking = asyncio.ensure_future(transport.say([bytes(32_000)]))
    await asyncio.sleep(0)
    await transport.input().cleanup()
    async with asyncio.timeout(5):
        await speaking
        await transport.say([bytes(32_000)])
