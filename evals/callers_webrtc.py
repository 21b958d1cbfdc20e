"""Callers over WebRTC: real ICE, DTLS, SRTP and Opus; what they send was encoded beforehand."""

from __future__ import annotations

import asyncio
import contextlib
import fractions
from collections.abc import Mapping, Sequence
from typing import Any

import av
import numpy as np
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.codec import CodecContext
from av.packet import Packet

from evals.callers import Caller, RefusedError, Speech, cut
from evals.callers_talk import PACKET_SECS, Clip
from evals.latency_cells import FINAL_MS
from evals.latency_turns import RATE_HZ, Saying
from evals.simulators._ears import stretches
from providers.stt._loudness import FRAME_MS

_OPUS_HZ = 48_000
_PACKET = int(_OPUS_HZ * PACKET_SECS)
_BASE = fractions.Fraction(1, _OPUS_HZ)
_LEAD = 3
"""Packets of silence before a clip, for the encoder."""
_BIT_RATE = 32_000
_PING_SECS = 1.0
_CONNECT_SECS = 20.0


def opus_speech(said: Sequence[Saying]) -> Speech:
    """The turns as Opus packets."""
    return Speech(tuple(_clip(saying) for saying in said), _encode(bytes(6 * 640))[-1])


def _clip(saying: Saying) -> Clip:
    """Opus moves the end of speech: it smears a word's faint end, and holds some sound back.

    As before it was encoded, the end shall be in the middle of a packet, so that the recogniser's
    final is due as a packet arrives. And it shall be clear: heard a moment later, by another
    decoder, it is not to fall into the next 10 ms, which would cost or save a whole packet.
    """
    tries: list[tuple[list[bytes], list[int]]] = []
    for lead_ms in range(2 * FRAME_MS):
        tries.append(_opus(saying, lead_ms))
        if _unclear(tries[-1][1]) == (False, 1):
            break
    packets, ends_ms = min(tries, key=lambda it: _unclear(it[1]))
    return Clip(tuple(packets), padding_secs=len(packets) * PACKET_SECS - ends_ms[0] / 1000)


