"""A connection to another process of ours, on the event loop: requests, answers, descriptors."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger

from errors import OffhookError
from hosts.packet import (
    MAX_BYTES,
    ChannelError,
    Received,
    accept,
    close_fds,
    decode,
    encode,
    error_fields,
    listen,
    receive_blocking,
    send_blocking,
    send_packet,
)

if TYPE_CHECKING:
    from pydantic import JsonValue

__all__ = [
    "MAX_BYTES",
    "MAX_QUEUED",
    "Channel",
    "ChannelClosedError",
    "ChannelError",
    "accept",
    "close_fds",
    "decode",
    "encode",
    "error_fields",
    "listen",
    "receive_blocking",
    "send_blocking",
]

MAX_QUEUED = 256
"""Messages that wait for a peer who does not read."""

_DROPPABLE = frozenset({"pulse", "event"})
_READ_AT_ONCE = 32
"""Messages that are read before the loop has its turn again."""

OnMessage = Callable[[dict[str, Any], list[int]], None]
"""Told a message and the descriptors it brought; those it leaves in the list are closed."""


class ChannelClosedError(OffhookError):
    """The process at the other end is gone, or did not answer in time."""

    code = "call_lost"
    status = 503


@dataclass(frozen=True)
class _Packet:
    data: bytes
    fds: tuple[int, ...] = ()
    """Copies of our own."""
    droppable: bool = False


@dataclass
class _Queue:
    """What the peer has not taken yet. Bounded."""

    packets: deque[_Packet] = field(default_factory=deque[_Packet])

    def add(self, packet: _Packet) -> bool:
        """Queue it, in place of the oldest that may be dropped if there are too many.

        False if none may be.
        """
        if len(self.packets) >= MAX_QUEUED:
            oldest = next((p for p in self.packets if p.droppable), None)
            if oldest is None:
                return False
            self.packets.remove(oldest)
        self.packets.append(packet)
        return True

    def clear(self) -> None:
        """Forget them all."""
        for packet in self.packets:
            close_fds(packet.fds)
        self.packets.clear()


class Channel:
    """One end of a connection, on the running loop. Never blocks; closes itself with its peer."""

    def __init__(
        self, sock: socket.socket, *, on_message: OnMessage, on_closed: Callable[[], None]
    ) -> None:
        """Begin to read.

        Args:
            sock: Connected; the channel closes it.
            on_message: Told every message but the answers, with its descriptors. What it leaves in
                the list when it returns is closed: take one by `fds.pop()`.
            on_closed: Told once that the peer is gone or cannot be talked with; not told of our
                own `close()`.
        """
        sock.setblocking(False)
        self._sock = sock
        self._on_message = on_message
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Future[Received]] = {}
        self._queue = _Queue()
        self._closed = False
        self._loop.add_reader(sock.fileno(), self._read)

    @classmethod
    async def connect(
        cls, path: Path, *, on_message: OnMessage, on_closed: Callable[[], None]
    ) -> Channel:
        """Connect to whoever listens at `path`.

        Raises:
            ChannelClosedError: Nobody does.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.setblocking(False)
        try:
            # A Unix socket connects at once, or its listener's queue is full.
            sock.connect(str(path))
        except OSError as error:
            sock.close()
            raise ChannelClosedError(f"Nobody listens at {path.name}: {error.strerror}.") from error
        return cls(sock, on_message=on_message, on_closed=on_closed)

    @property
    def closed(self) -> bool:
        """Whether nothing comes or goes any more."""
        return self._closed

    def tell(self, op: str, **fields: JsonValue) -> None:
        """Send what wants no answer. Nothing happens on a closed channel.

        To a peer who does not read, the oldest `pulse` or `event` is dropped; without one to drop
        the channel closes.

        Raises:
            ChannelError: It is no message.
        """
        self._post(encode({"op": op, **fields}), droppable=op in _DROPPABLE)

    async def ask(
        self, op: str, *, fds: Sequence[int] = (), timeout_secs: float = 5.0, **fields: JsonValue
    ) -> dict[str, Any]:
        """Send a request and wait for its answer; descriptors that it brings are closed.

        Raises:
            ChannelClosedError: The peer is gone, or did not answer in time.
            OffhookError: The peer's own refusal.
            ChannelError: It is no message.
        """
        ok, brought = await self.ask_for_fds(op, fds=fds, timeout_secs=timeout_secs, **fields)
        close_fds(brought)
        return ok

    async def ask_for_fds(
        self, op: str, *, fds: Sequence[int] = (), timeout_secs: float = 5.0, **fields: JsonValue
    ) -> Received:
        """As `ask`, but the descriptors that the answer brings are the caller's to close."""
        number = next(self._ids)
        data = encode({"op": op, "id": number, **fields})
        if self._closed:
            raise _lost(op)
        answer: asyncio.Future[Received] = self._loop.create_future()
        self._waiting[number] = answer
        self._post(data, fds)
        try:
            async with asyncio.timeout(timeout_secs):
                return await answer
        except (TimeoutError, asyncio.CancelledError) as error:
            # The answer may have come in that very moment, and nobody takes what it brought.
            if answer.done() and not answer.cancelled() and not answer.exception():
                close_fds(answer.result()[1])
            if isinstance(error, asyncio.CancelledError):
                raise
            raise ChannelClosedError(f"{op}: no answer within {timeout_secs:.1f} s.") from error
        finally:
            self._waiting.pop(number, None)

    def reply(self, number: int, ok: Mapping[str, JsonValue], *, fds: Sequence[int] = ()) -> None:
        """Received the request that came with the `id` `number`.

        Raises:
            ChannelError: It is no message.
        """
        self._post(encode({"id": number, "ok": dict(ok)}), fds)

    def refuse(self, number: int, error: OffhookError) -> None:
        """Received the request with an error, which is raised where it was asked."""
        self._post(encode({"id": number, "error": error_fields(error)}))

    def close(self) -> None:
        """Close it; who waits for an answer is told that there will be none."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._sock.close()
        self._queue.clear()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(_lost("The request"))
                answer.exception()
        self._waiting.clear()

    def _post(self, data: bytes, fds: Sequence[int] = (), *, droppable: bool = False) -> None:
        if self._closed:
            return
        try:
            if not self._queue.packets:
                send_packet(self._sock, data, fds)
                return
        except BlockingIOError:
            self._loop.add_writer(self._sock.fileno(), self._flush)
        except (BrokenPipeError, ConnectionResetError):
            # What the peer said before it went is still to be read: the end is found there.
            return
        except OSError as error:
            logger.warning("a message to a process could not be sent: {}", error)
            self._loop.call_soon(self._lose)
            return
        packet = _Packet(data, tuple(os.dup(fd) for fd in fds), droppable)
        if not self._queue.add(packet):
            close_fds(packet.fds)
            logger.warning("a process reads nothing any more; its connection is closed")
            self._loop.call_soon(self._lose)

    def _flush(self) -> None:
        waiting = self._queue.packets
        try:
            while waiting:
                send_packet(self._sock, waiting[0].data, waiting[0].fds)
                close_fds(waiting.popleft().fds)
        except BlockingIOError:
            return
        except OSError:
            self._queue.clear()
        self._loop.remove_writer(self._sock.fileno())

    def _read(self) -> None:
        for _ in range(_READ_AT_ONCE):
            if self._closed:
                return
            try:
                received = receive_blocking(self._sock)
            except BlockingIOError:
                return
            except (ChannelError, OSError) as error:
                logger.warning("a connection between processes broke: {}", error)
                received = None
            if received is None:
                self._lose()
                return
            self._take(*received)

    def _take(self, message: dict[str, Any], fds: list[int]) -> None:
        try:
            if "op" in message:
                self._on_message(message, fds)
                return
            answer = self._waiting.get(message.get("id", 0))
            if answer is None or answer.done():
                return
            if "error" in message:
                answer.set_exception(_refusal(message["error"]))
            else:
                answer.set_result((dict(message.get("ok") or {}), fds[:]))
                fds.clear()
        finally:
            close_fds(fds)

    def _lose(self) -> None:
        if not self._closed:
            self.close()
            self._on_closed()


def _lost(what: str) -> ChannelClosedError:
    return ChannelClosedError(f"{what}: the process at the other end is gone.")


def _refusal(fields: Mapping[str, Any]) -> OffhookError:
    error = OffhookError(
        str(fields.get("message", "The request was refused.")),
        code=str(fields.get("code", "error")),
        field=fields.get("field"),
    )
    error.status = int(fields.get("status", 500))
    return error
