"""A caller sends audio and messages and nothing else; what we send is a little ahead."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from loguru import logger
from pipecat.frames.frames import (
    InputAudioRawFrame,
    InputTransportMessageFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
)
from starlette.websockets import WebSocketState

from errors import BadRequestError
from pipelines.transports import socket_transport
from pipelines.websocket import LEAD_SECS, CallerFrames
from tests.support.protobuf import packed, unpacked

pytestmark = pytest.mark.unit


def audio(rate_hz: int = 16_000, channels: int = 1, data: bytes = b"\0\0" * 320) -> bytes:
    return packed("audio", audio=data, sample_rate=rate_hz, num_channels=channels)


async def test_audio_and_messages_come_through() -> None:
    frames = CallerFrames(16_000)
    heard = await frames.deserialize(audio())
    assert isinstance(heard, InputAudioRawFrame)
    assert (len(heard.audio), heard.sample_rate) == (640, 16_000)
    told = await frames.deserialize(packed("message", data=json.dumps({"label": "rtvi-ai"})))
    assert isinstance(told, InputTransportMessageFrame)
    assert told.message == {"label": "rtvi-ai"}


@pytest.mark.parametrize(
    "data",
    [
        packed("text", text="say what I wish"),
        packed("transcription", text="heard what I wish", user_id="u", timestamp="t"),
        packed("interruption"),
        packed("message", data="[1]"),
        packed("message", data="{"),
        audio(data=b"\0\0\0"),
        b"\xff\xff\xff\xff",
        b"",
        "text",
    ],
)
async def test_nothing_else_does(data: str | bytes) -> None:
    assert await CallerFrames(16_000).deserialize(data) is None


@pytest.mark.parametrize("data", [audio(rate_hz=48_000), audio(channels=2)])
async def test_audio_that_would_not_be_understood_ends_the_call(data: bytes) -> None:
    with pytest.raises(BadRequestError, match="16000 Hz"):
        await CallerFrames(16_000).deserialize(data)


async def test_an_interruption_is_a_message_of_its_own() -> None:
    sent = await CallerFrames(16_000).serialize(InterruptionFrame())
    assert unpacked(sent)[0] == "interruption"


async def test_a_flood_is_dropped_and_told_once() -> None:
    frames, told = CallerFrames(16_000), list[str]()
    sink = logger.add(told.append, level="WARNING", format="{message}")
    try:
        taken = [await frames.deserialize(audio(data=bytes(32_000))) for _ in range(500)]
        said = [await frames.deserialize(packed("message", data="{}")) for _ in range(500)]
    finally:
        logger.remove(sink)
    assert isinstance(taken[0], InputAudioRawFrame)
    assert isinstance(said[0], InputTransportMessageFrame)
    assert taken[-1] is said[-1] is None
    assert len(told) == 1


class _Sink:
    """A WebSocket that notes when what is sent."""

    client_state = application_state = WebSocketState.CONNECTED

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.sent = 0

    async def send_bytes(self, data: bytes) -> None:
        self.sent += 1


async def test_sound_is_sent_ahead_by_the_lead_and_no_more() -> None:
    """The output's clock is the loop's: 20 ms chunks, more of them than fit into the lead."""
    sink = _Sink()
    output: Any = socket_transport(sink).output()
    output._sample_rate, output._audio_chunk_size = 24_000, 960
    chunk = OutputAudioRawFrame(audio=b"\0" * 960, sample_rate=24_000, num_channels=1)
    loop = asyncio.get_running_loop()
    began = loop.time()
    count = round(LEAD_SECS / 0.02) + 10
    for _ in range(count):
        assert await output.write_audio_frame(chunk)
    assert sink.sent == count
    assert loop.time() - began >= count * 0.02 - LEAD_SECS - 0.005
