"""Callers over TLS reach their call through the HTTP process, at a pace that both keep."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import api.handover
import api.relay
from api.relay import HIGH_BYTES, Relay
from evals.bench_relay import staged
from tests.support.certificates import self_signed
from tests.support.edges import (
    LOOPS,
    calling,
    edge,
    files_once_used,
    open_files,
    run_on,
    until,
)

pytestmark = pytest.mark.integration

READ_AT_ONCE = 256 * 1024
"""By asyncio and uvloop, at most."""
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=list(LOOPS))
def run(request: pytest.FixtureRequest) -> Run:
    return partial(run_on, request.param)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of this machine, by itself; the certificate and its key."""
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(certificate: tuple[Path, Path]) -> dict[str, Any]:
    """What uvicorn is given."""
    return {"ssl_certfile": str(certificate[0]), "ssl_keyfile": str(certificate[1])}


@pytest.fixture
def trust(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate[0])


@pytest.fixture
def relays(monkeypatch: pytest.MonkeyPatch) -> list[Relay]:
    """Those that were begun."""
    begun: list[Relay] = []

    class Noted(Relay):
        def begin(self) -> None:
            begun.append(self)
            super().begin()

    monkeypatch.setattr(api.handover, "Relay", Noted)
    return begun


def test_where_tls_ends_here_it_is_relayed(
    run: Run, tls: dict[str, Any], trust: ssl.SSLContext, relays: list[Relay]
) -> None:
    async def scenario() -> None:
        async with edge(**tls) as server:
            before = await files_once_used(server, ssl=trust)
            async with calling(f"{server.url}/give", ssl=trust) as caller:
                await server.idle()
                for message in (b"one", bytes(60_000), b"three"):
                    await caller.send(message)
                    assert await caller.recv() == message
            await until(lambda: relays[0].call.gone and relays[0].call.other.gone)
            await until(lambda: open_files() <= before)

    run(scenario())
    assert len(relays) == 1


async def settled(count: Callable[[], int]) -> int:
    """What a count comes to rest at."""
    seen = [-1, -2]
    while seen[-1] != seen[-2] or count() == 0:
        await asyncio.sleep(0.3)
        seen.append(count())
    return seen[-1]


def test_a_slow_reader_holds_the_sender_up(
    run: Run, tls: dict[str, Any], trust: ssl.SSLContext, relays: list[Relay]
) -> None:
    """What waits in this process stays under the bound, and all of it comes in the end."""
    chunk, sent = bytes(50_000), 0

    async def flood(caller: WebSocket) -> None:
        nonlocal sent
        while sent < 40_000_000:
            await caller.send_bytes(chunk)
            sent += len(chunk)

    async def scenario() -> None:
        async with edge(flood, **tls) as server:
            options: dict[str, Any] = {"ssl": trust, "max_queue": 1, "compression": None}
            async with calling(f"{server.url}/give", **options) as caller:
                stuck_at = await settled(lambda: sent)
                assert stuck_at < 40_000_000
                waiting = relays[0].call.other.transport.get_write_buffer_size()
                assert waiting <= HIGH_BYTES + 2 * READ_AT_ONCE
                assert await count_bytes(caller) == 40_000_000

    run(scenario())


async def count_bytes(caller: ClientConnection) -> int:
    count = 0
    async for message in caller:
        count += len(message)
    return count


def test_a_call_that_does_not_read_holds_its_caller_up(
    run: Run, tls: dict[str, Any], trust: ssl.SSLContext, relays: list[Relay]
) -> None:
    sent, read = 0, 0

    async def scenario() -> None:
        awake = asyncio.Event()

        async def sleep(caller: WebSocket) -> None:
            nonlocal read
            await awake.wait()
            while read < 40_000_000:
                read += len(await caller.receive_bytes())

        async def flood(caller: ClientConnection) -> None:
            nonlocal sent
            while sent < 40_000_000:
                await caller.send(bytes(50_000))
                sent += 50_000

        options: dict[str, Any] = {"ssl": trust, "compression": None}
        async with edge(sleep, **tls) as server, calling(f"{server.url}/give", **options) as caller:
            flooding = asyncio.ensure_future(flood(caller))
            assert await settled(lambda: sent) < 40_000_000
            waiting = relays[0].call.transport.get_write_buffer_size()
            assert waiting <= HIGH_BYTES + 2 * READ_AT_ONCE
            awake.set()
            await flooding
            await caller.wait_closed()
            assert (caller.close_code, read) == (1000, 40_000_000)

    run(scenario())


def test_a_relay_on_which_nothing_moves_ends(
    run: Run,
    tls: dict[str, Any],
    trust: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api.relay, "IDLE_SECS", 0.1)

    async def scenario() -> None:
        async with edge(**tls) as server, calling(f"{server.url}/give", ssl=trust) as caller:
            with pytest.raises(ConnectionClosed):
                await caller.recv()

    run(scenario())


@pytest.mark.parametrize("secure", [False, True])
def test_the_death_of_the_call_is_seen_at_once(
    secure: bool, tls: dict[str, Any], trust: ssl.SSLContext
) -> None:
    way = "relayed" if secure else "handed"
    with staged(way, **(tls if secure else {})) as stage:
        context = trust if secure else None
        with connect(stage.url, ssl=context, proxy=None, open_timeout=60) as caller:
            caller.send(b"alive")
            assert caller.recv(10) == b"alive"
            threading.Timer(0.2, stage.call.kill).start()
            with pytest.raises(ConnectionClosed):
                caller.recv(10)
