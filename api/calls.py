"""Starting a call and connecting to it: Pipecat's client contract, with a bot and a pipeline."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Depends, WebSocket
from loguru import logger
from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from api.auth import Keys
from api.handover import hand_over, refuse
from bots.bot import DEFAULT_BOT
from bots.plan import CallPlan, TransportName, plan_call
from errors import ConfigError, OffhookError
from hosts.daily import ROOM_NAME
from hosts.handover import HandoverError
from hosts.house import House
from hosts.requests import Say
from hosts.session import Session
from hosts.websocket import SocketLine

T = TypeVar("T")


class GoneError(OffhookError):
    """Whoever asked is gone; nobody reads this."""

    code = "client_gone"
    status = 499

    def __init__(self) -> None:
        super().__init__("The connection was closed before there was an answer.")


class Choice(BaseModel):
    """What the caller may choose; at the top level of the body or inside `body`."""

    model_config = ConfigDict(extra="forbid")

    bot: str | None = Field(default=None, max_length=64)
    pipeline: str | None = Field(default=None, max_length=64)
    overrides: dict[str, JsonValue] = {}


class Bag(Choice):
    """The caller's own bag in Pipecat's contract: what is not ours in it is passed over."""

    model_config = ConfigDict(extra="ignore")


class StartRequest(Choice):
    """The body of `POST /start`, as Pipecat's clients send it."""

    transport: TransportName | None = None
    body: Bag = Bag()
    enable_default_ice_servers: bool = Field(default=False, alias="enableDefaultIceServers")
    create_daily_room: bool = Field(default=False, alias="createDailyRoom")
    daily_room: str | None = Field(default=None, alias="dailyRoom", pattern=f"^{ROOM_NAME}$")
    """Name of an existing room; the operator says which may be joined."""
    daily_room_properties: JsonValue = Field(default=None, alias="dailyRoomProperties")
    """Part of Pipecat's contract and passed over: the room is this server's to shape."""
    daily_meeting_token_properties: JsonValue = Field(
        default=None, alias="dailyMeetingTokenProperties"
    )
    """Passed over as well: the tokens are this server's too."""

    @field_validator("transport", mode="before")
    @classmethod
    def _no_phone(cls, given: object) -> object:
        if given == "twilio":
            raise PydanticCustomError(
                "phone", "a phone call begins at Twilio, whose number is to ask /twilio/voice"
            )
        return given


class IceServer(BaseModel):
    """A STUN or TURN server for the browser."""

    urls: list[str]
    username: str | None = None
    credential: str | None = None


class IceConfig(BaseModel):
    """All of them."""

    iceServers: list[IceServer]


class StartAnswer(BaseModel):
    """The session, and what its transport's client needs to come in."""

    sessionId: str | None = None
    """For a WebSocket it is in `wsUrl`: `/sessions/{id}/ws`."""
    iceConfig: IceConfig | None = None
    dailyRoom: str | None = None
    dailyToken: str | None = None
    url: str | None = None
    token: str | None = None
    wsUrl: str | None = None


class Offer(BaseModel):
    """The browser's session description."""

    model_config = ConfigDict(extra="ignore")

    sdp: str
    type: Literal["offer"]
    pc_id: str | None = None
    restart_pc: bool | None = None


class IceCandidate(BaseModel):
    """One of the browser's addresses, found after the offer."""

    candidate: str = Field(max_length=1024)
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


class IceCandidates(BaseModel):
    """Several of them."""

    pc_id: str
    candidates: list[IceCandidate] = Field(max_length=64)


def choose(request: StartRequest, house: House) -> dict[str, Any]:
    """The choice in `body` laid over the one at the top level.

    Raises:
        ConfigError: A Daily room is wanted on another transport.
    """
    wants_daily = request.create_daily_room or request.daily_room is not None
    transport = request.transport or ("daily" if wants_daily else "webrtc")
    if request.create_daily_room and transport != "daily":
        raise ConfigError(
            f"createDailyRoom: the transport is {transport!r}, which has no Daily rooms.",
            field="createDailyRoom",
        )
    inner = request.body
    return {
        "bot": inner.bot or request.bot or DEFAULT_BOT,
        "pipeline": house.pipeline(inner.pipeline or request.pipeline),
        "overrides": inner.overrides or request.overrides,
        "transport": transport,
        "room": request.daily_room,
    }


