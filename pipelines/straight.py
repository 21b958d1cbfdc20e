"""A caller's sound goes down the line as it comes: no transport queues it for a task of its own."""

from __future__ import annotations

from pipecat.frames.frames import InputAudioRawFrame
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_transport import BaseTransport


def straight(transport: BaseTransport) -> BaseTransport:
    """Have that transport's input push each frame at once; the same transport.

    Pipecat's input queues it for a task that runs it through a filter first, and waits with a
    time-out: three wake-ups a frame. There is no filter in our lines.
    """
    source = transport.input()
    assert isinstance(source, BaseInputTransport)

    async def push_audio_frame(frame: InputAudioRawFrame) -> None:
        stopped = source._paused  # pyright: ignore[reportPrivateUsage] - it tells nobody
        if frame.audio and not stopped:
            await source.push_frame(frame)

    source.push_audio_frame = push_audio_frame
    return transport
