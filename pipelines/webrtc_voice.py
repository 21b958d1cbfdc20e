"""The bot's track of a WebRTC call: Opus that leaves when there is something to hear."""

from __future__ import annotations

import asyncio
import fractions
from collections import deque
from contextlib import suppress
from typing import Any

import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av.audio.frame import AudioFrame
from av.codec import CodecContext
from av.packet import Packet
from pipecat.transports.smallwebrtc.transport import RawAudioTrack

PACKET_SECS = 0.02
REST_SECS = 0.4
"""Between two packets of a bot that is silent: as often as libopus sends one (RFC 6716, 2.1.9)."""
QUIET_PACKETS = 10
"""Silence that is sent as sound, before a rest: what the codec still holds, and short pauses."""
OPUS_HZ = 48_000
"""The clock of Opus on the wire, whatever rate was encoded (RFC 7587, 4.1)."""
_OPUS_BASE = fractions.Fraction(1, OPUS_HZ)
OPUS_RATES_HZ = (8_000, 12_000, 16_000, 24_000, 48_000)
_BIT_RATE = 64_000
_COMPLEXITY = "5"
"""Of 10, as browsers have it on a telephone: how long Opus looks for the best coding."""
_BREATH_SECS = 0.001
"""Between two packets that are late, so that who writes the audio comes to write more."""
EARLY_SECS, PATIENCE_SECS = 0.011, 0.009
"""How much sooner or later than on its grid a packet leaves to go with one of the caller's.
Together 20 ms, so that each of the caller's falls to one of ours."""
_SHIFT_SECS = 0.001
"""By how much the grid follows the caller's packets, a packet: their clock is not ours."""
_MOST_ALONE = 5
"""Then the caller sends no more, and there is nothing to wait for."""
LEAD_SECS = 0.04
"""The most that sound may run ahead of the clock's time, or behind, whatever a caller sends."""


class Cadence:
    """When each packet leaves and where in the stream its sound belongs. Pure.

    Packets follow each other every 20 ms while there is sound; from the second on they leave with
    the caller's, if those come as often, so that a process wakes up once for both. A bot that is
    silent rests; the first sound after it leaves at once.
    """

    def __init__(self) -> None:
        self._sent_secs: float | None = None
        """When the last packet was due."""
        self._quiet = 0
        self._clock = 0
        self._paired = False
        """Whether the grid is that of the caller's packets."""
        self._alone = 0
        """How many packets left without one of the caller's since."""
        self._lead_secs = 0.0
        """How much further the stream is than the clock, since the last rest."""

    @property
    def resting(self) -> bool:
        """Whether silence is no longer sent as sound."""
        return self._quiet >= QUIET_PACKETS

    def due_secs(self, now_secs: float) -> float:
        """When the next packet is due if neither sound nor the caller's next packet come before."""
        if self._sent_secs is None:
            return now_secs
        if self.resting:
            return self._sent_secs + REST_SECS
        return self._sent_secs + PACKET_SECS + (PATIENCE_SECS if self._paired else 0.0)

    def pairs(self, now_secs: float, *, silent: bool) -> bool:
        """Whether a packet leaves now because one of the caller's came."""
        if self._sent_secs is None or self.resting:
            return False
        if silent and not self._quiet:
            # Whoever writes comes to write more before it is due.
            return False
        if not self._paired:
            early_secs = self._sent_secs + PACKET_SECS - now_secs
            return not silent and early_secs < min(PACKET_SECS, LEAD_SECS - self._lead_secs)
        return now_secs >= self._sent_secs + PACKET_SECS - EARLY_SECS

    def send(self, now_secs: float, *, silent: bool) -> int:
        """A packet leaves; where its sound begins, in samples of 48 kHz since the first.

        Args:
            now_secs: On any clock that only goes forward.
            silent: Whether there was nothing to put into it.
        """
        if self._sent_secs is None:
            self._sent_secs = self.due_secs(now_secs)
        elif self.resting:
            self._end_rest(now_secs, self._sent_secs, silent=silent)
        else:
            self._follow(now_secs, self._sent_secs + PACKET_SECS)
            self._clock += round(PACKET_SECS * OPUS_HZ)
        self._quiet = self._quiet + 1 if silent else 0
        return self._clock

    def _end_rest(self, now_secs: float, sent_secs: float, *, silent: bool) -> None:
        due_secs = sent_secs + REST_SECS
        if not silent:
            due_secs = min(due_secs, max(now_secs, sent_secs + PACKET_SECS))
        # What the stream is ahead is taken from the silence.
        passed_secs = max(due_secs - sent_secs - self._lead_secs, PACKET_SECS)
        self._lead_secs += passed_secs - (due_secs - sent_secs)
        self._clock += round(passed_secs * OPUS_HZ)
        self._sent_secs, self._paired = due_secs, False

    def _follow(self, now_secs: float, due_secs: float) -> None:
        """Set the grid by a packet that leaves now."""
        early_secs = due_secs - now_secs
        if not self._paired and early_secs > 0:
            self._paired, self._alone = True, 0
        elif self._paired and -early_secs < PATIENCE_SECS:
            self._alone = 0
            early_secs = max(-_SHIFT_SECS, min(early_secs, _SHIFT_SECS))
        else:
            early_secs, self._alone = 0.0, self._alone + 1
            self._paired = self._paired and self._alone < _MOST_ALONE
        early_secs = min(early_secs, LEAD_SECS - self._lead_secs)
        early_secs = max(early_secs, -LEAD_SECS - self._lead_secs)
        self._lead_secs += early_secs
        self._sent_secs = due_secs - early_secs


