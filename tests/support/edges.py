"""A server whose callers are handed over, and the side that takes them, in one process."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from api.handover import Doorstep, hand_over, refuse
from errors import NotFoundError, OffhookError
from hosts.channel import Channel
from hosts.handover import HandoverError, OnSocket, take

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def run_on(loop: str, scenario: Coroutine[Any, Any, None]) -> None:
    """Run it on a loop of that kind, within a minute."""
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(asyncio.wait_for(scenario, 60))


async def echo(caller: WebSocket) -> None:
    while (message := await caller.receive())["type"] == "websocket.receive":
        await caller.send_bytes(message["bytes"])


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not come about")


@dataclass
class Edge:
    """A server whose callers go through a channel to the other side of the test."""

    server: uvicorn.Server
    port: int
    heads: list[bytes] = field(default_factory=list[bytes])
    """Of the requests that came to the call's side."""
    taken: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    @property
    def url(self) -> str:
        scheme = "wss" if self.server.config.is_ssl else "ws"
        return f"{scheme}://localhost:{self.port}"

    async def idle(self) -> None:
        """Wait until uvicorn knows no connection and runs no task."""
        state = self.server.server_state
        await until(lambda: not state.connections and not state.tasks)

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("localhost", self.port)


def application(channel: Channel) -> Starlette:
    async def give(caller: WebSocket) -> None:
        try:
            await hand_over(caller, channel)
        except OffhookError as error:
            await refuse(caller, error)

    async def serve(caller: WebSocket) -> None:
        await caller.accept()
        await echo(caller)

    async def deny(caller: WebSocket) -> None:
        await refuse(caller, NotFoundError("Not here."))

    routes = [("/give", give), ("/serve", serve), ("/deny", deny)]
    return Starlette(routes=[WebSocketRoute(path, endpoint) for path, endpoint in routes])


@asynccontextmanager
async def edge(
    on_socket: OnSocket = echo, *, mute: asyncio.Event | None = None, **options: Any
) -> AsyncGenerator[Edge]:
    """Both sides in this process; with `mute`, the call's side waits for that."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    async def answer_caller(message: dict[str, Any], connection: socket.socket) -> None:
        if mute:
            await mute.wait()
        try:
            await take(connection, found.heads[-1], on_socket)
        except HandoverError as error:
            there.refuse(message["id"], error)
            raise
        there.reply(message["id"], {})

    def hear(message: dict[str, Any], fds: list[int]) -> None:
        found.heads.append(base64.b64decode(message["head"]))
        connection = socket.socket(fileno=fds.pop())
        found.taken.append(asyncio.ensure_future(answer_caller(message, connection)))

    here = Channel(near, on_message=lambda _, __: None, on_closed=lambda: None)
    there = Channel(far, on_message=hear, on_closed=lambda: None)
    options = {"ws": Doorstep, "http": "h11", "log_config": None} | options
    server = uvicorn.Server(uvicorn.Config(application(here), **options))
    listener = socket.create_server(("localhost", 0))
    found = Edge(server, listener.getsockname()[1])
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        yield found
    finally:
        server.should_exit = True
        await serving
        here.close()
        there.close()


def calling(url: str, **options: Any) -> connect:
    return connect(url, proxy=None, **options)


async def files_once_used(server: Edge, **options: Any) -> int:
    """Descriptors when nobody is there; uvloop opens one of its own with its first caller."""
    assert await status(f"{server.url}/deny", **options) == 404
    await server.idle()
    return open_files()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


async def status(url: str, **options: Any) -> int:
    with pytest.raises(InvalidStatus) as caught:
        async with calling(url, **options):
            pass
    return caught.value.response.status_code


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelname not in ("DEBUG", "INFO")]
