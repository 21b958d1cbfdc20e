"""One line, one browser: offers begin or renegotiate, and a bad one leaves the line waiting."""

from __future__ import annotations

import asyncio

import pytest
from aiortc import RTCPeerConnection

from errors import BadRequestError, NotFoundError
from hosts.ice import IceServer
from hosts.webrtc import WebRtcLine
from pipelines.transports import Candidate

pytestmark = pytest.mark.integration

TURN = IceServer(("turn:127.0.0.1:9",), "900:me", "password")


async def offer() -> str:
    peer = RTCPeerConnection()
    peer.addTransceiver("audio")
    await peer.setLocalDescription(await peer.createOffer())
    sdp = peer.localDescription.sdp
    await peer.close()
    return sdp


async def test_the_browser_is_told_of_servers_where_there_are_some() -> None:
    assert await WebRtcLine().open() == {}
    servers = [{"urls": ["turn:127.0.0.1:9"], "username": "900:me", "credential": "password"}]
    assert await WebRtcLine(theirs=[TURN]).open() == {"iceConfig": {"iceServers": servers}}


async def test_two_offers_at_once_make_one_connection() -> None:
    line = WebRtcLine()
    sdp = await offer()
    answers = await asyncio.gather(
        line.offer(sdp, restart=False), line.offer(sdp, restart=False), return_exceptions=True
    )
    made = {answer["pc_id"] for answer in answers if not isinstance(answer, BaseException)}
    assert len(made) == 1
    await line.arrival()
    await line.close()


async def test_a_malformed_offer_leaves_the_line_waiting() -> None:
    line = WebRtcLine()
    with pytest.raises(BadRequestError):
        await line.offer("nonsense", restart=False)
    with pytest.raises(NotFoundError):
        await line.add([Candidate("", None, None)])
    assert not line.alive()
    answer = await line.offer(await offer(), restart=False)
    assert "m=audio" in answer["sdp"]
    await line.add([Candidate("", None, None)])
    await line.close()


async def test_a_closed_line_takes_no_offer() -> None:
    line = WebRtcLine()
    await line.close()
    with pytest.raises(NotFoundError):
        await line.offer(await offer(), restart=False)


async def test_a_turn_server_that_is_down_does_not_keep_the_call_from_trying() -> None:
    line = WebRtcLine(ours=[TURN])
    answer = await line.offer(await offer(), restart=False)
    assert "candidate" in answer["sdp"]
    await line.close()
