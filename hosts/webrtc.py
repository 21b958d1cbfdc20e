"""Callers whose browser connects to this server itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from errors import NotFoundError
from hosts.ice import IceServer

if TYPE_CHECKING:
    from pipecat.transports.base_transport import BaseTransport

    from pipelines.transports import Candidate, WebRtcPeer


class WebRtcLine:
    """Waits for the browser's offer; the first that can be answered begins the call.

    Args:
        theirs: Servers for the browser.
        ours: Servers for the bot's side, with credentials of its own.
    """

    def __init__(self, *, theirs: Sequence[IceServer] = (), ours: Sequence[IceServer] = ()) -> None:
        self._theirs = theirs
        self._ours = ours
        self._peer: WebRtcPeer | None = None
        self._answered = asyncio.Event()
        self._offers = asyncio.Lock()
        self._closed = False

    async def open(self) -> Mapping[str, object]:
        """Tell the browser which servers help it to get here."""
        servers = [server.as_dict() for server in self._theirs]
        return {"iceConfig": {"iceServers": servers}} if servers else {}

    async def offer(self, sdp: str, *, restart: bool) -> Mapping[str, str]:
        """Answer an offer: the first begins the call, later ones renegotiate it.

        Raises:
            BadRequestError: The offer cannot be read; the line then waits for a better one.
            NotFoundError: The line was closed meanwhile.
        """
        from pipelines.transports import WebRtcPeer

        async with self._offers:
            if self._peer:
                return await self._peer.renegotiate(sdp, restart=restart)
            peer = WebRtcPeer(self._ours)
            try:
                answer = await peer.answer(sdp)
                if self._closed:
                    raise NotFoundError("The call was ended.", code="unknown_session")
            except BaseException:
                await peer.close()
                raise
            self._peer = peer
            self._answered.set()
            return answer

    async def add(self, candidates: Sequence[Candidate]) -> None:
        """Take the browser's further ICE candidates.

        Raises:
            NotFoundError: There was no offer yet.
        """
        if self._peer is None:
            raise NotFoundError("This session has had no offer yet.", code="no_offer")
        await self._peer.add(candidates)

    async def arrival(self) -> None:
        """Wait for an offer that could be answered."""
        await self._answered.wait()

    def transport(self) -> BaseTransport:
        """The transport over the peer connection."""
        assert self._peer
        return self._peer.transport()

    def alive(self) -> bool:
        """Whether the browser still pings."""
        return self._peer is not None and self._peer.alive()

    async def close(self) -> None:
        """Close the peer connection, if there is one."""
        self._closed = True
        if self._peer:
            await self._peer.close()
