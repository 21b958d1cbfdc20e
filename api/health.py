"""Whether this server lives, how much of it is taken, and whether it takes calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

from fastapi import APIRouter, Response
from pydantic import BaseModel

Unready = Callable[[], Sequence[str]]
"""Why no call can be taken now, a code each: `draining`, `full`, ...; nothing if one can."""


class Slots(Protocol):
    """How much of a host is taken."""

    @property
    def slots(self) -> int:
        """All of them."""
        ...

    @property
    def taken(self) -> int:
        """Those that calls hold."""
        ...


class Full(Protocol):
    """What is told of a host."""

    @property
    def live(self) -> int:
        """Calls now."""
        ...

    @property
    def admission(self) -> Slots:
        """Its slots."""
        ...


class Health(BaseModel):
    """The answer to `GET /healthz`."""

    status: str = "ok"
    calls: int
    slots: int
    slots_taken: int


class Readiness(BaseModel):
    """The answer to `GET /readyz`."""

    status: Literal["ready", "not_ready"]
    reasons: list[str]
    """Codes, as anybody may ask: what exactly is absent, the log and `offhook check` say."""


def router(host: Full, unready: Unready = tuple) -> APIRouter:
    """The routes. Both are asked without a key.

    Args:
        host: What is told of.
        unready: Why it takes no call; asked on the event loop, must not block.
    """
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz")
    async def healthz() -> Health:
        """Say that the process answers."""
        admission = host.admission
        return Health(calls=host.live, slots=admission.slots, slots_taken=admission.taken)

    @routes.get("/readyz", responses={503: {"model": Readiness}})
    async def readyz(response: Response) -> Readiness:
        """Say whether a call that comes now is taken; 503 if not, with why."""
        reasons = list(unready())
        if reasons:
            response.status_code = 503
        response.headers["Cache-Control"] = "no-store"
        return Readiness(status="not_ready" if reasons else "ready", reasons=reasons)

    return routes
