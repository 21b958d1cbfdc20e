"""Callers who meet the bot in a room of a LiveKit server."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from errors import ConfigError

if TYPE_CHECKING:
    from pipecat.transports.base_transport import BaseTransport

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
        self._lost = False

    async def open(self) -> Mapping[str, object]:
        """Sign the person's token."""
        await asyncio.to_thread(importlib.import_module, "pipecat.transports.livekit.transport")
        token = self._mint("caller", "Caller")
        return {"url": self._settings.url, "token": token}

    async def arrival(self) -> None:
        """The bot goes to the room; the person may come later."""

    def transport(self) -> BaseTransport:
        """The transport that joins the room as the agent."""
        from pipelines.transports import livekit_transport

        token = self._mint("agent", self._bot_name)
        transport = livekit_transport(self._settings.url, token, room=self._room)
        transport.add_event_handler("on_disconnected", self._lose)
        return transport

    def alive(self) -> bool:
        """Whether the bot is in the room; LiveKit tells when the person leaves or is lost."""
        return not self._lost

    async def close(self) -> None:
        """The transport has left; LiveKit drops a room that is empty."""

    def _lose(self, *_: object) -> None:
        self._lost = True

    def _mint(self, identity: str, name: str) -> str:
        return self._settings.mint(identity, room=self._room, name=name, life=self._life)
