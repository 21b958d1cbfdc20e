"""What Deepgram's two listening sockets share: who may come in, and how a refusal looks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any
from uuid import uuid4

from aiohttp import WSMsgType, web

from evals.simulators.vendors import Course

_IDLE_SECS = 10.0
RUBBISH = '{"type": "Resul'
"""What a `malformed` fault sends in place of a message."""


def refusal(request: web.Request, wrong: str) -> web.Response | None:
    """Deepgram's answer to a handshake without a key, or with something `wrong` in its query."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() not in ("token", "bearer") or not key:
        return _problem(401, "INVALID_AUTH", "Invalid credentials.")
    return _problem(400, "INVALID_QUERY_PARAMETER", wrong) if wrong else None


def _problem(status: int, code: str, message: str) -> web.Response:
    request_id = str(uuid4())
    body = {"err_code": code, "err_msg": message, "request_id": request_id}
    headers = {"dg-error": message, "dg-request-id": request_id}
    return web.json_response(body, status=status, headers=headers)


def not_audio(query: Mapping[str, str]) -> str:
    """What is wrong with how a query says its audio is; empty if nothing."""
    if query.get("encoding") != "linear16":
        return "encoding must be linear16 here."
    rate = query.get("sample_rate", "")
    if not rate.isdigit() or not 8000 <= int(rate) <= 48_000:
        return "sample_rate must be a number from 8000 to 48000."
    return ""


def not_between(query: Mapping[str, str], name: str, bounds: tuple[float, float]) -> str:
    """What is wrong with a number of a query that may be absent; empty if nothing."""
    low, high = bounds
    try:
        value = float(query.get(name, low))
    except ValueError:
        value = high + 1
    return "" if low <= value <= high else f"{name} must be a number from {low:g} to {high:g}."


async def converse(
    socket: web.WebSocketResponse,
    *,
    audio: Callable[[bytes], Awaitable[None]],
    control: Callable[[str], Awaitable[bool]],
) -> None:
    """Take what the caller sends, until it leaves, `control` says no, or it is silent too long."""
    while True:
        try:
            message = await socket.receive(timeout=_IDLE_SECS)
        except TimeoutError:
            await socket.close(code=1011, message=b"NET-0001")
            return
        if message.type is WSMsgType.BINARY:
            await audio(message.data)
        elif message.type is not WSMsgType.TEXT or not await control(message.data):
            with suppress(ConnectionResetError):
                await socket.close()
            return


async def say(socket: web.WebSocketResponse, course: Course, message: dict[str, Any]) -> None:
    """Send a message, or what the fault of this request puts in its place."""
    if await course.next() == "malformed":
        await socket.send_str(RUBBISH)
    else:
        await socket.send_json(message)
