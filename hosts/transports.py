"""The ways to reach a caller: what each needs on this server, and the line that it gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from loguru import logger
from pydantic import JsonValue

from bots.plan import CallPlan, TransportName
from errors import ConfigError, OffhookError
from hosts.daily import API_URL, ROOM_NAME, DailyRest
from hosts.ice import IceSettings
from hosts.ledger import Ledger
from hosts.livekit import LiveKitLine, LiveKitSettings
from hosts.retry import Patience
from hosts.rooms import DailyLine, RoomWish
from hosts.session import MARGIN_SECS, Line
from hosts.twilio import TwilioLine, TwilioSettings
from hosts.webrtc import WebRtcLine
from hosts.websocket import SocketLine
from pipelines.config import absent_package, is_installed
from providers.base import is_set
from records.redact import hide

TITLES: dict[TransportName, str] = {
    "webrtc": "Direct (WebRTC)",
    "websocket": "WebSocket",
    "daily": "Daily",
    "livekit": "LiveKit",
}
"""What people call those that can be asked for, the default first; a phone call just comes."""

_PACKAGES = {"daily": "daily", "livekit": "livekit.rtc"}
"""Modules that the extra of the transport's name brings."""
_API = re.compile(r"(https://[\w.-]+|http://(127\.0\.0\.1|localhost))(:\d{1,5})?(/[\w./-]*)?")
_ROOMS = re.compile(rf"{ROOM_NAME}\*?")
_GEO = re.compile(r"([a-z]{2}-[a-z]+-\d)?")


@dataclass(frozen=True)
class TransportSettings:
    """What the operator has set up for callers to come in."""

    ice: IceSettings = field(default_factory=IceSettings)
    daily_url: str = API_URL
    daily_geo: str = ""
    """Daily's region for the rooms that are made; the nearest to the caller if empty."""
    daily_rooms: tuple[str, ...] = ()
    """Names of the operator's own rooms that callers may have a bot and a token for; `prefix-*`."""
    livekit: LiveKitSettings = field(default_factory=LiveKitSettings)
    twilio: TwilioSettings = field(default_factory=TwilioSettings)
    patience: Patience = field(default_factory=Patience)
    """With Daily's REST API."""

    @classmethod
    def read(cls, env: Mapping[str, str]) -> TransportSettings:
        """Read the environment.

        Raises:
            ConfigError: Something in it cannot be used; the message names the variable.
        """

        def words(name: str) -> tuple[str, ...]:
            return tuple(word.strip() for word in env.get(name, "").split(",") if word.strip())

        settings = cls(
            ice=IceSettings(
                stun_urls=words("OFFHOOK_STUN_URLS"),
                turn_urls=words("OFFHOOK_TURN_URLS"),
                turn_secret=env.get("OFFHOOK_TURN_SECRET", ""),
            ),
            daily_url=env.get("DAILY_API_URL", "").rstrip("/") or API_URL,
            daily_geo=env.get("DAILY_GEO", ""),
            daily_rooms=words("OFFHOOK_DAILY_ROOMS"),
            livekit=LiveKitSettings(
                url=env.get("LIVEKIT_URL", ""),
                api_key=env.get("LIVEKIT_API_KEY", ""),
                api_secret=env.get("LIVEKIT_API_SECRET", ""),
            ),
            twilio=TwilioSettings(
                auth_token=env.get("TWILIO_AUTH_TOKEN", ""),
                public_url=env.get("OFFHOOK_PUBLIC_URL", "").rstrip("/"),
            ),
        )
        settings._check()
        hide(settings.ice.turn_secret)
        hide(settings.livekit.api_secret)
        hide(settings.twilio.auth_token)
        return settings

    def _check(self) -> None:
        self.ice.check()
        self.livekit.check()
        self.twilio.check()
        if not _API.fullmatch(self.daily_url):
            raise ConfigError(
                f"DAILY_API_URL is {self.daily_url!r}; it must begin with https://, for the key "
                "goes there; http:// only to 127.0.0.1 or localhost.",
                field="DAILY_API_URL",
            )
        if not _GEO.fullmatch(self.daily_geo):
            raise ConfigError(
                f"DAILY_GEO is {self.daily_geo!r}; write a region as Daily does: eu-central-1.",
                field="DAILY_GEO",
            )
        for name in self.daily_rooms:
            if not _ROOMS.fullmatch(name):
                raise ConfigError(
                    f"OFFHOOK_DAILY_ROOMS: {name!r} is no room's name; write NAME or PREFIX-*.",
                    field="OFFHOOK_DAILY_ROOMS",
                )


