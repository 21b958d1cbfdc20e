"""Callers who meet the bot in a room of a LiveKit server; the bot's is `hosts.legs.LiveKitLeg`."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import JsonValue

from errors import ConfigError

_URL = re.compile(r"wss?://([\w.-]+|\[[\da-fA-F:]+\])(:\d{1,5})?(/[\w./-]*)?")


@dataclass(frozen=True)
class LiveKitSettings:
    """Which server, and what tokens for it are signed with."""

    url: str = ""
    """`wss://...`; `ws://` for a server on a network that is trusted."""
    api_key: str = ""
    api_secret: str = field(default="", repr=False)

    def check(self) -> None:
        """Refuse an address that no client could use.

        Raises:
            ConfigError: It is no WebSocket address.
        """
        if self.url and not _URL.fullmatch(self.url):
            raise ConfigError(
                f"LIVEKIT_URL is {self.url!r}; it must be wss://HOST or ws://HOST:PORT.",
                field="LIVEKIT_URL",
            )

    def lacks(self) -> list[str]:
        """The variables that are not set, a sentence each."""
        given = {
            "LIVEKIT_URL": self.url,
            "LIVEKIT_API_KEY": self.api_key,
            "LIVEKIT_API_SECRET": self.api_secret,
        }
        return [
            f"The environment variable {name} is not set (livekit)."
            for name, value in given.items()
            if not value
        ]

    def mint(self, identity: str, *, room: str, name: str, life: timedelta) -> str:
        """A token with which `identity` may join `room`, speak, listen and send messages."""
        from livekit.api import AccessToken, VideoGrants

        grants = VideoGrants(
            room_join=True,
            room=room,
            can_publish=True,
            can_subscribe=True,
            can_publish_data=True,
        )
        token = AccessToken(self.api_key, self.api_secret)
        return (
            token.with_identity(identity)
            .with_name(name)
            .with_grants(grants)
            .with_ttl(life)
            .to_jwt()
        )


class LiveKitLine:
    """A room that LiveKit makes when the first of the two joins and drops when both are gone.

    Args:
        settings: The server.
        call_id: Names the room.
        bot_name: What the person sees.
        life_secs: How long the tokens open the room.
    """

    def __init__(
        self, settings: LiveKitSettings, *, call_id: str, bot_name: str, life_secs: int
    ) -> None:
        self._settings = settings
        self._room = f"offhook-{call_id}"
        self._bot_name = bot_name
        self._life = timedelta(seconds=life_secs)

    async def open(self) -> Mapping[str, object]:
        """Sign the person's token."""
        await asyncio.to_thread(importlib.import_module, "livekit.api")
        return {"url": self._settings.url, "token": self._mint("caller", "Caller")}

    def ticket(self) -> dict[str, JsonValue]:
        """The room, and the agent's token."""
        return {
            "kind": "livekit",
            "url": self._settings.url,
            "token": self._mint("agent", self._bot_name),
            "room": self._room,
        }

    def holder(self) -> dict[str, JsonValue]:
        """Nothing has to be deleted."""
        return {}

    async def close(self) -> None:
        """The bot has left; LiveKit drops a room that is empty."""

    def _mint(self, identity: str, name: str) -> str:
        return self._settings.mint(identity, room=self._room, name=name, life=self._life)
