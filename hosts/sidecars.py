"""The processes beside the calls: a language model, a voice. Started, watched, ended here."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections import deque
from types import TracebackType

import httpx
from loguru import logger

from errors import OffhookError
from providers.base import Sidecar

_STOP_SECS = 3.0
_POLL_SECS = 0.1
_RESTART_SECS = (0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_SECS = 60.0
"""A process that lived so long is started again at once when it dies."""
_KEPT_LINES = 20


class SidecarError(OffhookError):
    """A sidecar did not come up."""

    code = "sidecar_failed"
    status = 500


class Sidecars:
    """Runs each sidecar once, on a port of its own, and starts it again when it dies.

    An async context manager: leaving it ends them all.
    """

    def __init__(self) -> None:
        self._ports: dict[str, int] = {}
        self._ready: dict[str, asyncio.Future[None]] = {}
        self._tasks = asyncio.TaskGroup()
        self._watchers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Sidecars:
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

    def url(self, name: str) -> str:
        """Base URL of a sidecar that `start` was called for.

        Raises:
            SidecarError: It was never started.
        """
        if name not in self._ports:
            raise SidecarError(f"The process {name!r} was not started.")
        return f"http://127.0.0.1:{self._ports[name]}"

    async def start(self, sidecar: Sidecar) -> None:
        """Start it unless it runs, and wait until it is ready.

        Raises:
            SidecarError: It ended, or was not ready in time; the message carries its last words.
        """
        if sidecar.name not in self._ready:
            self._ports[sidecar.name] = _free_port()
            ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._ready[sidecar.name] = ready
            self._watchers.append(self._tasks.create_task(self._watch(sidecar, ready)))
        await asyncio.shield(self._ready[sidecar.name])

    async def _watch(self, sidecar: Sidecar, ready: asyncio.Future[None]) -> None:
        """Keep it alive until cancelled; give up only if it never came up."""
        deaths = 0
        while True:
            words: deque[str] = deque(maxlen=_KEPT_LINES)
            began_secs = asyncio.get_running_loop().time()
            failure = await self._live(sidecar, ready, words)
            if not ready.done():
                told = " ".join(words)[-500:]
                ready.set_exception(
                    SidecarError(f"The process {sidecar.name} {failure}. It said: {told}")
                )
                ready.exception()
                return
            logger.warning("sidecar {} {}; starting it again", sidecar.name, failure)
            if asyncio.get_running_loop().time() - began_secs > _STEADY_SECS:
                deaths = 0
            await asyncio.sleep(_RESTART_SECS[min(deaths, len(_RESTART_SECS) - 1)])
            deaths += 1

    async def _live(self, sidecar: Sidecar, ready: asyncio.Future[None], words: deque[str]) -> str:
        """One life of the process, from its start to its end; how it ended."""
        process = await _spawn(sidecar, self._ports[sidecar.name])
        try:
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(_read(process, words))
                failure = await self._until_ready(sidecar, process)
                if failure is None:
                    if not ready.done():
                        ready.set_result(None)
                    await process.wait()
                    failure = f"ended with status {process.returncode}"
                reader.cancel()
        finally:
            await _end(process)
        return failure

    async def _until_ready(
        self, sidecar: Sidecar, process: asyncio.subprocess.Process
    ) -> str | None:
        """Wait for its health answer; the reason if it does not come."""
        url = f"http://127.0.0.1:{self._ports[sidecar.name]}{sidecar.health_path}"
        deadline = asyncio.get_running_loop().time() + sidecar.ready_timeout_secs
        async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
            while asyncio.get_running_loop().time() < deadline:
                if process.returncode is not None:
                    return f"ended with status {process.returncode}"
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(url)).status_code == 200:
                        return None
                await asyncio.sleep(_POLL_SECS)
        return f"was not ready within {sidecar.ready_timeout_secs:.0f} s"


async def _spawn(sidecar: Sidecar, port: int) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", sidecar.module, "--port", str(port), *sidecar.args]
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def _read(process: asyncio.subprocess.Process, words: deque[str]) -> None:
    """Keep its last lines for the error message; never let its pipe fill up."""
    assert process.stdout
    while chunk := await process.stdout.read(4096):
        words.extend(chunk.decode("utf-8", "replace").splitlines()[-_KEPT_LINES:])


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECS)
    except TimeoutError:
        process.kill()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