class Transports:
    """All of them, as this server is set up. An async context manager.

    Args:
        settings: Of each.
        run: The run directory, where rooms that were made are written down.
    """

    def __init__(
        self, settings: TransportSettings | None = None, *, run: Path | None = None
    ) -> None:
        self._settings = settings or TransportSettings()
        self._ledger = Ledger(run / "rooms" if run else None)
        self._left: set[str] = set()
        """Rooms of an earlier server that nobody has claimed."""
        self._daily = DailyRest(
            self._settings.daily_url, patience=self._settings.patience, ledger=self._ledger
        )

    async def __aenter__(self) -> Transports:
        self._left.update(self._ledger.names())
        await self._daily.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._daily.__aexit__(kind, error, trace)

    def lacks(self, name: str) -> list[str]:
        """What this server lacks for the transport, a sentence each."""
        lacking: list[str] = []
        module = _PACKAGES.get(name)
        if module and not is_installed(module):
            package = module.partition(".")[0]
            lacking.append(absent_package(package, name, extra=name))
        if name == "daily" and not is_set("DAILY_API_KEY"):
            lacking.append("The environment variable DAILY_API_KEY is not set (daily).")
        if name == "livekit":
            lacking += self._settings.livekit.lacks()
        if name == "twilio":
            lacking += self._settings.twilio.lacks()
        return lacking

    @property
    def twilio(self) -> TwilioSettings:
        """Whose phone calls come in."""
        return self._settings.twilio

    def check_room(self, name: str) -> None:
        """Refuse a Daily room that callers may not be let into.

        Raises:
            ConfigError: The operator has not named it.
        """
        for allowed in self._settings.daily_rooms:
            if name == allowed or (allowed.endswith("*") and name.startswith(allowed[:-1])):
                return
        raise ConfigError(
            f"dailyRoom: callers may not be let into the room {name!r}. The operator of this "
            "server names those that may be joined in OFFHOOK_DAILY_ROOMS, separated by commas.",
            field="dailyRoom",
        )

    def livekit_url(self) -> str:
        """Where the browsers of LiveKit's callers go; empty if nobody can call over it."""
        return "" if self.lacks("livekit") else self._settings.livekit.url

    def line(self, plan: CallPlan) -> Line:
        """A line of the plan's transport, not yet open."""
        life_secs = plan.bot.settings.limits.max_call_secs + MARGIN_SECS
        title = plan.bot.settings.title
        if plan.transport == "websocket":
            return SocketLine()
        if plan.transport == "twilio":
            return TwilioLine()
        if plan.transport == "daily":
            wish = RoomWish(
                call_id=plan.id,
                bot_name=title,
                life_secs=life_secs,
                existing=plan.room,
                geo=self._settings.daily_geo,
            )
            return DailyLine(self._daily, wish)
        if plan.transport == "livekit":
            return LiveKitLine(
                self._settings.livekit, call_id=plan.id, bot_name=title, life_secs=life_secs
            )
        until = int(datetime.now(UTC).timestamp()) + life_secs
        # By the call's id, not the session's: a TURN server is told it in clear, and who knows a
        # session's id can speak for the caller.
        return WebRtcLine(
            theirs=self._settings.ice.servers(plan.id, until=until),
            ours=self._settings.ice.servers(f"{plan.id}-bot", until=until),
        )

    def reopen(self, holder: Mapping[str, object]) -> Line:
        """The line of a call that another process opened, good for closing.

        Args:
            holder: What that line said of itself.
        """
        room = holder.get("daily_room")
        if not isinstance(room, str):
            return LeftLine(self._daily, None)
        self._left.discard(room)
        return LeftLine(self._daily, room)

    async def close_left(self) -> None:
        """Delete the rooms of an earlier server whose calls are over: those not reopened."""
        while self._left:
            await LeftLine(self._daily, self._left.pop()).close()


class LeftLine:
    """The line of a call whose caller is there, or will not come any more.

    Args:
        rest: Daily.
        room: Name of the Daily room that goes with the call, if there is one.
    """

    def __init__(self, rest: DailyRest, room: str | None) -> None:
        self._rest = rest
        self._room = room

    async def open(self) -> Mapping[str, object]:
        """Nothing: it is open."""
        return {}

    def ticket(self) -> dict[str, JsonValue]:
        """Nothing: the call's process has it."""
        return {}

    def holder(self) -> dict[str, JsonValue]:
        """What yet another process needs to close it."""
        return {"daily_room": self._room} if self._room else {}

    async def close(self) -> None:
        """Delete the room; at the worst it expires."""
        if self._room is None:
            return
        try:
            await self._rest.delete_room(self._room)
        except OffhookError as error:
            logger.error(
                "the Daily room {} could not be deleted and will expire: {}",
                self._room,
                error.message,
            )
