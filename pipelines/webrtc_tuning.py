"""A WebRTC call with few wake-ups and no waiting: what stands in for parts of Pipecat and aiortc.

What the caller says is handed on as it comes and decoded on the event loop; what the bot says is
encoded there (`pipelines.webrtc_voice`). Neither takes a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from aiortc.codecs import get_decoder
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.mediastreams import MediaStreamTrack
from av.audio.frame import AudioFrame
from av.error import FFmpegError
from av.frame import Frame
from loguru import logger
from pipecat.transports.smallwebrtc.connection import (
    AUDIO_TRANSCEIVER_INDEX,
    SmallWebRTCConnection,
    SmallWebRTCTrack,
)
from pipecat.transports.smallwebrtc.transport import RawAudioTrack

from pipelines.pace import Pace
from pipelines.playout import Playout
from pipelines.webrtc_voice import OPUS_RATES_HZ, Voice

KEPT_BACK = 48
"""Samples of 48 kHz that FFmpeg's resampler waits for on the way to 16 kHz: half its filter."""


class Run(JitterFrame):
    """Encoded frames that follow each other; aiortc takes them for the first."""

    def __init__(self, frames: list[JitterFrame]) -> None:
        super().__init__(data=frames[0].data, timestamp=frames[0].timestamp)
        self._frames = frames
        self._began = frames[0].timestamp

    def frames(self) -> list[JitterFrame]:
        """Each, on the time scale that aiortc has put the first on."""
        return [
            JitterFrame(frame.data, self.timestamp + (frame.timestamp - self._began) % 2**32)
            for frame in self._frames
        ]


class VoiceBuffer(JitterBuffer):
    """Stands where aiortc keeps a jitter buffer for audio, and plays out by `Playout`.

    Args:
        clock: Gives seconds.
        came: Told of each packet.
    """

    def __init__(self, clock: Callable[[], float], came: Callable[[], None]) -> None:
        super().__init__(capacity=1)
        self._clock = clock
        self._came = came
        self._playout = Playout[Any]()
        self._source: int | None = None

    def restart(self) -> None:
        """Wait for nothing that was sent before now."""
        self._playout.restart()

    def add(self, packet: Any) -> tuple[bool, JitterFrame | None]:
        """Take a packet; what can be decoded now, if anything.

        An Opus packet is a whole frame: none waits for the next to know that it is complete.
        """
        self._came()
        if packet.ssrc != self._source:
            self._source = packet.ssrc
            self.restart()
        given = self._playout.push(packet.sequence_number, packet, at_ms=self._clock() * 1000)
        # A packet of padding alone would end the decoder's stream.
        frames = [JitterFrame(p._data, p.timestamp) for p in given if p._data]
        return False, Run(frames) if frames else None


class InlineDecoder:
    """Stands where aiortc queues frames for its decoder's thread, and decodes them at once.

    The thread sleeps until the receiver stops; it then ends the track, as ever.

    Args:
        idle: The queue that the thread waits at.
        track: Where decoded frames go.
        takes: Whether so many seconds more are not too early.
    """

    def __init__(self, idle: Any, track: Any, takes: Callable[[float], bool]) -> None:
        self._idle = idle
        self._track = track
        self._codec_name = ""
        self._decoder: Any = None
        self._takes = takes

    def get(self) -> Any:
        """What the thread is to do: nothing, until it is to end."""
        return self._idle.get()

    def put(self, task: tuple[Any, JitterFrame] | None) -> None:
        """Decode a frame, or a run of them; None ends it all."""
        if task is None:
            self._idle.put(None)
            return
        codec, encoded = task
        if codec.name != self._codec_name:
            self._codec_name, self._decoder = codec.name, _mono(get_decoder(codec))
        for frame in encoded.frames() if isinstance(encoded, Run) else [encoded]:
            self._decode(frame)

    def _decode(self, frame: JitterFrame) -> None:
        try:
            decoded: list[AudioFrame] = self._decoder.decode(frame)
        except FFmpegError as error:
            logger.warning("A packet of the caller's cannot be decoded: {}", error)
            return
        for sound in decoded:
            if self._takes(sound.samples / sound.sample_rate):
                self._track._queue.put_nowait(sound)


