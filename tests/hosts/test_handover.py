"""A WebSocket whose request was read elsewhere: it is served as if it had been read here."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

import hosts.handover
from errors import BadRequestError
from hosts.handover import MAX_MESSAGE_BYTES, HandoverError, OnSocket, take

pytestmark = pytest.mark.unit

HEAD = (
    b"GET /sessions/one/ws HTTP/1.1\r\nhost: here\r\nupgrade: websocket\r\n"
    b"connection: Upgrade\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def echo(caller: WebSocket) -> None:
    while (message := await caller.receive())["type"] == "websocket.receive":
        await caller.send_bytes(message["bytes"])


async def read_head(connection: socket.socket) -> bytes:
    """What another process would have read of the request."""
    loop = asyncio.get_running_loop()
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await loop.sock_recv(connection, 1)
    return head


@asynccontextmanager
async def taken(on_socket: OnSocket) -> AsyncGenerator[ClientConnection]:
    """A client's connection, of which another read the head."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)

        async def serve() -> None:
            connection, _ = await loop.sock_accept(listener)
            await take(connection, await read_head(connection), on_socket)

        serving = asyncio.ensure_future(serve())
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/sessions/one/ws"
        async with connect(url, proxy=None) as client:
            await serving
            yield client


async def test_messages_go_both_ways() -> None:
    async with taken(echo) as client:
        for message in (b"one", bytes(MAX_MESSAGE_BYTES), b"\xff"):
            await client.send(message)
            assert await client.recv() == message


async def test_the_socket_is_closed_when_it_is_done_with() -> None:
    async def leave(caller: WebSocket) -> None:
        await caller.send_bytes(b"bye")

    async with taken(leave) as client:
        assert await client.recv() == b"bye"
        await client.wait_closed()
        assert client.close_code == 1000


async def test_who_is_not_the_one_is_closed_as_refused() -> None:
    async def refuse(caller: WebSocket) -> None:
        raise BadRequestError("Not you.", code="not_you")

    async with taken(refuse) as client:
        await client.wait_closed()
        assert (client.close_code, client.close_reason) == (1008, "not_you")


async def test_a_message_beyond_the_bound_ends_it() -> None:
    async with taken(echo) as client:
        await client.send(bytes(MAX_MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 1009


async def test_it_learns_that_the_caller_has_left() -> None:
    left = asyncio.Event()

    async def wait(caller: WebSocket) -> None:
        with pytest.raises(WebSocketDisconnect):
            await caller.receive_bytes()
        left.set()

    async with taken(wait) as client:
        await client.close()
        await asyncio.wait_for(left.wait(), 10)


def client_frames(*frames: tuple[Opcode, bytes]) -> bytes:
    return b"".join(Frame(code, data).serialize(mask=True) for code, data in frames)


async def answers(connection: socket.socket, count: int) -> list[tuple[Opcode, bytes]]:
    """The frames that come after the answer to the request, with a client's own parser."""
    protocol = ClientProtocol(parse_uri("ws://here/sessions/one/ws"))
    protocol.key = "dGhlIHNhbXBsZSBub25jZQ=="
    protocol.send_request(protocol.connect())
    loop = asyncio.get_running_loop()
    frames: list[tuple[Opcode, bytes]] = []
    while len(frames) < count:
        data = await loop.sock_recv(connection, 65536)
        assert data, "the connection was closed"
        protocol.receive_data(data)
        events = protocol.events_received()
        frames += [(e.opcode, bytes(e.data)) for e in events if isinstance(e, Frame)]
    assert protocol.handshake_exc is None
    return frames


@pytest.fixture
async def ends() -> AsyncGenerator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        yield near, far


async def test_what_was_read_behind_the_head_comes_first(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """Also a ping, which is answered after the request is."""
    near, far = ends
    behind = client_frames((Opcode.PING, b"p"), (Opcode.BINARY, b"1"), (Opcode.BINARY, b"2"))
    near.sendall(client_frames((Opcode.BINARY, b"3")))
    # In the middle of a frame.
    await take(far, HEAD + behind[:-2], echo)
    assert await answers(near, 2) == [(Opcode.PONG, b"p"), (Opcode.BINARY, b"1")]


async def test_what_comes_later_comes_behind_it(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    near, far = ends
    behind = client_frames((Opcode.BINARY, b"1"), (Opcode.BINARY, b"2"))
    near.sendall(behind[-2:] + client_frames((Opcode.BINARY, b"3")))
    await take(far, HEAD + behind[:-2], echo)
    assert [data for _, data in await answers(near, 3)] == [b"1", b"2", b"3"]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(HEAD.replace(b"sec-websocket-key", b"x"), id="no key"),
        pytest.param(b"rubbish\r\n\r\n", id="no request"),
    ],
)
async def test_what_asks_for_no_websocket_is_not_taken(
    head: bytes, ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = ends
    monkeypatch.setattr(hosts.handover, "ANSWER_SECS", 0.1)
    with pytest.raises(HandoverError):
        await asyncio.wait_for(take(far, head, echo), 10)
    assert far.fileno() == -1
    assert b"101" not in await asyncio.get_running_loop().sock_recv(near, 4096)


async def test_a_taking_that_is_given_up_leaves_nothing(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    near, far = ends
    taking = asyncio.ensure_future(take(far, b"", echo))
    await asyncio.sleep(0.05)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert await asyncio.get_running_loop().sock_recv(near, 1) == b""


async def test_a_connection_that_is_cut_is_not_taken(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    _, far = ends
    far.shutdown(socket.SHUT_RDWR)
    ended = asyncio.Event()

    async def wait(caller: WebSocket) -> None:
        assert (await caller.receive())["type"] == "websocket.disconnect"
        ended.set()

    try:
        await take(far, HEAD, wait)
        await asyncio.wait_for(ended.wait(), 10)
    except HandoverError:
        assert not ended.is_set()
