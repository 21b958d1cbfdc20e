"""Messages between our own processes, with descriptors: JSON in packets of a Unix socket.

A request is `{"op": NAME, "id": N, ...}`; its answer `{"id": N, "ok": {...}}` or `{"id": N,
"error": {...}}`; what wants no answer has no `id`. One message is one packet (SOCK_SEQPACKET): it
comes whole or not at all.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import socket
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from loguru import logger

from errors import OffhookError

if TYPE_CHECKING:
    from pydantic import JsonValue

MAX_BYTES = 128 * 1024
"""Of one message."""
MAX_FDS = 8
"""Descriptors that one message may carry."""
_CARRIED_BYTES = socket.CMSG_SPACE(MAX_FDS * struct.calcsize("i"))

Received = tuple[dict[str, Any], list[int]]
"""A message, and the descriptors it brought."""


class ChannelError(OffhookError):
    """What was to be sent, or has come, is no message."""

    code = "channel"
    status = 500


def encode(message: Mapping[str, JsonValue]) -> bytes:
    """A message as a packet.

    Raises:
        ChannelError: It is longer than `MAX_BYTES`, or holds what JSON cannot.
    """
    try:
        text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise ChannelError(f"A message cannot be written as JSON: {error}.") from error
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > MAX_BYTES:
        raise ChannelError(
            f"A message of {len(data)} bytes is too long; {MAX_BYTES} fit.", code="too_long"
        )
    return data


def decode(data: bytes) -> dict[str, Any]:
    """A packet as a message.

    Raises:
        ChannelError: It is no JSON object.
    """
    try:
        message: object = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise ChannelError(f"A message is no JSON: {error}.") from error
    if not isinstance(message, dict):
        raise ChannelError("A message is no JSON object.")
    return cast("dict[str, Any]", message)


def error_fields(error: OffhookError) -> dict[str, JsonValue]:
    """An error as an answer carries it."""
    return {**error.as_dict(), "status": error.status}


def listen(path: Path) -> socket.socket:
    """A listening socket at `path`; what lay there is replaced.

    Raises:
        OSError: The folder cannot be written, or the path is too long.
    """
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        listener.bind(str(path))
        listener.listen(16)
    except OSError:
        listener.close()
        raise
    return listener


def accept(listener: socket.socket) -> socket.socket | None:
    """The next connection, if it is this user's; else None.

    On a non-blocking listener it does not wait: None if there is none.
    """
    try:
        sock, _ = listener.accept()
    except (BlockingIOError, ConnectionAbortedError):
        return None
    if _peer_uid(sock) == os.geteuid():
        return sock
    logger.warning("a connection of another user's was refused")
    sock.close()
    return None


def peer_pid(sock: socket.socket) -> int:
    """Who is at the other end: where `sock` has connected, the process that called `listen`.

    0 where it is none of this container's.
    """
    return _peer(sock)[0]


def _peer_uid(sock: socket.socket) -> int:
    return _peer(sock)[1]


def _peer(sock: socket.socket) -> tuple[int, int, int]:
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)


def send_blocking(
    sock: socket.socket, message: Mapping[str, JsonValue], fds: Sequence[int] = ()
) -> None:
    """Send a message, and copies of `fds` with it; the caller keeps their own.

    Raises:
        ChannelError: It is no message.
        OSError: The peer is gone, or takes nothing within the socket's timeout.
    """
    send_packet(sock, encode(message), fds)


def send_packet(sock: socket.socket, data: bytes, fds: Sequence[int] = ()) -> None:
    """Send what `encode` made, and copies of `fds` with it.

    Raises:
        OSError: The peer is gone, or takes nothing within the socket's timeout.
    """
    carried = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([data], carried)


def receive_blocking(sock: socket.socket) -> Received | None:
    """The next message and the descriptors it brought, to be closed by the caller.

    None when the peer is gone.

    Raises:
        ChannelError: What came is no message; nothing it brought stays open.
        OSError: Nothing came within the socket's timeout.
    """
    try:
        data, carried, flags, _ = sock.recvmsg(MAX_BYTES, _CARRIED_BYTES, socket.MSG_CMSG_CLOEXEC)
    except (ConnectionResetError, BrokenPipeError):
        return None
    fds = _fds(carried)
    try:
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise ChannelError("A message is too long, or brings too many descriptors.")
        if not data:
            close_fds(fds)
            return None
        return decode(data), fds
    except ChannelError:
        close_fds(fds)
        raise


def _fds(carried: Iterable[tuple[int, int, bytes]]) -> list[int]:
    """The descriptors that a packet carried; `socket.recv_fds` drops the flags it is given."""
    found = array.array("i")
    for level, kind, data in carried:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return found.tolist()


def close_fds(fds: Iterable[int]) -> None:
    """Close descriptors, also where some are closed already."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
