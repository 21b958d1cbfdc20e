"""Callers whose browser connects to this server itself; the bot's is `hosts.legs.WebRtcLeg`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import JsonValue

from hosts.ice import IceServer


class WebRtcLine:
    """Tells both ends which servers help them to find each other.

    Args:
        theirs: Servers for the browser.
        ours: Servers for the bot's side, with credentials of its own.
    """

    def __init__(self, *, theirs: Sequence[IceServer] = (), ours: Sequence[IceServer] = ()) -> None:
        self._theirs = theirs
        self._ours = ours

    async def open(self) -> Mapping[str, object]:
        """Tell the browser which servers help it to get here."""
        servers = [server.as_dict() for server in self._theirs]
        return {"iceConfig": {"iceServers": servers}} if servers else {}

    def ticket(self) -> dict[str, JsonValue]:
        """The servers for the bot's side."""
        servers = [cast("dict[str, JsonValue]", server.as_dict()) for server in self._ours]
        return {"kind": "webrtc", "ice": [*servers]}

    def holder(self) -> dict[str, JsonValue]:
        """Nothing outlives the call."""
        return {}

    async def close(self) -> None:
        """The peer connection is the child's, and gone with it."""
