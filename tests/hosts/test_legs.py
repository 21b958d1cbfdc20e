"""The child's end of each line: what a ticket asks for, and when the caller counts as here."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc import RTCPeerConnection

import hosts.twilio_stream
from errors import BadRequestError, NotFoundError, OffhookError
from hosts.ice import IceServer
from hosts.legs import (
    MAX_UNKNOWN_STREAMS,
    DailyLeg,
    LiveKitLeg,
    SocketLeg,
    SocketTakenError,
    TwilioLeg,
    WebRtcLeg,
    leg,
)
from hosts.twilio_stream import MAX_SETUP_CHARS
from hosts.websocket import TokenError
from pipelines.transports import Candidate
from tests.support.streams import CALL, CONNECTED, STREAM, Said, start

pytestmark = pytest.mark.integration

TURN = IceServer(("turn:127.0.0.1:9",), "900:me", "password")


async def offer() -> str:
    peer = RTCPeerConnection()
    peer.addTransceiver("audio")
    await peer.setLocalDescription(await peer.createOffer())
    sdp = peer.localDescription.sdp
    await peer.close()
    return sdp


async def test_two_offers_at_once_make_one_connection() -> None:
    peer_leg = WebRtcLeg()
    sdp = await offer()
    answers = await asyncio.gather(
        peer_leg.offer(sdp, restart=False),
        peer_leg.offer(sdp, restart=False),
        return_exceptions=True,
    )
    made = {answer["pc_id"] for answer in answers if not isinstance(answer, BaseException)}
    assert len(made) == 1
    await peer_leg.arrival()
    await peer_leg.close()


async def test_a_malformed_offer_leaves_the_leg_waiting() -> None:
    peer_leg = WebRtcLeg()
    with pytest.raises(BadRequestError):
        await peer_leg.offer("nonsense", restart=False)
    with pytest.raises(NotFoundError):
        await peer_leg.add([Candidate("", None, None)])
    assert not peer_leg.alive()
    answer = await peer_leg.offer(await offer(), restart=False)
    assert "m=audio" in answer["sdp"]
    await peer_leg.add([Candidate("", None, None)])
    await peer_leg.close()


async def test_a_closed_leg_takes_no_offer() -> None:
    peer_leg = WebRtcLeg()
    await peer_leg.close()
    with pytest.raises(NotFoundError):
        await peer_leg.offer(await offer(), restart=False)


async def test_a_turn_server_that_is_down_does_not_keep_the_call_from_trying() -> None:
    peer_leg = WebRtcLeg([TURN])
    answer = await peer_leg.offer(await offer(), restart=False)
    assert "candidate" in answer["sdp"]
    await peer_leg.close()


def a_socket(*, closes: bool = True) -> Any:
    """A Starlette WebSocket, as far as a leg looks at it."""
    connected = SimpleNamespace(name="CONNECTED")
    ours = SimpleNamespace(name="DISCONNECTED") if closes else connected
    return SimpleNamespace(client_state=connected, application_state=ours)


async def test_a_socket_is_carried_until_the_leg_is_closed() -> None:
    socket_leg, socket = SocketLeg(), a_socket()
    assert not socket_leg.alive()
    carrying = asyncio.ensure_future(socket_leg.carry(socket))
    await socket_leg.arrival()
    assert socket_leg.alive()
    socket.client_state = SimpleNamespace(name="DISCONNECTED")
    assert not socket_leg.alive()
    assert not carrying.done()
    await socket_leg.close()
    await carrying


async def test_a_socket_that_does_not_close_keeps_nobody() -> None:
    socket_leg = SocketLeg()
    carrying = asyncio.ensure_future(socket_leg.carry(a_socket(closes=False)))
    await socket_leg.arrival()
    await socket_leg.close()
    await carrying


@pytest.mark.parametrize("kind", ["websocket", "twilio"])
async def test_a_call_that_is_over_takes_no_socket(kind: str) -> None:
    closed = SocketLeg() if kind == "websocket" else phone_leg()
    closed.claim()
    await closed.close()
    with pytest.raises(SocketTakenError):
        closed.claim()


async def test_a_call_has_one_socket() -> None:
    socket_leg = SocketLeg()
    socket_leg.claim()
    with pytest.raises(SocketTakenError):
        socket_leg.claim()


TOKEN = "the token of this very call"


def phone_leg() -> TwilioLeg:
    return TwilioLeg(TOKEN, CALL)


def stream(token: str = TOKEN, **changes: Any) -> Said:
    return Said(CONNECTED, start(customParameters={"token": token}, **changes))


async def comes(phone: TwilioLeg, socket: Said) -> asyncio.Task[None]:
    """The stream is let in and heard until its call begins or it is refused."""
    phone.claim()
    carrying = asyncio.ensure_future(phone.carry(socket))
    arriving = asyncio.ensure_future(phone.arrival())
    await asyncio.wait({carrying, arriving}, return_when=asyncio.FIRST_COMPLETED)
    arriving.cancel()
    return carrying


async def test_a_stream_begins_its_own_call_once() -> None:
    phone, socket = phone_leg(), stream()
    carrying = await comes(phone, socket)
    await phone.arrival()
    assert phone.alive()
    assert not carrying.done()
    with pytest.raises(TokenError):
        await phone.carry(stream())
    transport: Any = phone.transport()
    assert transport._client._websocket is socket
    assert transport._params.serializer._stream_sid == STREAM
    await phone.close()
    await carrying


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (stream(callSid=f"CA{'9' * 32}"), "bad_token"),
        (stream(token="another"), "bad_token"),
        (stream(token=""), "bad_token"),
        (stream(token="é"), "bad_token"),
        (stream(mediaFormat={"encoding": "audio/x-l16"}), "start"),
        (Said(CONNECTED, CONNECTED), "start"),
        (Said(b"\0"), "start"),
        (Said("{"), "start"),
        (Said("x" * (MAX_SETUP_CHARS + 1)), "start"),
        (Said(CONNECTED), "start"),
    ],
)
async def test_a_stream_that_is_not_the_one_uses_nothing_up(
    wrong: Said, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts.twilio_stream, "SETUP_SECS", 0.05)
    phone = phone_leg()
    with pytest.raises(OffhookError) as caught:
        await (await comes(phone, wrong))
    assert caught.value.code == code
    assert not phone.alive()
    carrying = await comes(phone, stream())
    assert phone.alive()
    await phone.close()
    await carrying


async def test_others_may_come_while_some_have_not_said_whose_they_are() -> None:
    """So many and no more; who left or was refused makes room."""
    phone, silent = phone_leg(), [Said(CONNECTED) for _ in range(MAX_UNKNOWN_STREAMS + 1)]
    # They are let in at once: nobody has been heard yet.
    for _ in silent:
        phone.claim()
    carrying = [asyncio.ensure_future(phone.carry(socket)) for socket in silent]
    with pytest.raises(SocketTakenError):
        await carrying.pop()
    with pytest.raises(SocketTakenError):
        phone.claim()
    silent[0].leave()
    with pytest.raises(BadRequestError):
        await carrying.pop(0)
    right = await comes(phone, stream())
    assert phone.alive()
    silent[1].say(start(customParameters={"token": TOKEN}))
    with pytest.raises(TokenError):
        await carrying.pop(0)
    await phone.close()
    await right
    silent[2].say(start(customParameters={"token": TOKEN}))
    with pytest.raises(TokenError):
        await carrying.pop(0)
    for waiting in carrying:
        waiting.cancel()


async def test_a_stream_that_says_whose_it_is_when_the_call_is_over_begins_none() -> None:
    phone, late = phone_leg(), Said(CONNECTED)
    phone.claim()
    carrying = asyncio.ensure_future(phone.carry(late))
    await asyncio.sleep(0)
    await phone.close()
    late.say(start(customParameters={"token": TOKEN}))
    with pytest.raises(SocketTakenError):
        await carrying
    assert not phone.alive()


@pytest.mark.parametrize("lost", ["on_left", "on_error"])
async def test_a_bot_that_is_out_of_the_daily_room_is_no_longer_alive(lost: str) -> None:
    """The events as Pipecat passes them on; Daily's own servers raise them."""
    room = DailyLeg("https://a.daily.co/r", "token", "Robin")
    await room.arrival()
    transport: Any = room.transport()
    assert room.alive()
    await transport._call_event_handler(lost, *["lost"][: lost == "on_error"])
    await transport.cleanup()
    assert not room.alive()
    await room.close()


