"""Whether this server lives, and how much of it is taken."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from hosts.host import Host


class Health(BaseModel):
    """The answer to `GET /healthz`."""

    status: str = "ok"
    calls: int
    slots: int
    slots_taken: int


def router(host: Host) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz")
    def healthz() -> Health:
        """Say that the process answers."""
        admission = host.admission
        return Health(calls=host.live, slots=admission.slots, slots_taken=admission.taken)

    return routes
