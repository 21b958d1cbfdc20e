"""Starting a call and connecting to it: Pipecat's client contract, with a bot and a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.requests import Request

from api.auth import Keys
from bots.bot import DEFAULT_BOT
from bots.plan import plan_call
from errors import ConfigError
from hosts.house import House


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

    transport: Literal["webrtc"] = "webrtc"
    body: Bag = Bag()
    enable_default_ice_servers: bool = Field(default=False, alias="enableDefaultIceServers")
    create_daily_room: bool = Field(default=False, alias="createDailyRoom")


class StartAnswer(BaseModel):
    """Where the call waits for its offer."""

    sessionId: str


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


def choose(request: StartRequest, default_pipeline: str) -> dict[str, Any]:
    """The choice in `body` laid over the one at the top level.

    Raises:
        ConfigError: The request asks for a transport that is not here.
    """
    if request.create_daily_room:
        raise ConfigError(
            "createDailyRoom: this server has no Daily transport.", field="createDailyRoom"
        )
    inner = request.body
    return {
        "bot": inner.bot or request.bot or DEFAULT_BOT,
        "pipeline": inner.pipeline or request.pipeline or default_pipeline,
        "overrides": inner.overrides or request.overrides,
        "transport": request.transport,
    }


def router(house: House, keys: Keys) -> APIRouter:
    """The routes. Everything that can be wrong with a call is said by `/start`."""
    routes = APIRouter(tags=["calls"], dependencies=[Depends(_guard(keys))])

    @routes.post("/start")
    async def start(request: StartRequest) -> StartAnswer:
        """Check the wishes, take the slots, open a session."""
        plan = plan_call(**choose(request, house.default.name))
        await house.ready(plan)
        return StartAnswer(sessionId=house.host.admit(plan).id)

    @routes.post("/sessions/{session_id}/api/offer")
    async def offer(session_id: str, request: Offer) -> dict[str, str]:
        """Answer the browser's offer; the first one starts the call."""
        answer = await house.host.offer(session_id, request.sdp, restart=bool(request.restart_pc))
        return dict(answer)

    @routes.patch("/sessions/{session_id}/api/offer")
    async def candidates(session_id: str, request: IceCandidates) -> dict[str, str]:
        """Take further ICE candidates."""
        from pipelines.transports import Candidate

        await house.host.add_candidates(
            session_id, [Candidate(**given.model_dump()) for given in request.candidates]
        )
        return {"status": "success"}

    return routes


def _guard(keys: Keys) -> Callable[[Request], None]:
    def guard(request: Request) -> None:
        keys.check(request)

    return guard