async def test_a_bot_that_is_out_of_the_livekit_room_is_no_longer_alive() -> None:
    """As LiveKit's client reports it to Pipecat; our own leaving says the same."""
    room = LiveKitLeg("ws://127.0.0.1:9", "token", "r")
    await room.arrival()
    agent: Any = room.transport()
    assert room.alive()
    agent._client._connected = True
    await agent._client._async_on_disconnected()
    async with asyncio.timeout(10):
        await asyncio.gather(*(task for _, task in agent._event_tasks))
    assert not room.alive()
    await room.close()


async def test_each_kind_of_ticket_has_its_leg() -> None:
    ice: Any = TURN.as_dict()
    daily = {"kind": "daily", "url": "u", "token": "t", "bot_name": "Robin"}
    livekit = {"kind": "livekit", "url": "u", "token": "t", "room": "r"}
    assert isinstance(leg({"kind": "webrtc", "ice": [ice]}), WebRtcLeg)
    assert isinstance(leg({"kind": "websocket"}), SocketLeg)
    assert isinstance(leg(daily), DailyLeg)
    assert isinstance(leg(livekit), LiveKitLeg)
    twilio = {"kind": "twilio", "token": TOKEN, "call_sid": CALL}
    assert isinstance(leg(twilio), TwilioLeg)


@pytest.mark.parametrize(
    "ticket",
    [
        {},
        {"kind": "pigeon"},
        {"kind": "daily", "url": "u", "token": "a-secret-token"},
        {"kind": "webrtc", "ice": [{"urls": 3, "credential": "a-secret-token"}]},
        {"kind": "websocket", "token": "a-secret-token"},
        {"kind": "twilio", "token": "a-secret-token-of-24-chars", "call_sid": "CA1"},
        {"kind": "twilio", "token": "secret", "call_sid": CALL},
    ],
)
def test_a_ticket_that_is_none_is_refused_and_not_told(ticket: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError) as caught:
        leg(ticket)
    assert "secret" not in caught.value.message