def _opus(saying: Saying, lead_ms: int) -> tuple[list[bytes], list[int]]:
    """The packets of a turn behind so much silence, and where its speech ends in them."""
    silence = bytes(_LEAD * int(RATE_HZ * PACKET_SECS) * 2)
    lead = bytes(lead_ms * RATE_HZ // 1000 * 2)
    packets = _encode(silence + lead + saying.audio + bytes(2 * 640))[_LEAD:]
    return packets, heard_ends_ms(packets)


def _unclear(ends_ms: Sequence[int]) -> tuple[bool, int]:
    """A key to sort by: an end in the middle of a packet, and one that all agree on, come first."""
    return ends_ms[0] % (2 * FRAME_MS) != FRAME_MS, len(set(ends_ms))


def heard_ends_ms(packets: Sequence[bytes]) -> list[int]:
    """Where speech ends in those packets, as heard at once and 1, 2 and 3 ms later.

    The server's decoder puts a millisecond of silence before what it hears.
    """
    audio = _decode(packets)
    return [speech_end_ms(bytes(late_ms * RATE_HZ // 1000 * 2) + audio) for late_ms in range(4)]


def speech_end_ms(audio: bytes) -> int:
    """Where the last stretch of speech ends in `audio`, int16 LE mono of 16 kHz."""
    return stretches(audio, sample_rate_hz=RATE_HZ, pause_ms=FINAL_MS)[-1][-1]


def _decode(packets: Sequence[bytes]) -> bytes:
    decoder: Any = CodecContext.create("libopus", "r")
    decoder.format, decoder.layout = "s16", "mono"
    resampler = AudioResampler("s16", "mono", RATE_HZ)
    decoded = [frame for packet in packets for frame in decoder.decode(Packet(packet))]
    pieces = [piece for frame in decoded for piece in resampler.resample(frame)]
    return b"".join(piece.to_ndarray().tobytes() for piece in pieces)


def _encode(audio: bytes) -> list[bytes]:
    """Opus as a browser's microphone gives it: mono speech, 20 ms a packet; 16 kHz in."""
    encoder: Any = CodecContext.create("libopus", "w")
    encoder.bit_rate, encoder.format, encoder.layout = _BIT_RATE, "s16", "mono"
    encoder.sample_rate, encoder.time_base = RATE_HZ, fractions.Fraction(1, RATE_HZ)
    encoder.options = {"application": "voip"}
    step = int(RATE_HZ * PACKET_SECS)
    packets: list[bytes] = []
    for number, piece in enumerate(cut(audio, packet_bytes=2 * step)):
        frame = AudioFrame.from_ndarray(
            np.frombuffer(piece, "<i2").reshape(1, -1), format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, number * step, encoder.time_base
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


class _Microphone(MediaStreamTrack):
    """Gives packets as they are due; aiortc sends them as they are."""

    kind = "audio"

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self._caller = caller
        self._pts = 0

    async def recv(self) -> Any:
        """The next packet, once it is due."""
        packet = Packet(await self._caller.next_packet())
        packet.pts, packet.time_base = self._pts, _BASE
        self._pts += _PACKET
        return packet


class WebRtcCaller(Caller):
    """A browser's end of a call, without the browser."""

    mode = "webrtc"

    def __init__(self, http: Any, speech: Speech) -> None:
        super().__init__(http, speech)
        self._peer = RTCPeerConnection()
        self._open = asyncio.Event()
        self._tasks: list[asyncio.Future[None]] = []
        self._decoder: Any = CodecContext.create("libopus", "r")
        self._decoder.format, self._decoder.layout = "s16", "mono"
        self._decoder.sample_rate = _OPUS_HZ

    async def connect(self, opened: Mapping[str, Any]) -> None:
        """Offer, take the answer, wait until the connection is up."""
        self.session = str(opened["sessionId"])
        peer = self._peer
        peer.addTrack(_Microphone(self))
        channel: Any = peer.createDataChannel("chat")
        peer.on("connectionstatechange", self._changed)
        await peer.setLocalDescription(await peer.createOffer())
        receiver: Any = peer.getTransceivers()[0].receiver
        # aiortc's own end of a receiver, a thread with a decoder behind a buffer, would cost a
        # caller more than its bot.
        receiver._handle_rtp_packet = self._take
        offer = {"sdp": peer.localDescription.sdp, "type": "offer"}
        told = await self.ask(f"/sessions/{self.session}/api/offer", offer)
        self.answered()
        await peer.setRemoteDescription(RTCSessionDescription(told["sdp"], told["type"]))
        try:
            async with asyncio.timeout(_CONNECT_SECS):
                await self._open.wait()
        except TimeoutError:
            raise RefusedError("the connection was not up in time") from None
        self._tasks.append(asyncio.ensure_future(self._ping(channel)))

    async def hang_up(self) -> None:
        """Close the connection; the other side is told."""
        await self._stop()
        await self._peer.close()

    async def vanish(self) -> None:
        """Send nothing more, and no good-bye."""
        await self._stop()
        for transceiver in self._peer.getTransceivers():
            transport: Any = transceiver.sender.transport
            await transport.transport.stop()
        # Nothing that closing sends leaves the machine any more.
        with contextlib.suppress(ConnectionError):
            await self._peer.close()

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.over.set()

    def _changed(self) -> None:
        if self._peer.connectionState == "connected" and self.connected_secs is None:
            self.connected_secs = asyncio.get_running_loop().time()
            self._open.set()
        elif self._peer.connectionState in ("failed", "closed"):
            self.over.set()

    async def _take(self, packet: Any, **_: Any) -> None:
        now_secs = asyncio.get_running_loop().time()
        for frame in self._decoder.decode(av.Packet(packet.payload)):
            samples = frame.to_ndarray()[0][:: 1 if frame.layout.name == "mono" else 2]
            self.ear.hear(samples, at_secs=now_secs, rate_hz=_OPUS_HZ)

    async def _ping(self, channel: Any) -> None:
        """Say once a second that somebody is there, as the page does."""
        while True:
            if channel.readyState == "open":
                channel.send("ping")
            await asyncio.sleep(_PING_SECS)