class Voice(MediaStreamTrack):
    """The bot's track, as Opus: aiortc sends encoded packets as they are.

    Args:
        raw: Pipecat's track, which the audio is written to; never read but by this one.
    """

    kind = "audio"

    def __init__(self, raw: RawAudioTrack) -> None:
        super().__init__()
        self._chunks: deque[tuple[bytes, asyncio.Future[bool] | None]] = raw._chunk_queue  # pyright: ignore[reportPrivateUsage]
        self._rate_hz: int = raw._sample_rate  # pyright: ignore[reportPrivateUsage]
        self._packet_bytes = 2 * round(self._rate_hz * PACKET_SECS)
        self._encoder = opus_encoder(self._rate_hz)
        self._time_base = fractions.Fraction(1, self._rate_hz)
        self._encoded = 0
        self._rest = b""
        """A packet of nothing (RFC 6716, 3.1): its one byte names the coding of those before it."""
        self._cadence = Cadence()
        self._clock = asyncio.get_running_loop().time
        self._sound = asyncio.Event()
        self._beat = asyncio.Event()
        self._add = raw.add_audio_bytes
        raw.add_audio_bytes = self._written

    async def recv(self) -> Packet[Any]:
        """The next packet, when it is due.

        Raises:
            MediaStreamError: The track was stopped.
        """
        if self.readyState != "live":
            raise MediaStreamError
        await self._until_due()
        silent, resting = not self._chunks, self._cadence.resting
        encoded = self._rest if silent and resting else self._encode(self._take())
        packet: Packet[Any] = Packet(encoded)
        packet.pts = self._cadence.send(self._clock(), silent=silent)
        packet.time_base = _OPUS_BASE
        return packet

    def beat(self) -> None:
        """A packet of the caller's came."""
        self._beat.set()

    async def _until_due(self) -> None:
        now_secs = self._clock()
        due_secs = self._cadence.due_secs(now_secs)
        if not self._cadence.resting and due_secs - now_secs < _BREATH_SECS:
            await asyncio.sleep(_BREATH_SECS)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due_secs):
                await (self._until_sound() if self._cadence.resting else self._until_paired())

    async def _until_sound(self) -> None:
        self._sound.clear()
        if not self._chunks:
            await self._sound.wait()

    async def _until_paired(self) -> None:
        self._beat.clear()
        await self._beat.wait()
        while not self._cadence.pairs(self._clock(), silent=not self._chunks):
            self._beat.clear()
            await self._beat.wait()

    def _written(self, audio_bytes: bytes) -> asyncio.Future[Any]:
        """Take audio, and end a rest."""
        written = self._add(audio_bytes)
        self._sound.set()
        return written

    def _take(self) -> bytes:
        """20 ms of what was written, silence behind it; who wrote it is told."""
        sound = b""
        while self._chunks and len(sound) < self._packet_bytes:
            chunk, written = self._chunks.popleft()
            sound += chunk
            if written and not written.done():
                written.set_result(True)
        return sound.ljust(self._packet_bytes, b"\0")

    def _encode(self, sound: bytes) -> bytes:
        samples = np.frombuffer(sound, np.int16)
        frame = AudioFrame.from_ndarray(samples[None, :], layout="mono")
        frame.sample_rate = self._rate_hz
        frame.time_base = self._time_base
        frame.pts = self._encoded
        self._encoded += len(samples)
        encoded = bytes(self._encoder.encode(frame)[0])
        self._rest = bytes([encoded[0] & 0xFC])
        return encoded


def opus_encoder(rate_hz: int) -> Any:
    """Mono speech at its own rate: resampled first, it would come a packet later.

    Opus has two ways; at this rate it takes its transform, the cheaper, in any case. To say so
    beforehand spares the 4 ms by which sound is held back for a change to the other.
    """
    encoder: Any = CodecContext.create("libopus", "w")
    encoder.bit_rate, encoder.format, encoder.layout = _BIT_RATE, "s16", "mono"
    encoder.sample_rate, encoder.time_base = rate_hz, fractions.Fraction(1, rate_hz)
    encoder.options = {"application": "lowdelay", "compression_level": _COMPLEXITY}
    return encoder
