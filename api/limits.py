"""What a request may weigh and where it may come from."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from api.errors import answer
from errors import OffhookError

MAX_BODY_BYTES = 64 * 1024
MAX_MESSAGE_BYTES = 64 * 1024
"""Of a WebSocket message: two seconds of audio, where clients send a fraction of one."""


class TooLargeError(OffhookError):
    """The body is larger than any honest request's."""

    code = "too_large"
    status = 413


class ForbiddenOriginError(OffhookError):
    """A page of another site tries to speak for the person who has it open."""

    code = "forbidden_origin"
    status = 403


class BodyLimit:
    """Refuses a body over 64 KiB before it is read in full, declared or not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, within the limit, before anybody else does."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        body = None
        if declared.isdigit() and int(declared) <= MAX_BODY_BYTES:
            body = await _read(receive)
        if body is None:
            refusal = TooLargeError(f"The body is over {MAX_BODY_BYTES // 1024} KiB.")
            await answer(refusal)(scope, receive, send)
            return
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return unread.pop() if unread else await receive()

        await self._app(scope, replay, send)


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None if it is over the limit."""
    body = bytearray()
    while len(body) <= MAX_BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body) if len(body) <= MAX_BODY_BYTES else None
    return None


class SameOrigin:
    """Refuses what another site's page would change or listen to.

    A server on loopback is reachable by every page that its user opens; the Origin header, which
    a page cannot forge, tells them apart. It also refuses a Host that is no name of this machine
    while no key is asked for, so that a rebound DNS name does not pass for the same origin.
    """

    def __init__(self, app: ASGIApp, *, loopback_only: bool) -> None:
        self._app = app
        self._loopback_only = loopback_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through what has no Origin or our own."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        # A browser asks nobody before it opens a WebSocket to another site.
        harmless = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        foreign_host = self._loopback_only and _name(host) not in _LOOPBACK
        origin = headers.get("origin", "")
        foreign_page = bool(origin) and origin.partition("://")[2] != host
        if foreign_host or (foreign_page and not harmless):
            error = ForbiddenOriginError("Open Offhook's own page; other sites may not use it.")
            await _refuse(error, scope, receive=receive, send=send)
            return
        await self._app(scope, receive, send)


async def _refuse(error: OffhookError, scope: Scope, *, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(answer(error))
    else:
        await answer(error)(scope, receive, send)


_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def _name(host: str) -> str:
    return host if host.endswith("]") else host.rpartition(":")[0] or host
