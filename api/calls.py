"""Starting a call and connecting to it: Pipecat's client contract, with a bot and a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, WebSocket
from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from api.auth import Keys
from api.errors import answer as answer_error
from bots.bot import DEFAULT_BOT
from bots.plan import TransportName, plan_call
from errors import ConfigError, OffhookError
from hosts.daily import ROOM_NAME
from hosts.house import House
from hosts.webrtc import WebRtcLine
from hosts.websocket import SocketLine


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
    routes = APIRouter(tags=["calls"], dependencies=[Depends(_guard(keys))])

    @routes.post("/start", response_model_exclude_none=True)
    async def start(request: StartRequest, http: Request) -> StartAnswer:
        """Check the wishes, take the slots, open the line."""
        plan = plan_call(**choose(request, house))
        await house.ready(plan)
        session = house.admit(plan)
        invitation = dict(await house.host.invite(session))
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
        line = house.host.line(session_id, WebRtcLine)
        return dict(await line.offer(request.sdp, restart=bool(request.restart_pc)))

    @routes.patch("/sessions/{session_id}/api/offer")
    async def candidates(session_id: str, request: IceCandidates) -> dict[str, str]:
        """Take further ICE candidates."""
        from pipelines.transports import Candidate

        line = house.host.line(session_id, WebRtcLine)
        await line.add([Candidate(**given.model_dump()) for given in request.candidates])
        return {"status": "success"}

    @routes.delete("/sessions/{session_id}", status_code=204)
    async def hang_up(session_id: str) -> None:
        """End the call, however far it came; one that is over stays so."""
        await house.host.hang_up(session_id)

    return routes


def socket_router(house: House) -> APIRouter:
    """The WebSocket that carries a call. A browser sends no key with it: the token is the key."""
    routes = APIRouter(tags=["calls"])

    @routes.websocket("/sessions/{session_id}/ws")
    async def carry(socket: WebSocket, session_id: str, token: str = "") -> None:
        try:
            line = house.host.line(session_id, SocketLine)
            line.admit(token)
        except OffhookError as error:
            await socket.send_denial_response(answer_error(error))
            return
        await socket.accept()
        await line.carry(socket)

    return routes


def _socket_url(request: Request, session_id: str, token: str) -> str:
    scheme = "wss" if request.url.scheme == "https" else "ws"
    return f"{scheme}://{request.url.netloc}/sessions/{session_id}/ws?token={quote(token)}"


def _guard(keys: Keys) -> Callable[[Request], None]:
    def guard(request: Request) -> None:
        keys.check(request)

    return guard
