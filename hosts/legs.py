"""How the process of one call reaches its caller: the child's end of each line."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from loguru import logger
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from errors import BadRequestError, NotFoundError, OffhookError
from hosts.ice import IceServer
from hosts.twilio_stream import CALL_SID, StreamStart, read_setup
from hosts.websocket import TokenError

if TYPE_CHECKING:
    from pipecat.transports.base_transport import BaseTransport

    from pipelines.transports import Candidate, WebRtcPeer


_FAREWELL_SECS = 1.0
"""How long the last message of a WebSocket may take to be written."""
_LOOK_SECS = 0.02
MAX_UNKNOWN_STREAMS = 4
"""How many streams of Twilio's a call listens to that have not said yet whose they are."""


class Leg(Protocol):
    """The caller's end of one call in the call's own process; used in this order."""

    async def arrival(self) -> None:
        """Wait until the call can begin: the caller is here, or the bot may go to them."""
        ...

    def transport(self) -> BaseTransport:
        """The Pipecat transport to the caller; once, after the arrival."""
        ...

    def alive(self) -> bool:
        """Whether the caller's end still answers."""
        ...

    async def close(self) -> None:
        """Let go of the caller; a call that is on ends. Closing again does nothing."""
        ...


class WebRtcLeg:
    """Waits for the browser's offer; the first that can be answered begins the call.

    Args:
        servers: STUN and TURN servers, with the bot's own credentials.
    """

    def __init__(self, servers: Sequence[IceServer] = ()) -> None:
        self._servers = servers
        self._peer: WebRtcPeer | None = None
        self._spare: WebRtcPeer | None = None
        self._answered = asyncio.Event()
        self._offers = asyncio.Lock()
        self._closed = False

    async def offer(self, sdp: str, *, restart: bool) -> Mapping[str, str]:
        """Answer an offer: the first begins the call, later ones renegotiate it.

        Raises:
            BadRequestError: The offer cannot be read; the leg then waits for a better one.
            NotFoundError: The leg was closed meanwhile.
        """
        async with self._offers:
            if self._peer:
                return await self._peer.renegotiate(sdp, restart=restart)
            peer, self._spare = self._spare or self._new_peer(), None
            try:
                answer = await peer.answer(sdp)
                if self._closed:
                    raise NotFoundError("The call was ended.", code="unknown_session")
            except BaseException:
                await peer.close()
                raise
            self._peer = peer
            self._answered.set()
            return answer

    async def add(self, candidates: Sequence[Candidate]) -> None:
        """Take the browser's further ICE candidates.

        Raises:
            NotFoundError: There was no offer yet.
        """
        if self._peer is None:
            raise NotFoundError("This session has had no offer yet.", code="no_offer")
        await self._peer.add(candidates)

    async def arrival(self) -> None:
        """Wait for an offer that could be answered."""
        # While the browser makes its offer there is time.
        self._spare = self._new_peer()
        await self._answered.wait()

    def transport(self) -> BaseTransport:
        """The transport over the peer connection."""
        assert self._peer
        return self._peer.transport()

    def alive(self) -> bool:
        """Whether the browser still pings."""
        return self._peer is not None and self._peer.alive()

    async def close(self) -> None:
        """Close the peer connection, if there is one."""
        self._closed = True
        for peer in (self._peer, self._spare):
            if peer:
                await peer.close()

    def _new_peer(self) -> WebRtcPeer:
        from pipelines.transports import WebRtcPeer

        return WebRtcPeer(self._servers)


class SocketTakenError(OffhookError):
    """No further connection is taken."""

    code = "socket_taken"
    status = 409

    def __init__(self) -> None:
        super().__init__("This call has its connection already, or is over; start a new call.")


class SocketLeg:
    """Waits for the WebSocket that is handed over."""

    def __init__(self) -> None:
        self._socket: Any = None
        self._came = asyncio.Event()
        self._closed = asyncio.Event()
        self._taken = False

    def claim(self) -> None:
        """A connection is about to be taken; there is one a call.

        Raises:
            SocketTakenError: There was one before, or the call is over.
        """
        if self._taken or self._closed.is_set():
            raise SocketTakenError
        self._taken = True

    async def carry(self, socket: Any) -> None:
        """Begin the call on an accepted WebSocket; returns when the call is over.

        Args:
            socket: A Starlette WebSocket.
        """
        self._socket = socket
        self._came.set()
        await self._closed.wait()

    async def arrival(self) -> None:
        """Wait for the WebSocket."""
        await self._came.wait()

    def transport(self) -> BaseTransport:
        """The transport over the WebSocket."""
        from pipelines.transports import socket_transport

        return socket_transport(self._socket)

    def alive(self) -> bool:
        """Whether the WebSocket is open; the other end is pinged."""
        return self._socket is not None and self._socket.client_state.name == "CONNECTED"

    async def close(self) -> None:
        """Let go of the WebSocket, and wait until whoever serves it has closed it."""
        self._closed.set()
        if self._socket is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECS):
                # Nothing tells of it.
                while self._socket.application_state.name == "CONNECTED":  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_SECS)


