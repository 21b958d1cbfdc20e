"""Daily's REST API: rooms and meeting tokens; there is no media behind it."""

from __future__ import annotations

import base64
import json
import re
import secrets
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Literal, cast

from aiohttp import web

from evals.simulators.vendors import Course, Desk

_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_REGIONS = frozenset(
    {
        "af-south-1", "ap-northeast-2", "ap-southeast-1", "ap-southeast-2", "ap-south-1",
        "eu-central-1", "eu-west-2", "sa-east-1", "us-east-1", "us-west-2",
    }
)  # fmt: skip
_PROPERTIES: dict[str, type | tuple[type, ...]] = {
    "exp": (int, float),
    "nbf": (int, float),
    "max_participants": int,
    "geo": str,
    "eject_at_room_exp": bool,
    "enable_chat": bool,
    "enable_prejoin_ui": bool,
    "enable_screenshare": bool,
    "start_audio_off": bool,
    "start_video_off": bool,
}
_TOKEN_PROPERTIES: dict[str, type | tuple[type, ...]] = {
    "room_name": str,
    "exp": (int, float),
    "nbf": (int, float),
    "eject_at_token_exp": bool,
    "is_owner": bool,
    "user_name": str,
    "user_id": str,
    "start_audio_off": bool,
    "start_video_off": bool,
}

Error = Literal[
    "authentication-error", "authorization-header-error", "invalid-request-error",
    "json-parsing-error", "not-found",
]  # fmt: skip
_STATUS: dict[Error, int] = {"authentication-error": 401, "not-found": 404}


class _RefusedError(Exception):
    """A request that Daily would not take."""

    def __init__(self, error: Error, info: str) -> None:
        super().__init__(info)
        self.body = {"error": error, "info": info}
        self.status = _STATUS.get(error, 400)


Answer = Callable[[web.Request, bytes], dict[str, Any]]


class _Domain:
    """The rooms of one account."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._rooms: dict[str, dict[str, Any]] = {}

    def handler(self, answer: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Serve `answer`, with the faults that the desk has in store."""

        async def handle(request: web.Request) -> web.StreamResponse:
            course = await self._desk.open(request, "daily")
            try:
                _authenticate(request)
                body = answer(request, await request.read())
            except _RefusedError as refused:
                return await _send(course, refused.body, refused.status)
            return await _send(course, body, 200)

        return handle

    def create(self, request: web.Request, raw: bytes) -> dict[str, Any]:
        """Make a room."""
        body = _json(raw)
        name = body.get("name") or secrets.token_hex(10)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _RefusedError("invalid-request-error", f"invalid room name {name!r}")
        if name in self._live():
            raise _RefusedError("invalid-request-error", f"a room named {name} already exists")
        if body.get("privacy", "public") not in ("public", "private"):
            raise _RefusedError("invalid-request-error", "privacy must be public or private")
        config = _checked(body.get("properties", {}), _PROPERTIES)
        if "geo" in config and config["geo"] not in _REGIONS:
            raise _RefusedError("invalid-request-error", f"{config['geo']!r} is no region")
        self._rooms[name] = {
            "id": str(uuid.uuid4()),
            "name": name,
            "api_created": True,
            "privacy": body.get("privacy", "public"),
            # A name that resolves nowhere: a bot that is sent there cannot join.
            "url": f"https://simulated.daily.invalid/{name}",
            "created_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "config": config,
        }
        return self._rooms[name]

    def get(self, request: web.Request, raw: bytes) -> dict[str, Any]:
        """Show a room."""
        name = request.match_info["name"]
        if name not in self._live():
            raise _RefusedError("not-found", f"room {name} not found")
        return self._rooms[name]

    def delete(self, request: web.Request, raw: bytes) -> dict[str, Any]:
        """Delete a room."""
        name = self.get(request, raw)["name"]
        del self._rooms[name]
        return {"deleted": True, "name": name}

    def list(self, request: web.Request, raw: bytes) -> dict[str, Any]:
        """Show the rooms, the newest first."""
        rooms = list(self._live().values())[::-1]
        return {"total_count": len(rooms), "data": rooms[: int(request.query.get("limit", 100))]}

    def mint(self, request: web.Request, raw: bytes) -> dict[str, Any]:
        """Make a token."""
        properties = _checked(_json(raw).get("properties", {}), _TOKEN_PROPERTIES)
        name = properties.get("room_name")
        if name is not None and name not in self._live():
            raise _RefusedError("invalid-request-error", f"room {name} does not exist")
        # The shape of a token, so that who reads it sees what was asked for; nothing signs it.
        parts = [{"alg": "HS256", "typ": "JWT"}, properties]
        encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode() for p in parts]
        return {"token": ".".join([*encoded, secrets.token_urlsafe(32)])}

    def _live(self) -> dict[str, dict[str, Any]]:
        """The rooms that have not expired; Daily shows no others."""
        now = datetime.now(UTC).timestamp()
        self._rooms = {n: r for n, r in self._rooms.items() if r["config"].get("exp", now) >= now}
        return self._rooms


async def _send(course: Course, body: dict[str, Any], status: int) -> web.StreamResponse:
    """Answer, unless a fault strikes between the deed and the telling of it."""
    trouble = await course.next()
    if trouble:
        return web.Response(text="<html>upstream", content_type="text/html")
    return web.json_response(body, status=status)


def _authenticate(request: web.Request) -> None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not key:
        raise _RefusedError("authorization-header-error", "bad Authorization header format")
    if key != "simulated":
        raise _RefusedError("authentication-error", "invalid API key")


def _json(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw or b"{}")
    except ValueError as error:
        raise _RefusedError("json-parsing-error", "the body is not JSON") from error
    if not isinstance(body, dict):
        raise _RefusedError("invalid-request-error", "the body must be an object")
    return cast("dict[str, Any]", body)


def _checked(properties: Any, known: dict[str, type | tuple[type, ...]]) -> dict[str, Any]:
    if not isinstance(properties, dict):
        raise _RefusedError("invalid-request-error", "properties must be an object")
    given = cast("dict[str, Any]", properties)
    for name, value in given.items():
        if name not in known:
            raise _RefusedError("invalid-request-error", f"unknown property '{name}'")
        if not isinstance(value, known[name]):
            raise _RefusedError("invalid-request-error", f"'{name}' has the wrong type")
    return given


def routes(desk: Desk) -> list[web.RouteDef]:
    """Daily's paths under `/daily/v1`."""
    domain = _Domain(desk)
    rooms, one = "/daily/v1/rooms", "/daily/v1/rooms/{name}"
    return [
        web.post(rooms, domain.handler(domain.create)),
        web.get(rooms, domain.handler(domain.list)),
        web.get(one, domain.handler(domain.get)),
        web.delete(one, domain.handler(domain.delete)),
        web.post("/daily/v1/meeting-tokens", domain.handler(domain.mint)),
    ]
