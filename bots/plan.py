"""What is decided about a call before it begins."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from bots.bot import DEFAULT_BOT, Bot, load_bot
from errors import ConfigError
from pipelines.config import DEFAULT_PRESET, PipelineConfig, resolve
from records.record import CallFacts

TransportName = Literal["webrtc", "websocket", "daily", "livekit"]
"""How a caller from outside asks to come in."""
AnyTransport = TransportName | Literal["twilio", "headless"]
"""How a call may be carried: a phone call comes unasked, a headless one has no line."""


@dataclass(frozen=True)
class CallPlan:
    """Who will speak, through what, over what. Complete and checked."""

    bot: Bot
    config: PipelineConfig
    transport: AnyTransport
    room: str | None = None
    """Name of an existing Daily room to join; one is made otherwise."""
    id: str = field(default_factory=lambda: secrets.token_hex(8))

    def facts(self) -> CallFacts:
        """What the call's record begins with."""
        return CallFacts(
            id=self.id,
            bot=self.bot.name,
            pipeline=self.config.name,
            config=self.config.model_dump(mode="json"),
            transport=self.transport,
        )


def plan_call(
    *,
    bot: str = DEFAULT_BOT,
    pipeline: str | Path = DEFAULT_PRESET,
    overrides: Mapping[str, JsonValue] | None = None,
    transport: AnyTransport = "webrtc",
    room: str | None = None,
) -> CallPlan:
    """Check everything that can be wrong about a call before anything is answered.

    Raises:
        NotFoundError: There is no such bot or pipeline.
        ConfigError: The pipeline, the bot's wishes, the overrides or the room cannot be used.
    """
    if room is not None and transport != "daily":
        raise ConfigError(
            f"dailyRoom: the transport {transport!r} has no such rooms.", field="dailyRoom"
        )
    speaker = load_bot(bot)
    turn = speaker.settings.turn
    config = resolve(pipeline, defaults={"turn": turn} if turn else None, overrides=overrides)
    return CallPlan(bot=speaker, config=config, transport=transport, room=room)
