"""Sound takes the straight way into the line, on every transport."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pipecat.frames.frames import InputAudioRawFrame, StartFrame
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams

from pipelines.straight import straight
from tests.support.pipes import Tap, flowing

pytestmark = pytest.mark.unit


class _Line(BaseTransport):
    def __init__(self) -> None:
        super().__init__()
        params = TransportParams(audio_in_enabled=True)
        self._in, self._out = _Input(params), BaseOutputTransport(params)

    def input(self) -> BaseInputTransport:
        return self._in

    def output(self) -> BaseOutputTransport:
        return self._out


class _Input(BaseInputTransport):
    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)


def sound(audio: bytes = b"\1\0" * 320) -> InputAudioRawFrame:
    return InputAudioRawFrame(audio, 16_000, 1)


async def test_sound_is_on_its_way_when_it_was_pushed() -> None:
    line, tap = straight(_Line()), Tap()
    source: Any = line.input()
    async with flowing(source, tap):
        await tap.wait(StartFrame)
        for _ in range(3):
            await source.push_audio_frame(sound())
        # Nothing of Pipecat's waits for it.
        assert source._audio_in_queue.empty()
        await asyncio.sleep(0.05)
        assert len(tap.of(InputAudioRawFrame)) == 3


async def test_nothing_and_what_comes_after_the_end_is_not_passed_on() -> None:
    line, tap = straight(_Line()), Tap()
    source: Any = line.input()
    async with flowing(source, tap):
        await tap.wait(StartFrame)
        await source.push_audio_frame(sound(b""))
        source._paused = True
        await source.push_audio_frame(sound())
        await asyncio.sleep(0.05)
        assert tap.of(InputAudioRawFrame) == []