class TwilioLeg(SocketLeg):
    """Waits for the stream of one phone call, while others may say that they are not the one.

    Args:
        token: What the stream is to show.
        call_sid: Whose it is to be.
    """

    def __init__(self, token: str, call_sid: str) -> None:
        super().__init__()
        self._token, self._call_sid = token, call_sid
        self._stream_sid = ""
        self._unknown = 0
        """How many streams have not said yet whose they are."""

    def claim(self) -> None:
        """A stream is about to be taken; which one is the caller's, it has to say itself.

        Raises:
            SocketTakenError: Too many have not said it yet, or the call is over.
        """
        if self._unknown >= MAX_UNKNOWN_STREAMS or self._closed.is_set():
            raise SocketTakenError

    async def carry(self, socket: Any) -> None:
        """Begin the call if it is the one, which uses the token up; returns when it is over.

        Raises:
            OffhookError: It is not, or does not say it; another may be.
        """
        # Some may have come at once since they were let in.
        self.claim()
        self._unknown += 1
        try:
            start = await read_setup(socket.receive)
            self._check(start)
        except OffhookError as error:
            logger.warning("a stream of Twilio's was refused: {}", error.code)
            raise
        finally:
            self._unknown -= 1
        self._stream_sid = start.streamSid
        await super().carry(socket)

    def _check(self, start: StreamStart) -> None:
        shown = start.customParameters.get("token", "")
        right = hmac.compare_digest(shown.encode(), self._token.encode())
        if not right or start.callSid != self._call_sid or self._stream_sid:
            raise TokenError
        if self._closed.is_set():
            raise SocketTakenError

    def transport(self) -> BaseTransport:
        """The transport over the stream."""
        from pipelines.transports import twilio_transport

        return twilio_transport(self._socket, self._stream_sid)


class _RoomLeg:
    """A room that the bot goes to; the person may come later. It learns when the bot is out."""

    def __init__(self) -> None:
        self._lost = False

    async def arrival(self) -> None:
        """The bot may go at once."""

    def alive(self) -> bool:
        """Whether the bot is in the room; the service tells when the person leaves or is lost."""
        return not self._lost

    async def close(self) -> None:
        """The transport has left."""

    def _lose(self, *_: object) -> None:
        self._lost = True


class DailyLeg(_RoomLeg):
    """A Daily room, entered as its owner.

    Args:
        url: Of the room.
        token: The bot's.
        bot_name: What the person sees.
    """

    def __init__(self, url: str, token: str, bot_name: str) -> None:
        super().__init__()
        self._url, self._token, self._bot_name = url, token, bot_name

    def transport(self) -> BaseTransport:
        """The transport that joins the room as the bot."""
        from pipelines.transports import daily_transport

        transport = daily_transport(self._url, self._token, bot_name=self._bot_name)
        for event in ("on_left", "on_error"):
            transport.add_event_handler(event, self._lose)
        return transport


class LiveKitLeg(_RoomLeg):
    """A room of a LiveKit server, entered as the agent.

    Args:
        url: Of the server.
        token: The agent's.
        room: Its name.
    """

    def __init__(self, url: str, token: str, room: str) -> None:
        super().__init__()
        self._url, self._token, self._room = url, token, room

    def transport(self) -> BaseTransport:
        """The transport that joins the room as the agent."""
        from pipelines.transports import livekit_transport

        transport = livekit_transport(self._url, self._token, room=self._room)
        transport.add_event_handler("on_disconnected", self._lose)
        return transport


class _Ticket(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _IceEntry(_Ticket):
    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = Field(default=None, repr=False)


class _WebRtcTicket(_Ticket):
    kind: Literal["webrtc"]
    ice: tuple[_IceEntry, ...] = ()

    def leg(self) -> Leg:
        return WebRtcLeg([IceServer(it.urls, it.username, it.credential) for it in self.ice])


class _SocketTicket(_Ticket):
    kind: Literal["websocket"]

    def leg(self) -> Leg:
        return SocketLeg()


class _DailyTicket(_Ticket):
    kind: Literal["daily"]
    url: str
    token: str = Field(repr=False)
    bot_name: str

    def leg(self) -> Leg:
        return DailyLeg(self.url, self.token, self.bot_name)


class _LiveKitTicket(_Ticket):
    kind: Literal["livekit"]
    url: str
    token: str = Field(repr=False)
    room: str

    def leg(self) -> Leg:
        return LiveKitLeg(self.url, self.token, self.room)


class _TwilioTicket(_Ticket):
    kind: Literal["twilio"]
    token: str = Field(repr=False, min_length=20)
    call_sid: str = Field(pattern=CALL_SID)

    def leg(self) -> Leg:
        return TwilioLeg(self.token, self.call_sid)


_AnyTicket = _WebRtcTicket | _SocketTicket | _DailyTicket | _LiveKitTicket | _TwilioTicket
_TICKET: TypeAdapter[_AnyTicket] = TypeAdapter(Annotated[_AnyTicket, Field(discriminator="kind")])


def leg(ticket: Mapping[str, JsonValue]) -> Leg:
    """The leg that a line's `ticket()` asks for.

    Raises:
        BadRequestError: There is no such kind, or something of it is missing. What the ticket
            holds is not told: keys are in it.
    """
    try:
        return _TICKET.validate_python(dict(ticket)).leg()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadRequestError(
            f"This is no ticket to a caller: {field}: {first['type']}.", code="bad_ticket"
        ) from error
