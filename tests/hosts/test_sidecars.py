"""Processes beside the calls: started once, restarted, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hosts.sidecar_process import SidecarProcess
from hosts.sidecars import SidecarError, Sidecars
from hosts.vitals import process_state
from providers.base import Sidecar

pytestmark = pytest.mark.integration

SERVER = """
import http.server, os, sys
port = int(sys.argv[sys.argv.index("--port") + 1])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(os.getpid()).encode()
        self.send_response(200); self.send_header("content-length", str(len(body)))
        self.end_headers(); self.wfile.write(body)
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "small_server.py").write_text(SERVER)
    (tmp_path / "broken_server.py").write_text("raise SystemExit('no voice today')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "small_server"


FIRST = """
import asyncio, sys
from pathlib import Path
from hosts.sidecars import Sidecars
from providers.base import Sidecar
async def main():
    async with Sidecars(Path(sys.argv[1])) as sidecars:
        await sidecars.start(Sidecar(name="small", module="small_server", args=("--x",)))
        print(sidecars.url("small"), flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@contextmanager
def killed_server(run: Path) -> Generator[str]:
    """Where the sidecar of a server is that has been killed."""
    command = [sys.executable, "-c", FIRST, str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        url = server.stdout.readline().strip()
        server.kill()
    yield url


async def gone(pid: int) -> None:
    """Wait until a process is no more, or only its parent's to collect."""
    async with asyncio.timeout(20):
        while process_state(pid) not in (None, "Z"):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)


async def pid_at(url: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        return int((await client.get(url)).text)


async def test_one_process_for_equal_names_gone_at_the_end(module: str) -> None:
    sidecar = Sidecar(name="small", module=module)
    async with Sidecars() as sidecars:
        await asyncio.gather(sidecars.start(sidecar), sidecars.start(sidecar))
        pid = await pid_at(sidecars.url("small"))
        await sidecars.start(sidecar)
        assert await pid_at(sidecars.url("small")) == pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_dead_one_is_started_again_at_the_same_address(module: str) -> None:
    async with Sidecars() as sidecars:
        await sidecars.start(Sidecar(name="small", module=module))
        url = sidecars.url("small")
        first = await pid_at(url)
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(20):
            while True:
                await asyncio.sleep(0.2)
                try:
                    second = await pid_at(url)
                except httpx.TransportError:
                    continue
                break
    assert second != first


async def test_one_that_cannot_start_says_its_last_words(module: str) -> None:
    async with Sidecars() as sidecars:
        with pytest.raises(SidecarError, match="no voice today"):
            await sidecars.start(Sidecar(name="broken", module="broken_server"))


async def test_one_that_could_not_be_started_is_tried_again(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawn, failures = SidecarProcess.spawn, [OSError(24, "Too many open files")] * 2

    def spawning(*arguments: Any, **more: Any) -> SidecarProcess:
        if failures:
            raise failures.pop()
        return spawn(*arguments, **more)

    monkeypatch.setattr("hosts.sidecars._RESTART_SECS", (0.0,))
    sidecar = Sidecar(name="small", module=module)
    async with Sidecars() as sidecars:
        await sidecars.start(sidecar)
        first = await pid_at(sidecars.url("small"))
        monkeypatch.setattr(SidecarProcess, "spawn", spawning)
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(20):
            while True:
                try:
                    assert await pid_at(sidecars.url("small")) != first
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        assert not failures
        failures.append(OSError(24, "Too many open files"))
        with pytest.raises(SidecarError, match="Too many open files"):
            await sidecars.start(Sidecar(name="other", module=module))


async def test_one_that_could_not_start_is_tried_again(module: str, tmp_path: Path) -> None:
    sidecar = Sidecar(name="broken", module="broken_server")
    async with Sidecars() as sidecars:
        with pytest.raises(SidecarError, match="no voice today"):
            await sidecars.start(sidecar)
        (tmp_path / "broken_server.py").write_text(SERVER)
        await sidecars.start(sidecar)
        assert await pid_at(sidecars.url("broken"))


async def test_an_unknown_one_has_no_address() -> None:
    async with Sidecars() as sidecars:
        with pytest.raises(SidecarError, match="nothing"):
            sidecars.url("nothing")


async def test_a_server_that_was_killed_leaves_them_to_the_next(
    module: str, tmp_path: Path
) -> None:
    sidecar = Sidecar(name="small", module=module, args=("--x",))
    with killed_server(tmp_path) as url:
        pid = await pid_at(url)
        async with Sidecars(tmp_path) as sidecars:
            await sidecars.start(sidecar)
            assert sidecars.url("small") == url
            assert await pid_at(url) == pid
            os.kill(pid, signal.SIGKILL)
            await gone(pid)
            async with asyncio.timeout(20):
                while True:
                    try:
                        second = await pid_at(url)
                        break
                    except httpx.TransportError:
                        await asyncio.sleep(0.1)
    await gone(second)
    assert second != pid


async def test_one_with_other_arguments_is_not_taken_for_it_and_ends_too(
    module: str, tmp_path: Path
) -> None:
    with killed_server(tmp_path) as url:
        old = await pid_at(url)
        async with Sidecars(tmp_path) as sidecars:
            await sidecars.start(Sidecar(name="small", module=module))
            assert sidecars.url("small") != url
            assert await pid_at(url) == old
    await gone(old)


async def test_a_number_that_is_another_process_by_now_is_not_touched(
    module: str, tmp_path: Path
) -> None:
    sidecar = Sidecar(name="small", module=module, args=("--x",))
    with killed_server(tmp_path) as url:
        pid = await pid_at(url)
        os.kill(pid, signal.SIGKILL)
        await gone(pid)
        state = tmp_path / "sidecars" / "small.json"
        state.write_text(state.read_text().replace(f'"pid":{pid}', f'"pid":{os.getpid()}'))
        async with Sidecars(tmp_path) as sidecars:
            await sidecars.start(sidecar)
            assert await pid_at(sidecars.url("small")) != os.getpid()