def router(house: House, keys: Keys) -> APIRouter:
    """The routes. Everything that can be wrong with a call is said by `/start`."""
    # What anyio loads with its first use; no caller should wait for it.
    importlib.import_module("anyio._backends._asyncio")
    routes = APIRouter(tags=["calls"], dependencies=[Depends(_guard(keys))])

    @routes.post("/start", response_model_exclude_none=True)
    async def start(request: StartRequest, http: Request) -> StartAnswer:
        """Check the wishes, take the slots, open the line, have a process ready."""
        plan = plan_call(**choose(request, house))
        session, invitation = await while_there(http, _let_in(house, plan, keys.name(http)))
        if await http.is_disconnected():
            # Nobody can come: nobody was told how.
            await house.host.hang_up(session.id)
        if plan.transport == "websocket":
            # Alone, since Pipecat's own client refuses an answer with anything else in it.
            url = _socket_url(http, session.id, str(invitation["token"]))
            return StartAnswer(wsUrl=url)
        return StartAnswer.model_validate({"sessionId": session.id, **invitation})

    @routes.post("/sessions/{session_id}/api/offer")
    async def offer(session_id: str, request: Offer) -> dict[str, str]:
        """Answer the browser's offer; the first one starts the call."""
        restart = bool(request.restart_pc)
        return await house.host.ask(session_id, "offer", sdp=request.sdp, restart=restart)

    @routes.patch("/sessions/{session_id}/api/offer")
    async def candidates(session_id: str, request: IceCandidates) -> dict[str, str]:
        """Take further ICE candidates."""
        candidates: list[JsonValue] = [
            given.model_dump(mode="json") for given in request.candidates
        ]
        await house.host.ask(session_id, "ice", pc_id=request.pc_id, candidates=candidates)
        return {"status": "success"}

    _add_control(routes, house, keys)
    return routes


def _add_control(routes: APIRouter, house: House, keys: Keys) -> None:
    """What may be done with a call that is on, by whoever may begin one."""

    @routes.delete("/sessions/{session_id}", status_code=204)
    async def hang_up(session_id: str) -> None:
        """End the call, however far it came; one that is over stays so."""
        await house.host.hang_up(session_id)

    # As hanging up, this takes a key where keys are asked for. What lets one caller in, the token
    # of a WebSocket, a room's or Twilio's, opens nothing here: a caller must not put words into the
    # bot's mouth, which the record then holds as the bot's.
    @routes.post("/sessions/{session_id}/say", status_code=204)
    async def say(session_id: str, wish: Say, http: Request) -> None:
        """Have the bot say a sentence, after what it is saying; it is part of the conversation."""
        session = house.host.session(session_id)
        await session.say(wish.text)
        who = keys.name(http) or "whoever has no key"
        logger.info("call {}: {} had the bot say something", session.plan.id, who)


def socket_router(house: House) -> APIRouter:
    """The WebSocket that carries a call. A browser sends no key with it: the token is the key."""
    routes = APIRouter(tags=["calls"])

    @routes.websocket("/sessions/{session_id}/ws")
    async def carry(socket: WebSocket, session_id: str, token: str = "") -> None:
        try:
            house.host.line(session_id, SocketLine).admit(token)
            child = house.host.session(session_id).child
            if child is None:
                raise HandoverError("The call has no process yet; start a new call.")
            await hand_over(socket, child.channel)
        except OffhookError as error:
            await refuse(socket, error)

    return routes


async def _let_in(
    house: House, plan: CallPlan, key: str | None
) -> tuple[Session, Mapping[str, object]]:
    session = await house.admit(plan, key=key)
    return session, await house.host.invite(session)


async def while_there(http: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do the work for as long as whoever asked for it is there.

    Raises:
        GoneError: They left, and the work was undone.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(http))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
        if working.cancelled():
            raise GoneError
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _left(http: Request) -> None:
    """Wait until nobody is there to be answered."""
    while (await http.receive())["type"] != "http.disconnect":
        pass


def _socket_url(request: Request, session_id: str, token: str) -> str:
    scheme = "wss" if request.url.scheme == "https" else "ws"
    return f"{scheme}://{request.url.netloc}/sessions/{session_id}/ws?token={quote(token)}"


def _guard(keys: Keys) -> Callable[[Request], Awaitable[None]]:
    # A plain function would be called in a thread.
    async def guard(request: Request) -> None:
        keys.check(request)

    return guard
