"""The processes beside the calls: a language model, a voice. Begun, found, watched, ended here."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
from pathlib import Path
from types import TracebackType

import httpx
from loguru import logger

from errors import OffhookError
from hosts.sidecar_process import SidecarProcess
from providers.base import Sidecar

_STOP_SECS = 3.0
_POLL_SECS = 0.1
_RESTART_SECS = (0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_SECS = 60.0
"""A process that lived so long is started again at once when it dies."""
_TIDY_SECS = 30.0


class SidecarError(OffhookError):
    """A sidecar did not come up."""

    code = "sidecar_failed"
    status = 500


class Sidecars:
    """Runs each sidecar once, on a port of its own, and starts it again when it dies.

    An async context manager: leaving it ends them all. They outlive a server that is killed, and
    the next one in the same run directory finds them.

    Args:
        run: The run directory; without one they are nobody else's.
    """

    def __init__(self, run: Path | None = None) -> None:
        self._run = run
        self._folder = Path()
        self._lock: int | None = None
        self._ports: dict[str, int] = {}
        self._ready: dict[str, asyncio.Future[None]] = {}
        self._tasks = asyncio.TaskGroup()
        self._watchers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Sidecars:
        self._open_folder()
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        # The watchers are done; what failed inside the block is raised as it is, not in a group.
        await self._tasks.__aexit__(None, None, None)
        for left in SidecarProcess.all_in(self._folder):
            await _end(left)
        self._close_folder()

    def url(self, name: str) -> str:
        """Base URL of a sidecar that `start` was called for.

        Raises:
            SidecarError: It was never started.
        """
        if name not in self._ports:
            raise SidecarError(f"The process {name!r} was not started.")
        return f"http://127.0.0.1:{self._ports[name]}"

    async def start(self, sidecar: Sidecar) -> None:
        """Find or start it unless that was done, and wait until it is ready.

        Raises:
            SidecarError: It ended, or was not ready in time; the message carries its last words.
        """
        if sidecar.name not in self._ready:
            ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._ready[sidecar.name] = ready
            self._watchers.append(self._tasks.create_task(self._watch(sidecar, ready)))
        await asyncio.shield(self._ready[sidecar.name])

    async def _watch(self, sidecar: Sidecar, ready: asyncio.Future[None]) -> None:
        """Keep it alive until cancelled; give up only if it never came up."""
        deaths = 0
        while True:
            began_secs = asyncio.get_running_loop().time()
            try:
                failure = await self._run_one(sidecar, ready)
            except Exception as error:  # noqa: BLE001 - the calls must not end with it
                failure = f"cannot be run: {error!r}"
            if not ready.done():
                # Whoever asks next tries again, at another address: this one may be taken.
                del self._ready[sidecar.name]
                self._ports.pop(sidecar.name, None)
                ready.set_exception(SidecarError(f"The process {sidecar.name} {failure}"))
                ready.exception()
                return
            logger.warning("sidecar {} {}; starting it again", sidecar.name, failure)
            if asyncio.get_running_loop().time() - began_secs > _STEADY_SECS:
                deaths = 0
            await asyncio.sleep(_RESTART_SECS[min(deaths, len(_RESTART_SECS) - 1)])
            deaths += 1

    async def _run_one(self, sidecar: Sidecar, ready: asyncio.Future[None]) -> str:
        """One process, found or started, to its end; how it ended."""
        process = SidecarProcess.find(sidecar, self._folder) or self._spawn(sidecar)
        self._ports[sidecar.name] = process.port
        try:
            failure = await self._live(sidecar, ready, process)
        finally:
            await _end(process)
        return failure if ready.done() else f"{failure}. It said: {process.last_words()}"

    def _spawn(self, sidecar: Sidecar) -> SidecarProcess:
        # A call that goes on knows the address: it stays the same.
        port = self._ports.get(sidecar.name) or _free_port()
        return SidecarProcess.spawn(sidecar, self._folder, port=port)

    async def _live(
        self, sidecar: Sidecar, ready: asyncio.Future[None], process: SidecarProcess
    ) -> str:
        """One life of the process, to its end; how it ended."""
        failure = await self._until_ready(sidecar, process)
        if failure is not None:
            return failure
        if not ready.done():
            ready.set_result(None)
        while not process.exited.is_set():
            process.tidy()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.exited.wait(), _TIDY_SECS)
        return process.fate()

    async def _until_ready(self, sidecar: Sidecar, process: SidecarProcess) -> str | None:
        """Wait for its health answer; the reason if it does not come."""
        url = f"http://127.0.0.1:{process.port}{sidecar.health_path}"
        deadline = asyncio.get_running_loop().time() + sidecar.ready_timeout_secs
        async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
            while asyncio.get_running_loop().time() < deadline:
                if process.exited.is_set():
                    return process.fate()
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(url)).status_code == 200:
                        return None
                await asyncio.sleep(_POLL_SECS)
        return f"was not ready within {sidecar.ready_timeout_secs:.0f} s"

    def _open_folder(self) -> None:
        if self._run is None:
            self._folder = Path(tempfile.mkdtemp(prefix="offhook-"))
        else:
            self._folder = self._run / "sidecars"
            self._folder.mkdir(mode=0o700, exist_ok=True)
        lock = SidecarProcess.lock(self._folder)
        self._lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # For as long as this process lives; see hosts/tether.py.
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _close_folder(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if self._run is None:
            shutil.rmtree(self._folder, ignore_errors=True)


async def _end(process: SidecarProcess) -> None:
    """End it politely, then not."""
    for kill in (False, True):
        process.stop(kill=kill)
        try:
            async with asyncio.timeout(_STOP_SECS):
                await process.exited.wait()
        except TimeoutError:
            continue
        break
    process.forget()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
