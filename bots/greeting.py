"""The greetings that are ready, kept from call to call in files, and how one more is made."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
from loguru import logger
from pipecat.services.tts_service import TTSService

from bots.plan import CallPlan
from errors import OffhookError
from pipelines import cascade
from processors.greeter import Free
from processors.phrases import Clip, Marks, Phrases, Shelf
from processors.speakable import speakable
from providers.base import Site, simulated_vendors

FOLDER = Path("cache", "greetings")
"""Where greetings are kept, below the data folder."""
KEPT_FILES = 64
"""How many are kept; a greeting of 5 s at 24 kHz takes 240 kB."""
KEPT_BYTES = 64_000_000
"""How much they may take together."""
MAKE_SECS = 60.0
"""How long the voice may take; the slowest makes 400 letters in half of it."""
_GIVE_UP_SECS = 2 * MAKE_SECS
"""The voice may have to wait for the call's own, which says the greeting meanwhile."""
AGAIN_SECS = 600.0
"""How soon a greeting that could not be made is tried again: a voice may be paid for."""

_FILE_BYTES = 8_000_000
"""A greeting of 400 letters at 48 kHz takes 3 MB."""
_LONGEST_MS = 600_000
_FORM = 1
"""Counted up when what is in a file, or how it is made, changes."""
_UNFINISHED = ".making-"
_ABANDONED_SECS = 3600
_RIFF = struct.Struct("<4sI4s")
_CHUNK = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHIIHH")
_NOTES = b"note"
"""A chunk of our own, which other readers of WAV files pass over: the text, the words' times."""


