"""A caller without a microphone: recordings are played to the bot in real time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from pipecat.frames.frames import InputAudioRawFrame, OutputAudioRawFrame, StartFrame
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams

from errors import ConfigError
from pipelines.transports import AUDIO_IN_HZ, audio_params

_FRAME_SECS = 0.02
_FRAME_BYTES = int(AUDIO_IN_HZ * _FRAME_SECS) * 2
_MAX_SECS = 3600
_PAUSE_SECS = 0.1


def read_speech(path: Path) -> bytes:
    """Read a recording of any rate, channel count and format as int16 LE mono at 16 kHz.

    Raises:
        ConfigError: It cannot be read, holds no audio, is silent or longer than an hour.
    """
    resampler = AudioResampler(format="s16", layout="mono", rate=AUDIO_IN_HZ)
    pieces: list[bytes] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise ConfigError(f"{path} holds no audio.", code="no_audio", field="wav")
            for frame in container.decode(audio=0):
                pieces += [piece.to_ndarray().tobytes() for piece in resampler.resample(frame)]
                if len(pieces) * len(pieces[0] if pieces else b"") > _MAX_SECS * AUDIO_IN_HZ * 2:
                    raise ConfigError(f"{path} is longer than an hour.", field="wav")
        pieces += [piece.to_ndarray().tobytes() for piece in resampler.resample(None)]
    except (FFmpegError, OSError) as error:
        raise ConfigError(
            f"{path} cannot be read as audio: {error.strerror}.", code="unreadable", field="wav"
        ) from error
    speech = b"".join(pieces)
    samples = np.frombuffer(speech, dtype="<i2")
    if samples.size == 0 or int(np.abs(samples.astype(np.int32)).max()) < 100:
        raise ConfigError(
            f"{path} is silent: there is no speech in it.", code="silent", field="wav"
        )
    return speech


class _Input(BaseInputTransport):
    """Sends 20 ms every 20 ms: the clips that were queued, silence between them."""

    def __init__(self, params: TransportParams) -> None:
        super().__init__(params)
        self._audio: deque[bytes] = deque()
        self._pump_task: asyncio.Task[None] | None = None
        self.said = asyncio.Event()
        self.said.set()
        self._over = False

    def say(self, speech: bytes) -> None:
        """Queue a clip; `said` is set when its last sample was sent, or the call is over."""
        if self._over:
            return
        self.said.clear()
        padded = speech + bytes(-len(speech) % _FRAME_BYTES)
        self._audio.extend(
            padded[start : start + _FRAME_BYTES] for start in range(0, len(padded), _FRAME_BYTES)
        )

    async def start(self, frame: StartFrame) -> None:
        """Start sending."""
        await super().start(frame)
        await self.set_transport_ready(frame)
        self._pump_task = self.create_task(self._pump())

    async def cleanup(self) -> None:
        """Stop sending."""
        if self._pump_task:
            await self.cancel_task(self._pump_task)
            self._pump_task = None
        # Nobody hears the rest, and whoever speaks must not wait for it.
        self._over = True
        self._audio.clear()
        self.said.set()
        await super().cleanup()

    async def _pump(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            audio = self._audio.popleft() if self._audio else bytes(_FRAME_BYTES)
            await self.push_audio_frame(InputAudioRawFrame(audio, AUDIO_IN_HZ, 1))
            if not self._audio:
                self.said.set()
            due += _FRAME_SECS
            await asyncio.sleep(max(0.0, due - loop.time()))


class _Output(BaseOutputTransport):
    """Takes audio as fast as it would be heard, and no faster."""

    def __init__(self, params: TransportParams, on_ready: Callable[[], Awaitable[None]]) -> None:
        super().__init__(params)
        self._free_at = 0.0
        self._on_ready = on_ready

    async def start(self, frame: StartFrame) -> None:
        """Be ready at once, and the caller connected."""
        await super().start(frame)
        await self.set_transport_ready(frame)
        await self._on_ready()

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        """Return when the frame would have been heard to its end."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        # A sleep that overshoots is made up for by the next; only a pause starts the clock anew.
        if now - self._free_at > _PAUSE_SECS:
            self._free_at = now
        self._free_at += frame.num_frames / frame.sample_rate
        await asyncio.sleep(max(0.0, self._free_at - now))
        return True


class HeadlessTransport(BaseTransport):
    """A call without a network: what `offhook call` talks through."""

    def __init__(self) -> None:
        super().__init__()
        self._input = _Input(audio_params())
        self._output = _Output(audio_params(), self._connect)
        # The names that every Pipecat transport gives these two moments.
        self._register_event_handler("on_client_connected")
        self._register_event_handler("on_client_disconnected")

    def input(self) -> _Input:
        """Where the recordings come in."""
        return self._input

    def output(self) -> _Output:
        """Where the bot's audio goes."""
        return self._output

    async def say(self, clips: Sequence[bytes]) -> None:
        """Play the clips to the bot; return when the last sample was sent."""
        for clip in clips:
            self._input.say(clip)
        await self._input.said.wait()

    async def _connect(self) -> None:
        await self._call_event_handler("on_client_connected", self)

    async def hang_up(self) -> None:
        """End the call, as a browser does by leaving."""
        await self._call_event_handler("on_client_disconnected", self)
