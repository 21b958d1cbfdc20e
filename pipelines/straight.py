"""A caller's sound goes down the line as it comes: no transport queues it for a task of its own.

But for silence that has lasted: it goes on 60 ms at a time, as each step of a line costs the same
whatever it carries.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from pipecat.frames.frames import InputAudioRawFrame, UserAudioRawFrame
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_transport import BaseTransport

from processors.stillness import Stillness


def straight(transport: BaseTransport) -> BaseTransport:
    """Have that transport's input push each frame at once; the same transport.

    Pipecat's input queues it for a task that runs it through a filter first, and waits with a
    time-out: three wake-ups a frame. There is no filter in our lines.
    """
    source = transport.input()
    assert isinstance(source, BaseInputTransport)
    stillness = Stillness()
    held: list[InputAudioRawFrame] = []

    async def push_audio_frame(frame: InputAudioRawFrame) -> None:
        stopped = source._paused  # pyright: ignore[reportPrivateUsage] - it tells nobody
        if not frame.audio or stopped:
            return
        waits = stillness.waits(frame.audio, frame.num_frames / frame.sample_rate)
        held.append(frame)
        if waits:
            return
        together = joined(held)
        held.clear()
        for ready in together:
            await source.push_frame(ready)

    source.push_audio_frame = push_audio_frame
    return transport


def joined(frames: Sequence[InputAudioRawFrame]) -> list[InputAudioRawFrame]:
    """Frames that follow each other, those that are alike in one: the last of them, made longer."""
    together: list[InputAudioRawFrame] = []
    for _, group in groupby(frames, _kind):
        alike = list(group)
        last = alike[-1]
        last.audio = b"".join(frame.audio for frame in alike)
        last.num_frames = sum(frame.num_frames for frame in alike)
        last.pts = alike[0].pts
        together.append(last)
    return together


def _kind(frame: InputAudioRawFrame) -> tuple[object, ...]:
    speaker = frame.user_id if isinstance(frame, UserAudioRawFrame) else None
    return frame.sample_rate, frame.num_channels, speaker