class Greetings:
    """A folder of WAV files, one a greeting; the one that was used longest ago goes first.

    Each is written beside its place and then moved there, so that several processes may use the
    folder at once. What cannot be read is taken away, and made again by whoever needs it.

    Args:
        folder: It need not exist.
        files: How many are kept.
        total_bytes: How much they may take together.

    Attributes:
        folder: As given.
    """

    def __init__(
        self, folder: Path, *, files: int = KEPT_FILES, total_bytes: int = KEPT_BYTES
    ) -> None:
        self.folder = folder
        self._files = files
        self._bytes = total_bytes

    def get(self, key: str) -> Clip | None:
        """The clip that is kept under `key`, if it is sound. Blocks."""
        path = self._path(key)
        try:
            if path.stat().st_size > _FILE_BYTES:
                raise ValueError("it is too large")
            clip = decode(path.read_bytes())
            os.utime(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            logger.warning("the greeting {} cannot be read: {}", path, error)
            return None
        except ValueError as error:
            logger.warning("the greeting {} is thrown away: {}", path, error)
            path.unlink(missing_ok=True)
            return None
        return clip

    def put(self, key: str, clip: Clip) -> None:
        """Keep a clip under `key`. Blocks.

        Raises:
            OSError: It cannot be written.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=self.folder)
        made = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(encode(clip))
                file.flush()
                os.fsync(file.fileno())
            made.replace(self._path(key))
        finally:
            made.unlink(missing_ok=True)
        self._tidy()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.wav"

    def _tidy(self) -> None:
        """Take away what is too much; others may be doing the same."""
        found: list[tuple[float, int, Path]] = []
        for path in self.folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                state = path.stat()
                found.append((state.st_mtime, state.st_size, path))
        newest_secs = max((at_secs for at_secs, _, _ in found), default=0.0)
        for at_secs, _, path in found:
            # Whoever wrote it was killed.
            if path.name.startswith(_UNFINISHED) and at_secs < newest_secs - _ABANDONED_SECS:
                path.unlink(missing_ok=True)
        found = [entry for entry in found if entry[2].suffix == ".wav"]
        kept_bytes = 0
        for number, (_, size, path) in enumerate(sorted(found, reverse=True)):
            kept_bytes += size
            if number >= self._files or kept_bytes > self._bytes:
                path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Greeting:
    """What one bot says first, in one voice."""

    text: str
    """As it is written."""
    voice: str
    """Names all that shapes the sound but the rate: provider, settings, language."""
    build: Callable[[], TTSService]
    """Makes the voice; called in a thread."""
    kept: Greetings

    @classmethod
    def of(cls, plan: CallPlan, site: Site, kept: Greetings) -> Greeting | None:
        """The greeting of the plan's bot in the plan's voice; None if there is nothing to say."""
        settings = plan.bot.settings
        if not speakable(settings.greeting):
            return None
        voice = {
            "tts": plan.config.tts.model_dump(mode="json"),
            "language": settings.language,
            # They hum; nobody is to hear that from the real one.
            "simulated": simulated_vendors() is not None,
        }
        build = partial(cascade.build_voice, plan.config, site)
        return cls(settings.greeting, json.dumps(voice, sort_keys=True), build, kept)

    def key(self, rate_hz: int) -> str:
        """Names the file: it changes with whatever would be heard or told otherwise."""
        parts = [_FORM, self.text, speakable(self.text), self.voice, rate_hz]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    async def find(self, rate_hz: int) -> Clip | None:
        """The clip at that rate from its file, if there is one."""
        clip = await asyncio.to_thread(self.kept.get, self.key(rate_hz))
        return clip if clip and (clip.rate_hz, clip.text) == (rate_hz, self.text) else None

    async def make(self, rate_hz: int, free: Free) -> Clip | None:
        """The clip, made aside by a voice of its own, and kept in a file.

        One process makes it. None for any other that would at the same time, and where it failed
        lately; nobody waits. What fails is logged and nobody's: without a clip the call's own
        voice says the greeting.

        Args:
            rate_hz: Of the clip.
            free: Awaited before anything is made.
        """
        await free()
        lock = self.kept.folder / f"{_UNFINISHED}{self.key(rate_hz)}"
        try:
            with alone(lock) as note:
                if note is None:
                    return None
                clip = await self.find(rate_hz) or await self._make(rate_hz, free)
                if clip:
                    lock.unlink(missing_ok=True)
                else:
                    _note_failure(note)
                return clip
        except OSError as error:
            logger.warning("the greeting is not made ahead: {}", error)
            return None

    async def _make(self, rate_hz: int, free: Free) -> Clip | None:
        phrases = Phrases((self.text,), self.voice, self.build, Shelf(1), MAKE_SECS)
        clip, why = None, "its voice did not say it to the end"
        try:
            async with (
                asyncio.timeout(_GIVE_UP_SECS),
                contextlib.aclosing(phrases.clips(rate_hz, free=free)) as clips,
            ):
                clip = await anext(clips, None)
            if clip:
                await asyncio.to_thread(self.kept.put, self.key(rate_hz), clip)
                return clip
        except TimeoutError:
            why = "its voice takes too long"
        except OffhookError as error:
            why = error.message
        except OSError as error:
            why = str(error)
        logger.warning("the greeting is not made ahead: {}", why)
        return None


@contextmanager
def alone(path: Path) -> Generator[int | None]:
    """Be the only process inside of this with that path; None if another is, or failed lately.

    Nobody waits. Gives the open file, on which a failure is noted; who is cancelled notes none,
    and leaves the next to try.

    Raises:
        OSError: The file cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield handle if _locks(handle) and _is_due(os.fstat(handle)) else None
    finally:
        os.close(handle)


def _locks(handle: int) -> bool:
    """Whether the file is this process's alone from now on."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_due(state: os.stat_result) -> bool:
    age_secs = datetime.now(UTC).timestamp() - state.st_mtime
    return not state.st_size or not 0 <= age_secs <= AGAIN_SECS


def _note_failure(handle: int) -> None:
    os.pwrite(handle, b"failed\n", 0)
    os.utime(handle)


def encode(clip: Clip) -> bytes:
    """The clip as a WAV file, with its text and its words' times in a chunk behind the sound."""
    sound = clip.samples.astype("<i2").tobytes()
    notes = json.dumps({"text": clip.text, "marks": clip.marks, "sum": _sum(sound)}).encode()
    rate = clip.rate_hz
    chunks = b"".join(
        _CHUNK.pack(name, len(data)) + data + b"\0" * (len(data) % 2)
        for name, data in (
            (b"fmt ", _FORMAT.pack(1, 1, rate, rate * 2, 2, 16)),
            (b"data", sound),
            (_NOTES, notes),
        )
    )
    return _RIFF.pack(b"RIFF", 4 + len(chunks), b"WAVE") + chunks


def decode(file: bytes) -> Clip:
    """The clip in a file that `encode` made.

    Raises:
        ValueError: It is another file, or was damaged.
    """
    try:
        chunks = _chunks(file)
        kind, channels, rate_hz, _, _, bits = _FORMAT.unpack(chunks[b"fmt "])
        sound, notes = chunks[b"data"], json.loads(chunks[_NOTES])
        if (kind, channels, bits) != (1, 1, 16) or notes["sum"] != _sum(sound) or not sound:
            raise ValueError("it is damaged")
        text, marks = str(notes["text"]), _marks(notes["marks"], len(notes["text"]))
    except (struct.error, LookupError, TypeError) as error:
        raise ValueError(f"it is no greeting ({error!r})") from error
    return Clip(text, np.frombuffer(sound, "<i2").astype(np.int16), rate_hz, marks=marks)


def _chunks(file: bytes) -> dict[bytes, bytes]:
    riff, _, wave = _RIFF.unpack_from(file)
    if (riff, wave) != (b"RIFF", b"WAVE"):
        raise ValueError("it is no WAV file")
    chunks: dict[bytes, bytes] = {}
    start = _RIFF.size
    while start < len(file):
        name, size = _CHUNK.unpack_from(file, start)
        start += _CHUNK.size
        chunks[name] = file[start : start + size]
        start += size + size % 2
    return chunks


def _marks(given: Any, letters: int) -> Marks:
    """What was read, if it goes on in time and text."""
    marks = tuple((float(at_ms), int(end)) for at_ms, end in cast("list[tuple[float, int]]", given))
    ends = [0, *(end for _, end in marks)]
    times = [0.0, *(at_ms for at_ms, _ in marks)]
    grows = all(before < after for before, after in pairwise(ends))
    in_time = times == sorted(times) and times[-1] < _LONGEST_MS
    if not grows or ends[-1] > letters or not in_time:
        raise ValueError("its words are in no order")
    return marks


def _sum(sound: bytes) -> str:
    return hashlib.sha256(sound).hexdigest()
