"""What is decided about a call before it begins."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from bots.bot import DEFAULT_BOT, Bot, load_bot
from pipelines.config import DEFAULT_PRESET, PipelineConfig, resolve
from records.record import CallFacts


@dataclass(frozen=True)
class CallPlan:
    """Who will speak, through what, over what. Complete and checked."""

    bot: Bot
    config: PipelineConfig
    transport: str
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
    transport: str = "webrtc",
) -> CallPlan:
    """Check everything that can be wrong about a call before anything is answered.

    Raises:
        NotFoundError: There is no such bot or pipeline.
        ConfigError: The pipeline, the bot's wishes or the overrides cannot be used.
    """
    speaker = load_bot(bot)
    turn = speaker.settings.turn
    config = resolve(pipeline, defaults={"turn": turn} if turn else None, overrides=overrides)
    return CallPlan(bot=speaker, config=config, transport=transport)
