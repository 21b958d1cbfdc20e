"""The folder of one installation's sockets and process numbers, closed to everybody else."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

from errors import ConfigError

MAX_PATH_BYTES = 100
"""What a Unix socket's path must stay under; Linux takes 107 bytes, others less."""
MAX_NAME_CHARS = 20
"""Of a call's name."""

_NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{MAX_NAME_CHARS - 1}}}")


def run_dir(data_dir: Path, *, base: Path | None = None) -> Path:
    """Make, if need be, the folder that goes with the records in `data_dir`.

    Two servers with the same records meet in it, and two with different ones do not.

    Args:
        data_dir: Folder of the records; need not exist.
        base: Where such folders are; `$XDG_RUNTIME_DIR`, else the system's folder of temporary
            files.

    Raises:
        ConfigError: It belongs to another user, is no folder, or its path is too long.
    """
    uid = os.geteuid()
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    ours = (base or _base()) / f"offhook-{uid}"
    run = ours / digest
    call_socket(run, "x" * MAX_NAME_CHARS)
    for folder in (ours, run, run / "calls"):
        _own(folder, uid)
    return run


def fork_socket(run: Path) -> Path:
    """Where the fork server listens."""
    return run / "fork.sock"


def call_socket(run: Path, name: str) -> Path:
    """Where the process of the call `name` listens.

    Raises:
        ConfigError: The name holds more than small letters, digits and dashes, or the path is too
            long for a socket.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name[:40]!r} cannot name a call's process.", field="name")
    path = run / "calls" / f"{name}.sock"
    if len(os.fsencode(path)) >= MAX_PATH_BYTES:
        raise ConfigError(
            f"{run} is too long a path for sockets. Set XDG_RUNTIME_DIR to a shorter one.",
            code="path_too_long",
        )
    return path


def call_sockets(run: Path) -> list[Path]:
    """Every call's socket, also those that nobody listens on any more."""
    return sorted((run / "calls").glob("*.sock"))


def noted_call(path: Path) -> Path:
    """Where it is noted which process listens at a call's socket `path`."""
    return path.with_suffix(".pid")


def call_notes(run: Path) -> list[Path]:
    """Every note of that kind, also those of processes that are gone."""
    return sorted((run / "calls").glob("*.pid"))


def _base() -> Path:
    # The system's own variable, as `tempfile` reads TMPDIR; no setting of ours.
    told = os.environ.get("XDG_RUNTIME_DIR", "")  # noqa: TID251
    return Path(told) if told and Path(told).is_dir() else Path(tempfile.gettempdir())


def _own(folder: Path, uid: int) -> None:
    """Make the folder for `uid` alone, or refuse what is there."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid:
        raise ConfigError(
            f"{folder} is not a folder of this user's. Remove it, or set XDG_RUNTIME_DIR.",
            code="run_dir_taken",
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)
