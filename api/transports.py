"""How a caller can come in here."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from hosts.transports import TITLES, Transports


class TransportEntry(BaseModel):
    """One way in, and whether it works here."""

    name: str
    title: str
    default: bool
    ready: bool
    missing: list[str]


class TransportList(BaseModel):
    """All of them, the default first."""

    transports: list[TransportEntry]


def router(transports: Transports) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["catalog"])

    @routes.get("/transports")
    def listed() -> TransportList:
        """List the transports and what each lacks."""
        return TransportList(
            transports=[
                TransportEntry(
                    name=name,
                    title=title,
                    default=number == 0,
                    ready=not (lacking := transports.lacks(name)),
                    missing=lacking,
                )
                for number, (name, title) in enumerate(TITLES.items())
            ]
        )

    return routes
