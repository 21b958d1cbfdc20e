"""A token opens its own line, once."""

from __future__ import annotations

import pytest

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


async def test_the_child_is_told_no_token() -> None:
    line = SocketLine()
    token = str((await line.open())["token"])
    assert line.ticket() == {"kind": "websocket"}
    assert token not in str(line.holder())
