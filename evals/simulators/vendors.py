"""The server that plays all vendors at once: one port, a vendor a path."""

from __future__ import annotations

import asyncio
import importlib
import json
import pkgutil
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import Literal

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

import evals.simulators
from evals.simulators.behaviour import Behaviour, Fault

_MAX_BODY_BYTES = 64 * 1024 * 1024
_MID_STREAM = ("stall", "close", "malformed")


class CutError(Exception):
    """The connection was cut on purpose; nothing more can be sent on it."""


@dataclass(frozen=True)
class Seen:
    """One request, as a test may ask about it."""

    service: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str = ""
    """Of a request in JSON."""


@dataclass
class Course:
    """One request's way through its service, with the fault that awaits it, if any."""

    request: web.Request
    fault: Fault | None
    sent: int = 0
    came_secs: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    """When the request's head was there, by the loop's clock."""

    @property
    def silent(self) -> bool:
        """Whether the answer shall have no words or no sound."""
        return self.fault is not None and self.fault.kind == "silent"

    async def next(self) -> Literal["malformed"] | None:
        """Call before each message of the answer; `malformed` asks for rubbish in its place.

        Raises:
            CutError: The connection was cut instead.
        """
        fault, number = self.fault, self.sent
        self.sent += 1
        if fault is None or fault.kind not in _MID_STREAM or number < fault.after:
            return None
        if fault.kind == "stall":
            await _for_ever(self.request)
        if fault.kind == "close":
            _cut(self.request)
            raise CutError
        return "malformed" if number == fault.after else None


@dataclass
class Desk:
    """What every simulated service shares."""

    behaviour: Behaviour = field(default_factory=Behaviour)
    seen: list[Seen] = field(default_factory=list[Seen])
    abandoned: Counter[str] = field(default_factory=Counter[str])
    """How many answers of each service the other side did not hear to the end."""
    spent: Counter[str] = field(default_factory=Counter[str])
    """What would have been billed: `tokens` that were written, `characters` given to be said,
    `audio_ms` that a socket of `deepgram-listen` heard, once it is closed."""
    came: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    """The path of each request, and the port it came from: one for all of a connection."""
    _counts: Counter[str] = field(default_factory=Counter[str])

    def __post_init__(self) -> None:
        self.random = Random(self.behaviour.seed)

    def behave(self, behaviour: Behaviour) -> None:
        """Behave so from the next request on; faults count requests from here."""
        self.behaviour = behaviour
        self.random = Random(behaviour.seed)
        self._counts.clear()
        self.abandoned.clear()
        self.spent.clear()
        self.came.clear()
        self.seen.clear()

    async def open(self, request: web.Request, service: str) -> Course:
        """Call first in each handler: notes the request and lets an opening fault strike.

        Raises:
            web.HTTPException: The fault is a status.
            CutError: The fault cut the connection.
        """
        came_secs = asyncio.get_running_loop().time()
        body = await request.text() if request.content_type == "application/json" else ""
        self.seen.append(
            Seen(
                service,
                request.method,
                request.path,
                dict(request.query),
                {name.lower(): value for name, value in request.headers.items()},
                body,
            )
        )
        number = self._counts[service]
        self._counts[service] += 1
        faults = self.behaviour.faults.get(service, ())
        fault = next((fault for fault in faults if fault.strikes(number)), None)
        if fault is not None:
            await _strike_at_once(request, fault)
        return Course(request, fault, came_secs=came_secs)

    def count(self, service: str) -> int:
        """How many requests that service has had since `behave`."""
        return self._counts[service]


async def _strike_at_once(request: web.Request, fault: Fault) -> None:
    if fault.kind == "status":
        raise _refusal(fault, request)
    if fault.kind == "refuse":
        _cut(request)
        raise CutError
    if fault.kind == "hang":
        await _for_ever(request)


def _refusal(fault: Fault, request: web.Request) -> web.HTTPException:
    """The answer with that status; it quotes the key that was shown, as some vendors do."""

    class Refusal(web.HTTPException):
        status_code = fault.status

    headers = {"Content-Type": "application/json"}
    if fault.retry_after_secs is not None:
        headers["Retry-After"] = str(fault.retry_after_secs)
    shown = request.headers.get("Authorization", "").rpartition(" ")[2]
    said = f"simulated fault {fault.status}" + (f"; your key is {shown}" if shown else "")
    body = json.dumps({"error": {"message": said, "type": "simulated"}})
    return Refusal(text=body, headers=headers)


def _cut(request: web.Request) -> None:
    if request.transport:
        request.transport.abort()


async def _for_ever(request: web.Request) -> None:
    """Wait until the other side gives up.

    Raises:
        CutError: It has.
    """
    # A transport tells nobody that it closes.
    while request.transport and not request.transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    raise CutError


class Vendors:
    """Serves every module of this folder that has `routes(desk)`. An async context manager."""

    def __init__(self, behaviour: Behaviour | None = None, *, port: int = 0) -> None:
        self.desk = Desk(behaviour or Behaviour())
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """What `OFFHOOK_VENDORS` must be for calls to go here."""
        assert self._runner and self._runner.addresses
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def __aenter__(self) -> Vendors:
        app = web.Application(middlewares=[quiet_cuts, self._note], client_max_size=_MAX_BODY_BYTES)
        app.add_routes([web.get("/behaviour", self._tell), web.put("/behaviour", self._behave)])
        for info in pkgutil.iter_modules(evals.simulators.__path__, "evals.simulators."):
            module = importlib.import_module(info.name)
            if hasattr(module, "routes"):
                app.add_routes(module.routes(self.desk))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._runner
        await self._runner.cleanup()

    def drop(self) -> None:
        """Close every connection, as a vendor does that was idle for long."""
        assert self._runner
        assert self._runner.server
        for connection in self._runner.server.connections:
            connection.force_close()
            if connection.transport:
                connection.transport.close()

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        peer = request.transport and request.transport.get_extra_info("peername")
        self.desk.came.append((request.path, peer[1] if peer else 0))
        return await handler(request)

    async def _tell(self, request: web.Request) -> web.Response:
        return web.json_response(text=self.desk.behaviour.model_dump_json(indent=2))

    async def _behave(self, request: web.Request) -> web.Response:
        """Behave from now on as the body says: a `Behaviour` in JSON."""
        try:
            behaviour = Behaviour.model_validate_json(await request.read())
        except ValidationError as error:
            return web.Response(status=422, text=str(error))
        if unknown := behaviour.unknown():
            return web.Response(status=422, text=f"Nobody plays {', '.join(unknown)}.")
        self.desk.behave(behaviour)
        return await self._tell(request)


@web.middleware
async def quiet_cuts(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A connection that was cut on purpose is no error of the server's."""
    try:
        return await handler(request)
    except (CutError, ConnectionResetError):
        return web.Response(status=499)
