"""Each transport is Pipecat's own, with the audio that the pipeline wants."""

from __future__ import annotations

from typing import Any

import pytest
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport

from hosts.ice import IceServer
from pipelines.transports import (
    WebRtcPeer,
    audio_params,
    daily_transport,
    livekit_transport,
    socket_transport,
)

pytestmark = pytest.mark.integration


def check(params: Any) -> None:
    for name, value in audio_params().model_dump(exclude_defaults=True).items():
        assert getattr(params, name) == value
    assert not params.video_out_enabled
    assert not params.video_in_enabled


def test_daily_is_joined_without_a_camera() -> None:
    transport: Any = daily_transport("https://offhook.daily.co/r", "token", bot_name="Robin")
    check(transport._params)
    assert not transport._params.camera_out_enabled
    assert transport.room_url == "https://offhook.daily.co/r"


def test_livekit_keeps_little_ahead() -> None:
    transport: Any = livekit_transport("wss://livekit.example", "token", room="r")
    check(transport._params)
    assert transport._params.audio_out_queue_size_ms <= 100


def test_a_websocket_carries_protobuf() -> None:
    transport: Any = socket_transport(object())
    check(transport._params)
    assert transport._params.serializer


async def test_a_peer_asks_the_servers_it_is_given() -> None:
    servers = [IceServer(("stun:127.0.0.1:9",)), IceServer(("turn:127.0.0.1:9",), "me", "word")]
    peer = WebRtcPeer(servers)
    stun, turn = peer.connection.ice_servers
    assert (stun.urls, turn.urls) == (["stun:127.0.0.1:9"], ["turn:127.0.0.1:9"])
    assert (turn.username, turn.credential) == ("me", "word")
    assert isinstance(peer.transport(), SmallWebRTCTransport)
    await peer.close()
