"""What is decided about a call before it begins."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from bots.bot import DEFAULT_BOT, Bot, load_bot
from errors import BadRequestError, ConfigError
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

    def to_json(self) -> dict[str, JsonValue]:
        """The whole plan, for another process; it holds no secret."""
        return {
            **self._speaker(),
            "transport": self.transport,
            "room": self.room,
            "id": self.id,
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> CallPlan:
        """The plan that `to_json` gave.

        Raises:
            BadRequestError: It is none.
        """
        try:
            told = _Told.model_validate(dict(given))
        except ValidationError as error:
            raise _unreadable(error) from error
        return cls(told.bot, told.config, told.transport, told.room, told.id)

    def digest(self) -> str:
        """What the stages are built from, in 16 characters: the bot and the pipeline.

        Two plans with the same digest may be served by the same prebuilt stages.
        """
        canonical = json.dumps(self._speaker(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def _speaker(self) -> dict[str, JsonValue]:
        return {
            "bot": self.bot.model_dump(mode="json"),
            "config": self.config.model_dump(mode="json"),
        }


class _Told(BaseModel):
    """A plan as another process tells it."""

    model_config = ConfigDict(extra="forbid")

    bot: Bot
    config: PipelineConfig
    transport: AnyTransport
    room: str | None
    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")


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


def _unreadable(error: ValidationError) -> BadRequestError:
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return BadRequestError(f"This is no call's plan: {field}: {first['msg']}.", code="bad_plan")
