"""Pipecat's protobuf frames, as a client of the WebSocket writes and reads them."""

from __future__ import annotations

from typing import Any

import pipecat.frames.protobufs.frames_pb2  # pyright: ignore[reportMissingTypeStubs]

_WIRE: Any = pipecat.frames.protobufs.frames_pb2


def packed(kind: str, **fields: Any) -> bytes:
    """The frame of that kind."""
    message: Any = _WIRE.Frame()
    part = getattr(message, kind)
    for name, value in fields.items():
        setattr(part, name, value)
    part.SetInParent()
    return message.SerializeToString()


def unpacked(data: Any) -> tuple[str, Any]:
    """What kind of frame that is, and its fields."""
    message: Any = _WIRE.Frame.FromString(data)
    kind = str(message.WhichOneof("frame"))
    return kind, getattr(message, kind)
