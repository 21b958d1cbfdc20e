"""Where weights lie: files named by their SHA-256, used only after the hash was seen to match.

- `blobs/sha256/HASH`: the bytes
- `stamps/HASH`: what the file looked like when it was last hashed, and the hash that it had
- `models/NAME/FILE`: relative links to blobs
- `partial/NAME/`: downloads under way, which the next pull goes on with
- `locks/NAME.lock`: held while a model is pulled
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from errors import MissingError

CHUNK_BYTES = 1 << 20

State = Literal["ok", "missing", "damaged"]
Advance = Callable[[int], None]
"""Told the number of bytes that were just handled."""


def models_dir(env: Mapping[str, str]) -> Path:
    """Folder of the weights: `OFFHOOK_MODELS`, else the user's cache folder."""
    if chosen := env.get("OFFHOOK_MODELS"):
        return Path(chosen).expanduser().absolute()
    cache = env.get("XDG_CACHE_HOME")
    base = Path(cache) if cache and Path(cache).is_absolute() else Path.home() / ".cache"
    return base / "offhook" / "models"


def sha256_of(path: Path, *, advance: Advance = lambda _: None) -> str:
    """Hash a file, telling `advance` how far it got."""
    digest = hashlib.sha256()
    buffer = bytearray(CHUNK_BYTES)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(view[:count])
            advance(count)
    return digest.hexdigest()


@dataclass(frozen=True)
class Verdict:
    """What a look at a stored file found."""

    state: State
    expected: str = ""
    """What it should be, in words: a size or a hash. Empty unless damaged."""
    got: str = ""


@dataclass(frozen=True)
class Blob:
    """The identity of a file: two files with one hash are one file."""

    sha256: str
    size_bytes: int


class BlobStore:
    """One folder of weights, shared by every process of the user."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def blob_path(self, blob: Blob) -> Path:
        """Where the bytes are, or would be."""
        return self.root / "blobs" / "sha256" / blob.sha256

    def model_dir(self, model: str) -> Path:
        """Folder that a model's files are linked into."""
        return self.root / "models" / model

    def partial_dir(self, model: str) -> Path:
        """Folder of the model's unfinished downloads."""
        return self.root / "partial" / model

    def glance(self, blob: Blob) -> Verdict:
        """Judge without reading the file: presence, size, and the last hash if it still holds."""
        seen = self._look(blob)
        if seen is None:
            return Verdict("missing")
        if seen["size"] != blob.size_bytes:
            return _wrong_size(blob, seen["size"])
        return self._stamped(blob, seen) or Verdict("ok")

    def check(self, blob: Blob) -> Verdict:
        """Judge with certainty; reads the file only if it changed since it was last hashed."""
        seen = self._look(blob)
        if seen is None:
            return Verdict("missing")
        return self._stamped(blob, seen) or self.rehash(blob)

    def rehash(self, blob: Blob, *, advance: Advance = lambda _: None) -> Verdict:
        """Judge by reading the whole file, and remember the verdict."""
        seen = self._look(blob)
        if seen is None:
            return Verdict("missing")
        if seen["size"] != blob.size_bytes:
            return _wrong_size(blob, seen["size"])
        got = sha256_of(self.blob_path(blob), advance=advance)
        if self._look(blob) == seen:
            self._stamp(blob, seen, got)
        return _judge(blob, got)

    def adopt(self, path: Path, blob: Blob) -> Verdict:
        """Move `path` into the store if its hash is right; leave it where it is if not."""
        size_bytes = path.stat().st_size
        if size_bytes != blob.size_bytes:
            return _wrong_size(blob, size_bytes)
        verdict = _judge(blob, sha256_of(path))
        if verdict.state != "ok":
            return verdict
        target = self.blob_path(blob)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.chmod(0o644)
        _sync(path)
        path.replace(target)
        _sync(target.parent)
        if seen := self._look(blob):
            self._stamp(blob, seen, blob.sha256)
        return verdict

    def link(self, blob: Blob, *, model: str, name: str) -> None:
        """Make `models/MODEL/NAME` lead to the blob, whatever it was before."""
        folder = self.model_dir(model)
        link = folder / name
        target = os.path.relpath(self.blob_path(blob), folder)
        with suppress(OSError):
            if str(link.readlink()) == target:
                return
        folder.mkdir(parents=True, exist_ok=True)
        fresh = folder / f".{name}.{os.getpid()}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target)
        fresh.replace(link)

    def drop_partial(self, model: str) -> None:
        """Remove what a finished pull of the model left behind."""
        shutil.rmtree(self.partial_dir(model), ignore_errors=True)

    @contextmanager
    def lock(self, model: str, *, waiting: Callable[[], None]) -> Generator[None]:
        """Hold the model's lock; calls `waiting` once if another process has it.

        The kernel lets go of it when a process dies, however it dies.
        """
        path = self.root / "locks" / f"{model}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _stamp_path(self, blob: Blob) -> Path:
        return self.root / "stamps" / blob.sha256

    def _look(self, blob: Blob) -> dict[str, int] | None:
        try:
            stat = self.blob_path(blob).stat()
        except FileNotFoundError:
            return None
        return {
            "inode": stat.st_ino,
            "size": stat.st_size,
            "mtime_ns": stat.st_mtime_ns,
            "ctime_ns": stat.st_ctime_ns,
        }

    def _stamped(self, blob: Blob, seen: Mapping[str, int]) -> Verdict | None:
        """The verdict of the last hashing, if the file is still the one that was hashed."""
        try:
            stamp = json.loads(self._stamp_path(blob).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(stamp, dict) or stamp.get("seen") != seen:  # pyright: ignore[reportUnknownMemberType]
            return None
        return _judge(blob, str(stamp.get("sha256")))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]

    def _stamp(self, blob: Blob, seen: Mapping[str, int], got: str) -> None:
        path = self._stamp_path(blob)
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        # A store that cannot be written (a shared or read-only one) is only slower: it is
        # hashed each time.
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps({"sha256": got, "seen": seen}), "utf-8")
            fresh.replace(path)


def folder_error(root: Path, error: OSError) -> MissingError:
    """Say in words why the folder of the weights could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return MissingError(
            f"The disk is full: {root} has no room left. Free some, or set OFFHOOK_MODELS to a "
            "folder on another disk, and pull again; it goes on from here.",
            code="disk_full",
        )
    return MissingError(
        f"Cannot use the weights folder {root}: {error.strerror or error}. Make it readable and "
        "writable, or set OFFHOOK_MODELS to another folder.",
        code="weights_folder",
    )


def _wrong_size(blob: Blob, got_bytes: int) -> Verdict:
    return Verdict("damaged", f"{blob.size_bytes} bytes", f"{got_bytes} bytes")


def _judge(blob: Blob, got: str) -> Verdict:
    if got == blob.sha256:
        return Verdict("ok")
    return Verdict("damaged", f"SHA-256 {blob.sha256}", f"SHA-256 {got}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
