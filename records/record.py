"""What a call leaves: a folder with its facts, its events as they happened, and its audio.

    data/calls/<id>/record.json     who, which bot and pipeline, when, how it ended
    data/calls/<id>/events.jsonl    one `CallEvent` a line
    data/calls/<id>/audio.wav       the two tracks, if the bot's owner asked for them

Everything is written as the call goes, so that a killed process leaves a record as complete as it
can be; `close_orphans()` then says how it ended.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import re
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from loguru import logger
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from records.events import CALL_EVENT, CallEnded, CallEvent, EndReason

_RECORD, _EVENTS, _AUDIO = "record.json", "events.jsonl", "audio.wav"
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
MAX_EVENTS_BYTES = 32 * 2**20
"""Of one call: some days of talk. What comes after it is not kept."""
_DISTRIBUTIONS = ("offhook", "pipecat-ai")


class _Model(BaseModel):
    # Pydantic would keep thousands of the strings that it read, of calls long over.
    model_config = ConfigDict(frozen=True, extra="forbid", cache_strings="keys")


class CallFacts(_Model):
    """What is known of a call when it is accepted."""

    id: str = Field(pattern=f"^{_SAFE_ID.pattern}$")
    bot: str
    pipeline: str
    """Name of the preset."""
    config: dict[str, JsonValue] = {}
    """The pipeline as it was resolved; it holds no secret."""
    transport: str
    caller: str | None = None
    """Who called, where the transport tells: a number, a room's participant."""


class CallRecord(CallFacts):
    """What is known of a call now."""

    status: Literal["live", "ended"] = "live"
    started_at: datetime
    ended_at: datetime | None = None
    reason: EndReason | None = None
    versions: dict[str, str] = {}

    @property
    def secs(self) -> float | None:
        """How long the call took; None while it goes on."""
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at else None


class CallWriter(Protocol):
    """Writes one call's record while the call goes."""

    @property
    def audio(self) -> Path:
        """Where the two tracks belong, if they are recorded."""
        ...

    def append(self, event: CallEvent) -> None:
        """Add an event. It is kept even if the process is killed right after."""
        ...

    def close(self, reason: EndReason) -> None:
        """The call is over. Closing again changes nothing."""
        ...


class RecordStore(Protocol):
    """Where records are kept."""

    def open(self, facts: CallFacts) -> CallWriter:
        """Begin the record of a call.

        Raises:
            FileExistsError: There is a record of that id.
        """
        ...

    def list(self, limit: int = 100) -> list[CallRecord]:
        """The newest records, newest first."""
        ...

    def read(self, call_id: str) -> CallRecord:
        """One record.

        Raises:
            LookupError: There is none of that id.
        """
        ...

    def events(self, call_id: str) -> list[CallEvent]:
        """A call's events in order.

        Raises:
            LookupError: There is no record of that id.
        """
        ...

    def audio(self, call_id: str) -> Path | None:
        """A call's two tracks; None if it was not recorded.

        Raises:
            LookupError: There is no record of that id.
        """
        ...

    def close_orphans(self) -> list[str]:
        """End the records whose process died without a word; their ids."""
        ...

    def bury(self, call_id: str) -> bool:
        """End the record of a call whose process is dead; False if nothing was left to end."""
        ...


