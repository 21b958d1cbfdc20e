"""One line an event on standard error, as text or JSON; the words of a call stay out of it.

What is written is written at once, by whoever tells it: no thread and no queue, which a fork would
leave behind.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any, cast

from loguru import logger

from records.discreet import without_words
from records.redact import redact

if TYPE_CHECKING:
    from loguru import Message, Record

_LEVELS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR")
_WORDY_LEVELS = ("TRACE", "DEBUG")
"""Where what was said may be logged."""
_JSON = "/json"
_told: list[str] = []
"""What `configure` was told last."""
_MAX_CHARS = 16_000
"""Of a message or of a traceback; more would be cut by whatever collects the lines."""


class _ToLoguru(logging.Handler):
    """Hands the standard library's records to loguru, under their own logger's name."""

    def emit(self, record: logging.LogRecord) -> None:
        known = record.levelname in (*_LEVELS, "CRITICAL")
        level = record.levelname if known else record.levelno

        def named(entry: Record) -> None:
            entry["name"] = record.name

        quoted = logger.patch(named).opt(exception=record.exc_info)
        quoted.log(level, "{}", record.getMessage())


def wish(environ: Mapping[str, str], level: str = "INFO") -> str:
    """What `configure` is to be told by `OFFHOOK_LOG_LEVEL` and `OFFHOOK_LOG_FORMAT`.

    Args:
        environ: The environment.
        level: What is logged where it says nothing.
    """
    form = environ.get("OFFHOOK_LOG_FORMAT", "").strip().lower()
    told = environ.get("OFFHOOK_LOG_LEVEL", "").strip() or level
    return f"{told}{_JSON}" if form == "json" else told


def configure(wished: str) -> None:
    """Log to standard error; may be called again, also after a fork.

    Libraries are heard from WARNING on: at INFO some of them log what was said.

    Args:
        wished: A level, INFO if there is no such level; one JSON object a line if `/json` follows.
    """
    level = wished.removesuffix(_JSON).upper()
    level = level if level in _LEVELS else "INFO"
    wordy = level in _WORDY_LEVELS
    form = _json if wished.endswith(_JSON) else _text
    logger.remove()
    logger.configure(extra={"call_id": "-"})
    logger.add(_sink(form, wordy=wordy), format=_nothing, level=level, filter=_filter(level))
    handler = _ToLoguru()
    logging.basicConfig(
        handlers=[handler], level=logging.INFO if wordy else logging.WARNING, force=True
    )
    for noisy in ("aioice", "aiortc", "httpcore", "httpx", "httpx2", "openai", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It logs each message, with the keys that opened the connection.
    logging.getLogger("websockets").setLevel(logging.WARNING)
    _told[:] = [wished]


def inherit(wished: str) -> None:
    """As `configure`, which takes milliseconds, unless it was told the same before the fork."""
    if _told != [wished]:
        configure(wished)


def repeat() -> None:
    """Undo what libraries that were loaded since `configure` have done to it."""
    for wished in list(_told):
        configure(wished)


def bind_call(call_id: str) -> None:
    """Name the call in every line from now on, for a process that has one call."""
    logger.configure(extra={"call_id": call_id})


def _filter(level: str) -> dict[str | None, str | int | bool]:
    """From which level on who is heard."""
    wordy = level in _WORDY_LEVELS
    return {
        "": level,
        "pipecat": level if wordy else "WARNING",
        # It warns of each frame that its protocol has no word for.
        "pipecat.serializers.protobuf": "DEBUG" if wordy else "ERROR",
        # It warns of each camera that a voice call does not have.
        "pipecat.transports.smallwebrtc": "DEBUG" if wordy else "ERROR",
    }


def _nothing(_: Record) -> str:
    """The line is the sink's to make: loguru would break a message of several lines."""
    return ""


def _sink(form: Callable[[Record, str], str], *, wordy: bool) -> Callable[[Message], None]:
    def write(message: Message) -> None:
        record = message.record
        said = record["message"] if wordy else without_words(record["message"])
        sys.stderr.write(redact(form(record, said[:_MAX_CHARS])) + "\n")
        sys.stderr.flush()

    return write


def _text(record: Record, said: str) -> str:
    at = f"{record['time']:HH:mm:ss.SSS}"
    head = f"{at} {record['level'].name: <7} {record['extra']['call_id']} {record['name']}: "
    trace = _trace(record)
    return head + said.replace("\n", "\\n").replace("\r", "\\r") + (f"\n{trace}" if trace else "")


def _json(record: Record, said: str) -> str:
    at = record["time"].astimezone(UTC).isoformat(timespec="milliseconds")
    line: dict[str, Any] = dict(record["extra"])
    line |= {
        "time": at.replace("+00:00", "Z"),
        "level": record["level"].name,
        "call_id": record["extra"]["call_id"],
        "logger": record["name"] or "",
        "message": said,
    }
    trace = _trace(record)
    if trace and record["exception"]:
        kind = record["exception"].type
        line["exception"] = {"type": kind.__name__ if kind else "", "traceback": trace}
    order = ("time", "level", "call_id", "logger", "message")
    told = {name: _redacted(line[name]) for name in (*order, *(set(line) - set(order)))}
    return json.dumps(told, ensure_ascii=False, default=str)


def _redacted(value: object) -> object:
    """The value without what is hidden: JSON's escapes could hide that from a later look."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        parts = cast("Mapping[object, object]", value)
        return {str(name): _redacted(part) for name, part in parts.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(part) for part in cast("Iterable[object]", value)]
    return value if isinstance(value, int | float | bool | None) else redact(str(value))


def _trace(record: Record) -> str:
    """The traceback, without the values of variables; its end, if it is long."""
    told = record["exception"]
    if told is None or told.value is None:
        return ""
    lines = traceback.format_exception(told.type, told.value, told.traceback)
    return without_words("".join(lines)).rstrip()[-_MAX_CHARS:]
