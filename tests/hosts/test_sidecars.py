"""Processes beside the calls: started once, restarted, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import httpx
import pytest

from hosts.sidecars import SidecarError, Sidecars
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


async def test_an_unknown_one_has_no_address() -> None:
    async with Sidecars() as sidecars:
        with pytest.raises(SidecarError, match="nothing"):
            sidecars.url("nothing")