class FolderStore:
    """Keeps each record in a folder of its own below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, facts: CallFacts) -> FolderWriter:
        """Begin the record of a call."""
        folder = self._root / facts.id
        # Voices and what they said: nobody else on this machine reads them.
        folder.mkdir(parents=True, mode=0o700)
        now = datetime.now(UTC)
        record = CallRecord(**facts.model_dump(), started_at=now, versions=_versions())
        return FolderWriter(folder, record)

    def list(self, limit: int = 100) -> list[CallRecord]:
        """The newest records, newest first; what cannot be read is left out."""
        found: list[CallRecord] = []
        for folder in self._folders():
            if len(found) >= limit:
                break
            record = _load(folder)
            if record:
                found.append(record)
        return sorted(found, key=lambda record: record.started_at, reverse=True)

    def read(self, call_id: str) -> CallRecord:
        """One record."""
        record = _load(self._folder(call_id))
        if record is None:
            raise LookupError(f"The record of call {call_id} cannot be read.")
        return record

    def events(self, call_id: str) -> list[CallEvent]:
        """A call's events in order."""
        return list(_events(self._folder(call_id) / _EVENTS))

    def audio(self, call_id: str) -> Path | None:
        """A call's two tracks."""
        path = self._folder(call_id) / _AUDIO
        return path if path.is_file() else None

    def close_orphans(self) -> list[str]:
        """End the records whose process died without a word."""
        closed: list[str] = []
        for folder in self._folders():
            record = _load(folder)
            try:
                if record and record.status == "live" and _bury(folder, record):
                    closed.append(record.id)
            except OSError as error:
                # One that cannot be written must not keep the others open.
                logger.error("record {} cannot be closed: {}", folder.name, error.strerror)
        if closed:
            logger.warning("closed {} records that a killed process left open", len(closed))
        return closed

    def bury(self, call_id: str) -> bool:
        """End the record of a call whose process is dead."""
        folder = self._root / call_id
        if not _SAFE_ID.fullmatch(call_id) or not (folder / _RECORD).is_file():
            # It died before the caller came.
            return False
        record = _load(folder)
        return record is not None and record.status == "live" and _bury(folder, record)

    def _folder(self, call_id: str) -> Path:
        folder = self._root / call_id
        if not _SAFE_ID.fullmatch(call_id) or not folder.is_dir():
            raise LookupError(f"There is no call {call_id[:64]!r}.")
        return folder

    def _folders(self) -> list[Path]:
        """Every record's folder, the newest first."""
        if not self._root.is_dir():
            return []
        dated: list[tuple[float, Path]] = []
        for path in self._root.iterdir():
            try:
                if (path / _RECORD).is_file():
                    dated.append((path.stat().st_mtime, path))
            except OSError as error:
                logger.warning("record {} cannot be read: {}", path.name, error.strerror)
        return [path for _, path in sorted(dated, reverse=True)]


class FolderWriter:
    """Writes the record of one call into its folder."""

    def __init__(self, folder: Path, record: CallRecord) -> None:
        self._folder = folder
        self._record = record
        self._bytes = 0
        # Unbuffered: each line is the kernel's as soon as it is written.
        self._events: BinaryIO | None = (folder / _EVENTS).open("ab", buffering=0)
        # Held as long as this process lives, however it ends.
        fcntl.flock(self._events, fcntl.LOCK_EX)
        _save(folder, record)

    @property
    def audio(self) -> Path:
        """Where the two tracks belong, if they are recorded."""
        return self._folder / _AUDIO

    def append(self, event: CallEvent) -> None:
        """Add an event."""
        if self._events is None:
            return
        line = event.model_dump_json().encode() + b"\n"
        if self._bytes + len(line) > MAX_EVENTS_BYTES and not isinstance(event, CallEnded):
            return
        self._bytes += self._events.write(line)

    def close(self, reason: EndReason) -> None:
        """The call is over."""
        if self._events is None:
            return
        _save(self._folder, _ended(self._record, datetime.now(UTC), reason))
        self._events.close()
        self._events = None


def _bury(folder: Path, record: CallRecord) -> bool:
    """End the record of a dead process; False if it lives."""
    path = folder / _EVENTS
    with path.open("ab", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        last_sign = datetime.fromtimestamp(_last_sign(folder), UTC)
        ended_at = max(last_sign, record.started_at)
        _cut_torn_line(path)
        last = next(iter(deque(_events(path), maxlen=1)), None)
        if isinstance(last, CallEnded):
            reason = last.reason
        else:
            reason = "crashed"
            at_ms = round((ended_at - record.started_at) / timedelta(milliseconds=1))
            at_ms = max(at_ms, last.at_ms if last else 0)
            file.write(CallEnded(at_ms=at_ms, reason=reason).model_dump_json().encode() + b"\n")
        _save(folder, _ended(record, ended_at, reason))
    return True


def _ended(record: CallRecord, at: datetime, reason: EndReason) -> CallRecord:
    return record.model_copy(update={"status": "ended", "ended_at": at, "reason": reason})


def _last_sign(folder: Path) -> float:
    """When the process last wrote anything, in seconds since the epoch."""
    return max(path.stat().st_mtime for path in folder.iterdir())


def _cut_torn_line(path: Path) -> None:
    """Take off what a process killed in the middle of a line left of it."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)


def _events(path: Path) -> Iterator[CallEvent]:
    if not path.is_file():
        return
    with path.open("rb") as lines:
        for line in lines:
            try:
                yield CALL_EVENT.validate_json(line)
            except ValidationError:
                # A line still being written, or an event of another version.
                continue


def _load(folder: Path) -> CallRecord | None:
    try:
        return CallRecord.model_validate_json((folder / _RECORD).read_bytes())
    except (OSError, ValidationError):
        logger.warning("record {} cannot be read", folder.name)
        return None


def _save(folder: Path, record: CallRecord) -> None:
    """Replace the record in one step: a reader sees the old one or the new one."""
    draft = folder / f".{_RECORD}"
    draft.write_text(json.dumps(record.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    draft.replace(folder / _RECORD)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
