"""What either says is what the other hears, without a thread for it.

The last part holds what is relied on in Pipecat and aiortc and written down nowhere.
"""

from __future__ import annotations

import asyncio
import fractions
import itertools
import queue
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtp import RtpPacket
from av.packet import Packet
from pipecat.frames.frames import InputAudioRawFrame, InterruptionFrame, TTSAudioRawFrame
from pipecat.transports.smallwebrtc.connection import SmallWebRTCTrack
from pipecat.transports.smallwebrtc.transport import RawAudioTrack

from pipelines.transports import WebRtcPeer
from pipelines.webrtc_tuning import (
    InlineDecoder,
    Microphone,
    Run,
    VoiceBuffer,
)
from pipelines.webrtc_voice import Voice
from tests.support.opus import Samples, as_sent, decoded, likeness, resampled
from tests.support.pipes import Flow, Tap, flowing
from tests.support.speech import clip

pytestmark = pytest.mark.integration

IN_HZ, OUT_HZ, WIRE_HZ = 16_000, 24_000, 48_000
SILENT_BYTES = 3


def packet(index: int, first: int = 0) -> Any:
    made: Any = RtpPacket(sequence_number=(first + index) % 2**16, timestamp=index * 960)
    made.ssrc, made._data = 7, index.to_bytes(4, "big")
    return made


def test_a_run_keeps_its_distances_where_the_clock_of_rtp_wraps() -> None:
    run = Run([JitterFrame(b"a", 2**32 - 960), JitterFrame(b"b", 0), JitterFrame(b"c", 1920)])
    run.timestamp = 48_000
    assert [frame.timestamp for frame in run.frames()] == [48_000, 48_960, 50_880]


def test_another_sender_and_padding_stop_nothing() -> None:
    came: list[int] = []
    buffer = VoiceBuffer(lambda: 0.0, lambda: came.append(1))
    for number in (0, 2):
        buffer.add(packet(number))
    other = packet(30)
    other.ssrc = 8
    assert buffer.add(other)[1] is not None
    empty = packet(31)
    empty.ssrc, empty._data = 8, b""
    assert buffer.add(empty) == (False, None)
    assert len(came) == 4


# --- Sound through a real connection ---


class Said(MediaStreamTrack):
    """A recording as a browser sends it, and silence behind it."""

    kind = "audio"

    def __init__(self, sound: Samples) -> None:
        super().__init__()
        self._packets = as_sent(np.concatenate([sound, np.zeros(IN_HZ, np.int16)]))
        self._sent, self._began_secs = 0, 0.0

    async def recv(self) -> Packet[Any]:
        clock = asyncio.get_running_loop().time
        self._began_secs = self._began_secs or clock()
        await asyncio.sleep(max(0.0, self._began_secs + self._sent * 0.02 - clock()))
        made = Packet(self._packets[min(self._sent, len(self._packets) - 1)])
        made.pts, made.time_base = self._sent * 960, fractions.Fraction(1, WIRE_HZ)
        self._sent += 1
        return made


@dataclass
class Call:
    """A caller on aiortc as it comes, and a pipeline on ours."""

    go: Flow
    tap: Tap
    peer: WebRtcPeer
    packets: list[Any]
    """What the caller was sent."""

    def heard(self) -> Samples:
        """By the pipeline, so far."""
        audio = b"".join(frame.audio for frame in self.tap.of(InputAudioRawFrame))
        return np.frombuffer(audio, np.int16)


@asynccontextmanager
async def calling(sound: Samples, lost: set[int] | None = None) -> AsyncGenerator[Call]:
    peer, browser, tap = WebRtcPeer(), RTCPeerConnection(), Tap()
    transport, packets = peer.transport(), list[Any]()
    line = (transport.input(), tap, transport.output())
    browser.addTrack(Said(sound))
    await browser.setLocalDescription(await browser.createOffer())
    ours: Any = browser.getTransceivers()[0]
    ours.receiver._handle_rtp_packet = _into(packets)
    _lose(ours.sender.transport, lost or set())
    async with flowing(*line, audio_in_sample_rate=IN_HZ, audio_out_sample_rate=OUT_HZ) as go:
        answer = await peer.answer(browser.localDescription.sdp)
        await browser.setRemoteDescription(RTCSessionDescription(answer["sdp"], answer["type"]))
        await tap.wait(InputAudioRawFrame)
        yield Call(go, tap, peer, packets)
        await browser.close()
        await peer.close()