class Microphone(SmallWebRTCTrack):
    """The caller's track, on which nothing is missing where reading begins.

    Pipecat's own drops what comes before the first read and after a pause, and leaves a hole in
    the buffer. Here what comes before the first read waits, and a pause begins a new stretch.

    Args:
        receiver: aiortc's receiver of audio; it is given a buffer and a decoder.
        came: Told of each packet.
    """

    _primed = False

    def __init__(self, receiver: Any, came: Callable[[], None]) -> None:
        super().__init__(receiver)
        self._buffer = VoiceBuffer(asyncio.get_running_loop().time, came)
        idle = receiver._RTCRtpReceiver__decoder_queue
        receiver._RTCRtpReceiver__jitter_buffer = self._buffer
        receiver._RTCRtpReceiver__decoder_queue = InlineDecoder(
            idle, receiver.track, Pace().takes_audio
        )
        receiver._enabled = True

    async def recv(self) -> Frame | None:
        """The next 20 ms."""
        if not self._receiver._enabled:
            self._buffer.restart()
        frame = await super().recv()
        if self._primed or not isinstance(frame, AudioFrame):
            return frame
        self._primed = True
        return _behind_silence(frame)


class TunedConnection(SmallWebRTCConnection):
    """Pipecat's connection, with our ends of both tracks."""

    _bot: Voice | None = None

    async def initialize(self, sdp: str, type: str) -> None:
        """Answer the first offer."""
        await super().initialize(sdp, type)
        self._listen()

    async def renegotiate(self, sdp: str, type: str, restart_pc: bool = False) -> None:
        """Answer a later offer."""
        await super().renegotiate(sdp, type, restart_pc)
        self._listen()

    def replace_audio_track(self, track: MediaStreamTrack) -> None:
        """Send that track from now on."""
        super().replace_audio_track(self._voice(track))

    def _listen(self) -> None:
        # The caller has no answer yet, so no packet has come that another buffer would hold.
        audio = self._audio()
        if audio and AUDIO_TRANSCEIVER_INDEX not in self._track_map:
            self._track_map[AUDIO_TRANSCEIVER_INDEX] = Microphone(audio.receiver, self._beat)

    def _beat(self) -> None:
        if self._bot:
            self._bot.beat()

    def _voice(self, track: MediaStreamTrack) -> MediaStreamTrack:
        self._bot = None
        audio, raw = self._audio(), cast(Any, track)
        is_opus = audio and audio._codecs and audio._codecs[0].name.lower() == "opus"
        if not is_opus or not isinstance(track, RawAudioTrack) or not raw._auto_silence:
            return track
        self._bot = Voice(track) if raw._sample_rate in OPUS_RATES_HZ else None
        return self._bot or track

    def _audio(self) -> Any:
        """The transceiver that Pipecat takes for the audio; None if it is none."""
        transceivers = self.pc.getTransceivers()
        audio = transceivers[AUDIO_TRANSCEIVER_INDEX] if transceivers else None
        return audio if audio and audio.kind == "audio" else None


def _behind_silence(frame: AudioFrame) -> AudioFrame:
    """That frame with as much silence before it as the pipeline's resampler keeps back.

    With it each packet comes out of there whole; without, the end of each waits for the next.
    """
    samples = frame.to_ndarray()
    silence = np.zeros((len(samples), KEPT_BACK * len(frame.layout.channels)), samples.dtype)
    longer = cast(Any, AudioFrame).from_ndarray(
        np.concatenate((silence, samples), axis=1), format=frame.format.name,
        layout=frame.layout.name,
    )  # fmt: skip
    longer.sample_rate, longer.time_base = frame.sample_rate, frame.time_base
    longer.pts = frame.pts
    return longer


def _mono(decoder: Any) -> Any:
    """Let Opus give one channel: a pipeline hears one, and a microphone has no more."""
    codec = getattr(decoder, "codec", None)
    if codec is not None and codec.name == "libopus":
        codec.layout = "mono"
    return decoder
