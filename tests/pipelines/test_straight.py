"""Sound takes the straight way into the line, on every transport."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pipecat.frames.frames import InputAudioRawFrame, StartFrame, UserAudioRawFrame
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams

from pipelines.straight import joined, straight
from processors.stillness import STILL_SECS, Stillness
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


STILL, LOUD = bytes(640), b"\0\x40" * 320


async def test_silence_that_lasts_goes_on_in_longer_pieces_and_nothing_of_it_is_lost() -> None:
    line, tap = straight(_Line()), Tap()
    source: Any = line.input()
    silent = [STILL] * (round(STILL_SECS / 0.02) + 31)
    said, patience = (LOUD, *silent, LOUD, STILL), Stillness()
    pieces = sum(not patience.waits(audio, 0.02) for audio in said)
    async with flowing(source, tap):
        await tap.wait(StartFrame)
        for audio in said:
            await source.push_audio_frame(sound(audio))
        heard = await tap.wait(InputAudioRawFrame, pieces)
    assert b"".join(frame.audio for frame in heard) == b"".join(said)
    assert all(frame.num_frames == len(frame.audio) // 2 for frame in heard)
    assert len(heard[-3].audio) == 3 * 640
    # What can be heard takes what waits along, and what is still soon after it does not wait.
    assert heard[-2].audio.endswith(LOUD)
    assert heard[-1].audio == STILL


def test_two_in_a_room_are_not_made_one() -> None:
    frames = [UserAudioRawFrame(STILL, 16_000, 1, user_id=user) for user in "abb"]
    together: list[Any] = list(joined(frames))
    assert [(f.user_id, f.num_frames) for f in together] == [("a", 320), ("b", 640)]


def test_what_is_not_alike_is_not_made_one() -> None:
    frames = [sound(), sound(), InputAudioRawFrame(b"\0\0" * 8, 8_000, 1), sound()]
    together = joined(frames)
    assert [(f.sample_rate, f.num_frames) for f in together] == [
        (16_000, 640), (8_000, 8), (16_000, 320),
    ]  # fmt: skip
