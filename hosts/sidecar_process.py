"""One process of a sidecar: ours, or one that a killed server left."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from providers.base import Sidecar

_LOG_BYTES = 4 * 2**20
"""What is kept of a sidecar's words; its log is emptied when it is longer."""
_WORDS_CHARS = 500


class _State(BaseModel):
    """What another server must know of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    pid: int = Field(gt=1)
    port: int = Field(gt=0, lt=65536)
    digest: str
    module: str


class SidecarProcess:
    """A process that runs, or ran. Its state and its words are files in `folder`.

    Attributes:
        port: Where it listens, on loopback.
        exited: Set when it is gone.
    """

    def __init__(self, state: _State, path: Path, popen: subprocess.Popen[bytes] | None) -> None:
        self.port = state.port
        self.exited = asyncio.Event()
        self._state = state
        self._path = path
        self._popen = popen
        self._pidfd: int | None = None
        try:
            self._pidfd = os.pidfd_open(state.pid)
        except ProcessLookupError:
            self.exited.set()
        else:
            asyncio.get_running_loop().add_reader(self._pidfd, self._bury)

    @classmethod
    def spawn(cls, sidecar: Sidecar, folder: Path, *, port: int) -> SidecarProcess:
        """Start one."""
        path = _file(sidecar.name, folder)
        command = [sys.executable, "-m", "hosts.tether", str(cls.lock(folder)), sidecar.module]
        words = path.with_suffix(".log")
        words.unlink(missing_ok=True)
        with words.open("ab") as log:
            # A file and a session of its own: it goes on when this process is killed.
            popen = subprocess.Popen(
                [*command, "--port", str(port), *sidecar.args],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        state = _State(
            name=sidecar.name,
            pid=popen.pid,
            port=port,
            digest=_digest(sidecar),
            module=sidecar.module,
        )
        draft = path.with_suffix(".draft")
        draft.write_text(state.model_dump_json(), "utf-8")
        draft.replace(path)
        return cls(state, path, popen)

    @classmethod
    def find(cls, sidecar: Sidecar, folder: Path) -> SidecarProcess | None:
        """The one that another server left, if it lives and is the same in every argument."""
        path = _file(sidecar.name, folder)
        state = _read(path)
        if state is None:
            return None
        if state.digest != _digest(sidecar):
            # A call that goes on may use it: it is ended with the others.
            path.replace(path.with_name(f"{path.stem}-{state.pid}.json"))
            return None
        return cls(state, path, None)

    @classmethod
    def all_in(cls, folder: Path) -> Iterator[SidecarProcess]:
        """Those that live, whoever started them."""
        for path in sorted(folder.glob("*.json")):
            if state := _read(path):
                yield cls(state, path, None)

    @staticmethod
    def lock(folder: Path) -> Path:
        """The file that whoever wants the sidecars holds locked."""
        return folder / "lock"

    def stop(self, *, kill: bool) -> None:
        """Ask it to end, or end it."""
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL if kill else signal.SIGTERM)

    def forget(self) -> None:
        """It is gone: nobody shall look for it."""
        if self._pidfd is not None:
            self._close()
        self._path.unlink(missing_ok=True)

    def fate(self) -> str:
        """How it ended."""
        status = self._popen.returncode if self._popen else None
        return f"ended with status {status}" if status is not None else "ended"

    def last_words(self) -> str:
        """The end of what it said."""
        with contextlib.suppress(OSError):
            said = self._path.with_suffix(".log").read_bytes()[-4 * _WORDS_CHARS :]
            return " ".join(said.decode("utf-8", "replace").split())[-_WORDS_CHARS:]
        return ""

    def tidy(self) -> None:
        """Keep its log short."""
        log = self._path.with_suffix(".log")
        with contextlib.suppress(OSError):
            if log.stat().st_size > _LOG_BYTES:
                os.truncate(log, 0)

    def _bury(self) -> None:
        self._close()
        if self._popen:
            self._popen.wait()
        self.exited.set()

    def _close(self) -> None:
        if self._pidfd is not None:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None


def _file(name: str, folder: Path) -> Path:
    return folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.json"


def _digest(sidecar: Sidecar) -> str:
    told = json.dumps([sidecar.module, *sidecar.args, sidecar.health_path])
    return hashlib.sha256(told.encode()).hexdigest()


def _read(path: Path) -> _State | None:
    """A state whose process lives; a file of any other is removed."""
    try:
        state = _State.model_validate_json(path.read_bytes())
        command = Path(f"/proc/{state.pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValidationError):
        command, state = [], None
    # The number may be another process's by now.
    if state and state.module.encode() in command:
        return state
    path.unlink(missing_ok=True)
    return None
