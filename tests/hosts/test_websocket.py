"""A token opens its own line, once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

import hosts.host
from bots.plan import plan_call
from errors import NotFoundError
from hosts.admission import Admission
from hosts.host import Host, Session
from hosts.websocket import SocketLine, TokenError

pytestmark = pytest.mark.unit


async def test_a_token_is_good_once() -> None:
    line = SocketLine()
    token = str((await line.open())["token"])
    line.admit(token)
    with pytest.raises(TokenError):
        line.admit(token)


async def test_a_token_opens_no_other_line() -> None:
    mine, other = SocketLine(), SocketLine()
    token = str((await mine.open())["token"])
    for wrong in (token[:-1], f"{token}x", "", "ü"):
        with pytest.raises(TokenError):
            mine.admit(wrong)
    with pytest.raises(TokenError):
        other.admit(token)
    mine.admit(token)


async def test_the_end_of_the_session_is_the_end_of_its_token() -> None:
    line = SocketLine()
    token = str((await line.open())["token"])
    await line.close()
    with pytest.raises(TokenError):
        line.admit(token)


async def test_the_socket_is_carried_until_the_line_is_closed() -> None:
    line = SocketLine()
    socket = SimpleNamespace(client_state=SimpleNamespace(name="CONNECTED"))
    assert not line.alive()
    carrying = asyncio.ensure_future(line.carry(socket))
    await line.arrival()
    assert line.alive()
    socket.client_state.name = "DISCONNECTED"
    assert not line.alive()
    assert not carrying.done()
    await line.close()
    await carrying


async def test_a_token_expires_with_the_session_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(session: Session) -> None:
        raise AssertionError("nobody came")

    monkeypatch.setattr(hosts.host, "UNUSED_SECS", 0.05)
    async with Host(never, admission=Admission(slots=1)) as host:
        line = SocketLine()
        session = host.admit(plan_call(pipeline="simulated", transport="websocket"), line)
        token = str((await host.invite(session))["token"])
        assert session.task
        await session.task
        with pytest.raises(TokenError):
            line.admit(token)
        with pytest.raises(NotFoundError):
            host.line(session.id, SocketLine)
