"""How a caller is reached: one function a transport, each giving a Pipecat transport."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import aioice.ice
from aiortc.sdp import candidate_from_sdp
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pipecat.transports.smallwebrtc.connection import IceServer
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport

from errors import BadRequestError
from pipelines.straight import straight
from pipelines.webrtc_tuning import TunedConnection

AUDIO_IN_HZ = 16_000
AUDIO_OUT_HZ = 24_000
_NEVER_SECS = 24 * 3600
"""Pipecat's time-out of a connection cancels its own closing halfway, and aiortc then lets nobody
finish it; whoever waits for the caller closes the connection."""


_AUDIO: dict[str, Any] = {
    "audio_in_enabled": True,
    "audio_out_enabled": True,
    "audio_out_10ms_chunks": 2,
    "audio_out_end_silence_secs": 0,
}
_LIVEKIT_QUEUE_MS = 100
"""What is queued for LiveKit counts as spoken; an interruption clears it, a pause plays it out."""


def audio_params() -> TransportParams:
    """Mono speech both ways, written 20 ms at a time so that an interruption cuts soon."""
    return TransportParams(**_AUDIO)


def socket_transport(socket: Any) -> BaseTransport:
    """Audio and messages as protobuf over a WebSocket.

    Args:
        socket: An accepted Starlette WebSocket.
    """
    from pipelines.websocket import CallerFrames, SocketTransport

    return straight(SocketTransport(socket, _AUDIO, frames=CallerFrames(AUDIO_IN_HZ)))


def twilio_transport(socket: Any, stream_sid: str) -> BaseTransport:
    """A phone call, as Twilio's Media Streams carries it.

    Args:
        socket: An accepted Starlette WebSocket whose `start` message has been read.
        stream_sid: Twilio's name of the stream, from that message.
    """
    from pipelines.twilio import PhoneFrames
    from pipelines.websocket import SocketTransport

    frames = PhoneFrames(stream_sid)
    return straight(SocketTransport(socket, _AUDIO, frames=frames, finish=frames.finish))


def daily_transport(room_url: str, token: str, *, bot_name: str) -> BaseTransport:
    """A Daily room, joined without a camera."""
    from pipecat.transports.daily.transport import DailyParams, DailyTransport

    params = DailyParams(**_AUDIO, camera_out_enabled=False)
    return straight(DailyTransport(room_url, token, bot_name, params))


def livekit_transport(url: str, token: str, *, room: str) -> BaseTransport:
    """A LiveKit room."""
    from pipecat.transports.livekit.transport import LiveKitParams, LiveKitTransport

    params = LiveKitParams(**_AUDIO, audio_out_queue_size_ms=_LIVEKIT_QUEUE_MS)
    return straight(LiveKitTransport(url, token, room, params))


class Server(Protocol):
    """A STUN or TURN server."""

    @property
    def urls(self) -> Sequence[str]:
        """Its addresses."""
        ...

    @property
    def username(self) -> str | None:
        """Who asks a TURN server to relay."""
        ...

    @property
    def credential(self) -> str | None:
        """Their password."""
        ...


@dataclass(frozen=True)
class Candidate:
    """One ICE candidate of the browser; empty `candidate` means there are no more."""

    candidate: str
    sdp_mid: str | None
    sdp_mline_index: int | None


class WebRtcPeer:
    """One browser's peer connection: SDP in, SDP out, and the transport over it."""

    def __init__(self, servers: Sequence[Server] = ()) -> None:
        _offer_loopback()
        ice_servers = [
            IceServer(urls=list(s.urls), username=s.username, credential=s.credential)
            for s in servers
        ]
        self.connection = TunedConnection(
            ice_servers=ice_servers, connection_timeout_secs=_NEVER_SECS
        )

    def transport(self) -> BaseTransport:
        """The Pipecat transport of this connection."""
        return straight(SmallWebRTCTransport(self.connection, audio_params()))

    async def answer(self, sdp: str) -> Mapping[str, str]:
        """Answer the browser's first offer: `sdp`, `type`, `pc_id`.

        Raises:
            BadRequestError: The offer is no SDP that can be answered.
        """
        await _understood(self.connection.initialize(sdp=sdp, type="offer"))
        return self._answer()

    async def renegotiate(self, sdp: str, *, restart: bool) -> Mapping[str, str]:
        """Answer a later offer of the same browser.

        Raises:
            BadRequestError: The offer is no SDP that can be answered.
        """
        renegotiation = self.connection.renegotiate(sdp=sdp, type="offer", restart_pc=restart)
        await _understood(renegotiation)
        return self._answer()

    async def add(self, candidates: Sequence[Candidate]) -> None:
        """Take the browser's further candidates.

        Raises:
            BadRequestError: One of them cannot be read.
        """
        for given in candidates:
            if not given.candidate:
                await self.connection.add_ice_candidate(None)
                continue
            try:
                candidate = candidate_from_sdp(given.candidate.removeprefix("candidate:"))
            except (ValueError, AssertionError, IndexError) as error:
                raise BadRequestError("An ICE candidate cannot be read.", code="bad_ice") from error
            candidate.sdpMid = given.sdp_mid
            candidate.sdpMLineIndex = given.sdp_mline_index
            await self.connection.add_ice_candidate(candidate)

    def alive(self) -> bool:
        """Whether the browser still answers: it pings on the data channel every second."""
        return self.connection.is_connected()

    async def close(self) -> None:
        """Close the connection; a call on it ends."""
        await self.connection.disconnect()

    def _answer(self) -> Mapping[str, str]:
        answer: Any = self.connection.get_answer()
        if "m=audio" not in answer["sdp"]:
            raise BadRequestError("The SDP offer has no audio; nothing could be heard.", code="sdp")
        return answer


def _offer_loopback() -> None:
    """Let aioice name 127.0.0.1 among this machine's addresses, which it never does by itself.

    On a machine whose only interface is loopback there is no other, and the browser is here too.
    """
    known = aioice.ice.get_host_addresses
    if known.__name__ == "with_loopback":
        return

    def with_loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return [*known(use_ipv4, use_ipv6), *(["127.0.0.1"] if use_ipv4 else [])]

    aioice.ice.get_host_addresses = with_loopback


async def _understood(negotiation: Any) -> None:
    # aiortc tells a malformed description by whatever its parser trips over.
    try:
        await negotiation
    except (ValueError, AssertionError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise BadRequestError(
            "The SDP offer cannot be read; send the browser's own offer unchanged.", code="bad_sdp"
        ) from error
