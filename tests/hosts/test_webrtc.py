"""One line, one browser: each end is told of its own servers."""

from __future__ import annotations

import pytest

from hosts.ice import IceServer
from hosts.legs import WebRtcLeg, leg
from hosts.webrtc import WebRtcLine

pytestmark = pytest.mark.unit

TURN = IceServer(("turn:127.0.0.1:9",), "900:me", "password")
STUN = IceServer(("stun:127.0.0.1:9",))


async def test_the_browser_is_told_of_servers_where_there_are_some() -> None:
    assert await WebRtcLine().open() == {}
    servers = [{"urls": ["turn:127.0.0.1:9"], "username": "900:me", "credential": "password"}]
    assert await WebRtcLine(theirs=[TURN]).open() == {"iceConfig": {"iceServers": servers}}


async def test_the_bots_side_gets_servers_of_its_own() -> None:
    line = WebRtcLine(theirs=[TURN], ours=[STUN, TURN])
    await line.open()
    reached = leg(line.ticket())
    assert isinstance(reached, WebRtcLeg)
    assert reached._servers == [STUN, TURN]  # pyright: ignore[reportPrivateUsage]
    assert line.holder() == {}
    await line.close()