def _into(packets: list[Any]) -> Any:
    async def take(packet: Any, **_: int) -> None:
        packets.append(packet)

    return take


def _lose(transport: Any, lost: set[int]) -> None:
    """Let packets of sound vanish on their way, by number."""
    send_on, seen = transport._send_rtp, list[int]()

    async def send(data: bytes) -> None:
        is_sound = not 64 <= data[1] & 0x7F <= 95
        if is_sound:
            seen.append(1)
        if not is_sound or len(seen) not in lost:
            await send_on(data)

    transport._send_rtp = send


async def test_a_human_voice_reaches_the_pipeline_as_it_was_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said, threaded = clip("0880"), list[object]()
    async with calling(said) as call:
        # Encoding for the caller is no work for a thread either.
        await call.go.send(TTSAudioRawFrame(bytes(2 * 3 * OUT_HZ), OUT_HZ, 1))
        monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", threaded.append)
        await call.tap.wait(InputAudioRawFrame, len(said) // 320 + 25)
        monkeypatch.undo()
        assert likeness(said, call.heard(), rate_hz=IN_HZ) > 0.98
        assert len(call.packets) > 100
    assert threaded == []


async def test_each_packet_is_heard_whole_when_it_comes() -> None:
    async with calling(clip("0880")) as call:
        frames = await call.tap.wait(InputAudioRawFrame, 20)
        assert {len(frame.audio) for frame in frames} == {2 * IN_HZ // 50}


async def test_lost_packets_are_all_that_is_lost_and_leave_no_delay() -> None:
    lost = {40, 60, 61, 80, 100}
    async with calling(clip("0880"), lost) as call:
        await call.tap.wait(InputAudioRawFrame, 150)
        buffer: Any = the_receiver(call.peer)._RTCRtpReceiver__jitter_buffer
        assert buffer._playout.held == 0
        [stream] = the_receiver(call.peer)._RTCRtpReceiver__remote_streams.values()
        heard = len(call.tap.of(InputAudioRawFrame))
        # One may be between the receiver and the pipeline.
        assert stream.packets_received - heard <= 2
        assert stream.packets_lost == len(lost)


async def test_what_the_bot_says_reaches_the_caller_one_packet_each_20_ms() -> None:
    said = resampled(clip("0880"), OUT_HZ)
    async with calling(np.zeros(0, np.int16)) as call:
        await call.go.send(TTSAudioRawFrame(said.tobytes(), OUT_HZ, 1))
        # The caller's packets are as long as the bot's.
        await call.tap.wait(InputAudioRawFrame, len(said) // 480 + 75)
        packets = call.packets[:]
    first = next(i for i, packet in enumerate(packets) if len(packet.payload) > SILENT_BYTES)
    spoken = packets[first : first + len(said) // 480]
    steps = {(b.timestamp - a.timestamp) % 2**32 for a, b in itertools.pairwise(spoken)}
    assert steps == {960}
    heard = decoded([packet.payload for packet in packets])
    assert likeness(resampled(clip("0880"), WIRE_HZ), heard, rate_hz=WIRE_HZ) > 0.98


async def test_an_interruption_is_heard_at_once() -> None:
    tone = (8000 * np.sin(np.arange(3 * OUT_HZ) / 8)).astype("<i2").tobytes()
    async with calling(np.zeros(0, np.int16)) as call:
        await call.go.send(TTSAudioRawFrame(tone, OUT_HZ, 1))
        await call.tap.wait(InputAudioRawFrame, 75)
        await call.go.send(InterruptionFrame())
        await call.tap.wait(InterruptionFrame)
        before = len(call.packets)
        await call.tap.wait(InputAudioRawFrame, 150)
        heard = decoded([packet.payload for packet in call.packets])
    levels = np.abs(heard).reshape(-1, 960).max(axis=1)
    assert max(levels[: before - 5]) > 4000
    # One packet on its way, one written ahead, and the tail of Opus in the next.
    assert max(levels[before + 3 :]) < 1000


def test_the_callers_voice_is_decoded_as_aiortc_does_it() -> None:
    packets = as_sent(clip("0870"))
    track: Any = SimpleNamespace(_queue=asyncio.Queue[Any]())
    decoder = InlineDecoder(queue.Queue(), track, lambda _: True)
    opus = SimpleNamespace(name="opus", mimeType="audio/opus")
    for number, data in enumerate(packets):
        decoder.put((opus, JitterFrame(data, number * 960)))
    frames = [track._queue.get_nowait() for _ in range(track._queue.qsize())]
    assert {frame.layout.name for frame in frames} == {"mono"}
    assert [frame.pts for frame in frames][1:] == [n * 960 for n in range(1, len(packets))]
    ours = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    assert np.abs(ours - decoded(packets)).max() <= 2


async def test_a_packet_that_is_none_stops_nothing() -> None:
    track: Any = SimpleNamespace(_queue=asyncio.Queue[Any]())
    decoder = InlineDecoder(queue.Queue(), track, lambda _: True)
    opus = SimpleNamespace(name="opus", mimeType="audio/opus")
    whole = as_sent(clip("0880"))[20:22]
    for number, data in enumerate([whole[0], b"\xff" * 3, whole[1]]):
        decoder.put((opus, JitterFrame(data, number * 960)))
    assert track._queue.qsize() == 2


# --- What is relied on ---


def the_receiver(peer: WebRtcPeer) -> Any:
    return peer.connection.pc.getTransceivers()[0].receiver


async def offered(codec: str = "") -> str:
    browser = RTCPeerConnection()
    browser.addTransceiver("audio")
    if codec:
        capabilities = RTCRtpSender.getCapabilities("audio").codecs
        chosen = [c for c in capabilities if c.mimeType == codec]
        browser.getTransceivers()[0].setCodecPreferences(chosen)
    await browser.setLocalDescription(await browser.createOffer())
    sdp = browser.localDescription.sdp
    await browser.close()
    return sdp


async def test_aiortc_keeps_its_buffer_and_its_decoder_where_ours_are_put() -> None:
    peer = WebRtcPeer()
    await peer.answer(await offered())
    plain = RTCPeerConnection()
    untouched: Any = plain.addTransceiver("audio").receiver
    stock = untouched.__dict__
    ours = the_receiver(peer).__dict__
    assert type(stock["_RTCRtpReceiver__jitter_buffer"]) is JitterBuffer
    assert type(stock["_RTCRtpReceiver__decoder_queue"]) is queue.Queue
    assert set(ours) == set(stock)
    assert type(ours["_RTCRtpReceiver__jitter_buffer"]) is VoiceBuffer
    assert type(ours["_RTCRtpReceiver__decoder_queue"]) is InlineDecoder
    assert ours["_enabled"] is True
    await plain.close()
    await peer.close()


async def test_pipecat_reads_the_callers_track_that_ours_is() -> None:
    peer = WebRtcPeer()
    await peer.answer(await offered())
    track = cast(Any, peer.connection.audio_input_track())
    assert type(track) is Microphone
    await peer.renegotiate(await offered(), restart=True)
    again = cast(Any, peer.connection.audio_input_track())
    assert type(again) is Microphone
    assert again is not track
    await peer.close()


async def test_a_reader_that_paused_waits_for_nothing_from_before() -> None:
    """Pipecat switches the receiver off after a while, and on again with the next read."""
    peer = WebRtcPeer()
    await peer.answer(await offered())
    track, receiver = cast(Any, peer.connection.audio_input_track()), the_receiver(peer)
    buffer = receiver._RTCRtpReceiver__jitter_buffer
    assert buffer.add(packet(0))[1]
    receiver.track._queue.put_nowait("sound")
    receiver._enabled = False
    assert await track.recv() == "sound"
    assert receiver._enabled is True
    assert buffer.add(packet(9))[1]
    # Pipecat's own track is why: it drops packets until it is read.
    SmallWebRTCTrack(receiver)
    assert receiver._enabled is False
    track.stop()
    await peer.close()


@pytest.mark.parametrize(
    ("codec", "track", "ours"),
    [
        ("", {"sample_rate": OUT_HZ}, True),
        ("audio/opus", {"sample_rate": 16_000}, True),
        ("audio/PCMU", {"sample_rate": OUT_HZ}, False),
        ("", {"sample_rate": 22_050}, False),
        ("", {"sample_rate": OUT_HZ, "auto_silence": False}, False),
    ],
)
async def test_the_bots_track_is_ours_where_it_can_be(
    codec: str, track: dict[str, Any], ours: bool
) -> None:
    peer = WebRtcPeer()
    await peer.answer(await offered(codec))
    raw = RawAudioTrack(**track)
    peer.connection.replace_audio_track(raw)
    sent: Any = peer.connection.pc.getTransceivers()[0].sender.track
    assert type(sent) is Voice if ours else sent is raw
    await peer.close()
