"""Callers leave the HTTP process: a real uvicorn, real sockets, on asyncio's loop and uvloop's."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import h11
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.websockets import WebSocket
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

import api.handover
from api.handover import Doorstep
from evals.bench_relay import staged
from hosts.handover import HandoverError
from tests.support.edges import (
    LOOPS,
    calling,
    complaints,
    edge,
    files_once_used,
    open_files,
    run_on,
    status,
    until,
)

pytestmark = pytest.mark.integration

Run = Callable[[Coroutine[Any, Any, None]], None]
HTTP = ["h11"] + ["httptools"] * (importlib.util.find_spec("httptools") is not None)


@pytest.fixture(params=list(LOOPS))
def run(request: pytest.FixtureRequest) -> Run:
    return partial(run_on, request.param)


async def test_uvicorn_is_as_it_is_relied_on() -> None:
    """Beside what it documents; what it does with these is tested by all that follows."""
    config = uvicorn.Config(Starlette(), ws=Doorstep, http="h11", log_config=None)
    taken = list(inspect.signature(WebSocketsSansIOProtocol).parameters)
    assert taken[:3] == ["config", "server_state", "app_state"], (
        "uvicorn builds its WebSocket protocols otherwise: look at Doorstep and hosts.handover"
    )
    protocol = H11Protocol(config, ServerState(), {})
    assert isinstance(getattr(protocol, "conn", None), h11.Connection), (
        "H11Protocol.conn is no h11.Connection any more: what was read behind a request's head "
        "is lost; look at _read_already in api/handover.py"
    )


@pytest.mark.parametrize("http", HTTP)
def test_the_caller_talks_with_the_other_side(
    run: Run, http: str, caplog: pytest.LogCaptureFixture
) -> None:
    """If uvicorn changes what it gives its WebSocket protocol, this fails: see decision 16."""

    async def scenario() -> None:
        async with edge(http=http) as server:
            async with calling(f"{server.url}/give?token=secret") as caller:
                await server.idle()
                for message in (b"one", bytes(60_000), b"three"):
                    await caller.send(message)
                    assert await caller.recv() == message
            (head,) = server.heads
        assert head.startswith(b"GET /give HTTP/1.1\r\n"), "uvicorn gives another head"
        assert head.endswith(b"\r\n\r\n"), "uvicorn gives more or less than the head"

    run(scenario())
    assert complaints(caplog) == []
    assert "secret" not in "".join(r.getMessage() for r in caplog.records if "accepted" in r.msg)


@pytest.mark.parametrize("path", ["/give", "/serve"])
def test_what_came_with_the_request_is_not_lost(run: Run, path: str) -> None:
    """Nor what comes while the request is looked at."""

    async def scenario() -> None:
        async with edge() as server:
            reader, writer = await server.raw()
            frames = [Frame(Opcode.BINARY, data).serialize(mask=True) for data in (b"1", b"2")]
            writer.write(request(path) + frames[0])
            await asyncio.sleep(0)
            writer.write(frames[1])
            answered = await reader.readuntil(b"\r\n\r\n")
            assert b" 101 " in answered
            assert await reader.readexactly(6) == b"\x82\x011\x82\x012"
            writer.close()

    run(scenario())


def request(path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


def test_too_much_with_the_request_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.handover, "MAX_OPENING_BYTES", 1000)

    async def scenario() -> None:
        async with edge() as server:
            reader, writer = await server.raw()
            writer.write(request("/give") + bytes(1000))
            assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
            writer.close()
            assert server.heads == []

    run(scenario())


def test_an_answer_is_given_here_too(run: Run) -> None:
    async def scenario() -> None:
        async with edge() as server:
            async with calling(f"{server.url}/serve") as caller:
                await caller.send(b"here")
                assert await caller.recv() == b"here"
            assert await status(f"{server.url}/deny") == 404
            await server.idle()

    run(scenario())


def test_a_caller_whom_nobody_takes_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And nobody has them when they are taken too late."""
    monkeypatch.setattr(api.handover, "TAKE_SECS", 0.1)

    async def scenario() -> None:
        mute = asyncio.Event()
        left: list[str] = []

        async def note(caller: WebSocket) -> None:
            left.append((await caller.receive())["type"])

        async with edge(note, mute=mute) as server:
            before = await files_once_used(server)
            assert await status(f"{server.url}/give") == 503
            await server.idle()
            mute.set()
            (late,) = await asyncio.gather(*server.taken, return_exceptions=True)
            assert left == ["websocket.disconnect"] or isinstance(late, HandoverError)
            await until(lambda: open_files() <= before)

    run(scenario())
    assert complaints(caplog) == []


def test_a_caller_who_left_meanwhile_troubles_nobody(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        mute = asyncio.Event()
        async with edge(mute=mute) as server:
            before = await files_once_used(server)
            _, writer = await server.raw()
            writer.write(request("/give"))
            await until(lambda: bool(server.taken))
            writer.transport.abort()
            mute.set()
            await server.idle()
            await until(lambda: open_files() <= before)

    run(scenario())
    assert complaints(caplog) == []


def test_a_server_that_cannot_hand_over_says_so(run: Run) -> None:
    async def scenario() -> None:
        async with edge(ws="websockets-sansio") as server:
            assert await status(f"{server.url}/give") == 500

    run(scenario())


@pytest.mark.parametrize("loop", list(LOOPS))
def test_the_call_goes_on_without_the_http_process(loop: str) -> None:
    with (
        staged("handed", loop=loop) as stage,
        connect(stage.url, proxy=None, open_timeout=60) as caller,
    ):
        caller.send(b"before")
        assert caller.recv(10) == b"before"
        stage.http.kill()
        stage.http.join()
        caller.send(b"after")
        assert caller.recv(10) == b"after"


@pytest.mark.parametrize("loop", list(LOOPS))
def test_the_http_process_keeps_nothing(loop: str) -> None:
    with staged("handed", loop=loop) as stage:

        def talk(caller: ClientConnection) -> int:
            """How many files the HTTP process has once the caller is answered."""
            caller.send(b"there")
            assert caller.recv(10) == b"there"
            # The answer may be here before its own copy is gone.
            time.sleep(0.5)
            return len(list(Path(f"/proc/{stage.http.pid}/fd").iterdir()))

        with connect(stage.url, proxy=None, open_timeout=60) as caller:
            with_one = talk(caller)
            with connect(stage.url, proxy=None) as other:
                assert talk(other) == with_one
