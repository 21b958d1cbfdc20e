"""Callers who meet the bot in a Daily room: made for the call, and gone with it.

The bot's end of it is `hosts.legs.DailyLeg`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from loguru import logger
from pydantic import JsonValue

from errors import OffhookError
from hosts.daily import DailyRest, Room

LATE_SECS = 1.0
"""How long Daily may still be at work on a request that nobody waits for any more."""
_PEOPLE = 2
"""The person and the bot."""


@dataclass(frozen=True)
class RoomWish:
    """What kind of room."""

    call_id: str
    """Names a room that is made."""
    bot_name: str
    """What the person sees."""
    life_secs: int
    """After so long the room and its tokens expire, whoever is left to delete it."""
    existing: str | None = None
    """Name of a room of somebody else's, to be joined and left as it is."""
    geo: str = ""
    """Daily's region; the nearest to the first who joins if empty."""


class DailyLine:
    """A room at Daily, a token for the person and an owner's for the bot."""

    def __init__(self, rest: DailyRest, wish: RoomWish) -> None:
        self._rest = rest
        self._wish = wish
        self._made: str | None = None
        self._answered = False
        """Whether Daily has said that it made it: until then it may still be about to."""
        self._room: Room | None = None
        self._bot_token = ""

    async def open(self) -> Mapping[str, object]:
        """Make the room and the tokens.

        Raises:
            DailyError: Daily did not let it.
            NotFoundError: The room that shall be joined does not exist.
        """
        until = int(datetime.now(UTC).timestamp()) + self._wish.life_secs
        room = self._room = await self._find_or_make(until)
        caller, self._bot_token = await asyncio.gather(
            self._token(room, until, owner=False, name="Caller"),
            self._token(room, until, owner=True, name=self._wish.bot_name),
        )
        return {"dailyRoom": room.url, "dailyToken": caller}

    def ticket(self) -> dict[str, JsonValue]:
        """The room, and the bot's key to it."""
        assert self._room
        return {
            "kind": "daily",
            "url": self._room.url,
            "token": self._bot_token,
            "bot_name": self._wish.bot_name,
        }

    def holder(self) -> dict[str, JsonValue]:
        """The name of the room, if it was made for this call."""
        return {"daily_room": self._made} if self._made else {}

    async def close(self) -> None:
        """Delete the room, if it was made for this call; at the worst it expires."""
        if self._made is None:
            return
        try:
            await self._rest.delete_room(self._made)
            if not self._answered:
                await asyncio.sleep(LATE_SECS)
                await self._rest.delete_room(self._made)
        except OffhookError as error:
            logger.error(
                "the Daily room {} could not be deleted and will expire by itself: {}",
                self._made,
                error.message,
            )

    async def _find_or_make(self, until: int) -> Room:
        if self._wish.existing is not None:
            return await self._rest.find_room(self._wish.existing)
        # From here on it may exist, whatever the answer is.
        self._made = f"offhook-{self._wish.call_id}"
        properties: dict[str, object] = {
            "exp": until,
            "eject_at_room_exp": True,
            "max_participants": _PEOPLE,
            "enable_prejoin_ui": False,
            "enable_chat": False,
            "enable_screenshare": False,
            "start_video_off": True,
        }
        if self._wish.geo:
            properties["geo"] = self._wish.geo
        room = await self._rest.create_room(self._made, properties)
        self._answered = True
        return room

    async def _token(self, room: Room, until: int, *, owner: bool, name: str) -> str:
        return await self._rest.mint_token(
            {
                "room_name": room.name,
                "exp": until,
                "eject_at_token_exp": True,
                "is_owner": owner,
                "user_name": name,
                "start_video_off": True,
            }
        )
