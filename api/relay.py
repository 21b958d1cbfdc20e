"""A caller's bytes, carried to and from the process of their call where TLS ends in this one."""

from __future__ import annotations

import asyncio
from typing import cast

HIGH_BYTES = 64 * 1024
"""How much a relay holds for one end before it stops to read from the other."""
LINGER_SECS = 5.0
"""How long one end may still take what is there when the other has gone."""
IDLE_SECS = 30.0
"""A relay on which nothing moves for so long, neither a ping nor a pong, carries no call."""


class Relay:
    """Carries bytes between a caller and the process of their call, as fast as both take them.

    Args:
        transport: To the caller; it is read from `begin` on.

    Attributes:
        call: The protocol of a connection to the call's process.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._loop = asyncio.get_running_loop()
        self._caller, self.call = _End(self), _End(self)
        self._caller.other, self.call.other = self.call, self._caller
        self._caller.connection_made(transport)
        self._moved_secs = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Read what the caller sends."""
        self._caller.transport.set_protocol(self._caller)
        self._caller.transport.resume_reading()
        self._timer = self._loop.call_later(IDLE_SECS, self._look)
        if self.call.gone:
            self.ended(self.call)

    def moved(self) -> None:
        """Something was carried."""
        self._moved_secs = self._loop.time()

    def ended(self, end: _End) -> None:
        """One end has gone: the other may take what is still there, but not forever.

        Before `begin`, the caller is not the relay's to close.
        """
        if self._timer is None:
            return
        self._timer.cancel()
        if not end.other.gone:
            end.other.transport.close()
            self._timer = self._loop.call_later(LINGER_SECS, end.other.transport.abort)

    def _look(self) -> None:
        quiet_secs = self._loop.time() - self._moved_secs
        if quiet_secs < IDLE_SECS:
            self._timer = self._loop.call_later(IDLE_SECS - quiet_secs, self._look)
            return
        self._caller.transport.abort()
        self.call.transport.abort()


class _End(asyncio.Protocol):
    """One end of a relay: what comes is written to the other."""

    other: _End

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self.transport = cast(asyncio.Transport, None)
        self.gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=HIGH_BYTES)

    def data_received(self, data: bytes) -> None:
        self._relay.moved()
        self.other.transport.write(data)

    def pause_writing(self) -> None:
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._relay.ended(self)
