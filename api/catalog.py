"""What can be chosen: the bots and the pipelines."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from bots.bot import DEFAULT_BOT, bot_names, load_bot
from hosts.house import House


class BotEntry(BaseModel):
    """One bot, as the page lists it."""

    name: str
    title: str
    summary: str
    default: bool


class BotList(BaseModel):
    """All of them, the default first."""

    bots: list[BotEntry]


class PipelineEntry(BaseModel):
    """One pipeline, and whether it can run here."""

    name: str
    summary: str
    default: bool
    ready: bool
    missing: list[str]


class PipelineList(BaseModel):
    """All of them, the default first."""

    pipelines: list[PipelineEntry]


def router(house: House) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["catalog"])

    @routes.get("/bots")
    def bots() -> BotList:
        """List the bots."""
        return BotList(
            bots=[
                BotEntry(
                    name=name,
                    title=bot.settings.title,
                    summary=bot.settings.summary,
                    default=name == DEFAULT_BOT,
                )
                for name, bot in ((name, load_bot(name)) for name in bot_names())
            ]
        )

    @routes.get("/pipelines")
    def pipelines() -> PipelineList:
        """List the pipelines and what each lacks."""
        entries: list[PipelineEntry] = []
        for config in house.pipelines():
            lacking = house.lacks(config)
            entries.append(
                PipelineEntry(
                    name=config.name,
                    summary=config.summary,
                    default=config is house.default,
                    ready=not lacking,
                    missing=lacking,
                )
            )
        return PipelineList(pipelines=entries)

    return routes
