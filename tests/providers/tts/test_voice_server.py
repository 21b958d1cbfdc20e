"""The sidecar as a process: ready when warm, gone with its parent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from providers.kinds import TtsConfig
from providers.tts.kokoro import KokoroTts
from providers.tts.piper import PiperTts
from tests.support.local_speech import site_for, weights
from tests.support.serving import free_port

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
MODULE = "providers.tts.voice_server"


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def listening(port: int) -> list[str]:
    """Addresses on which something listens on that port."""
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    ends = [row[1].split(":") for row in table if row[3] == "0A"]
    return [
        ".".join(str(b) for b in reversed(bytes.fromhex(a))) for a, p in ends if int(p, 16) == port
    ]


@pytest.mark.parametrize("config", [PiperTts(), KokoroTts()], ids=["piper", "kokoro"])
async def test_it_comes_up_as_the_configuration_describes_it(config: TtsConfig) -> None:
    (name,) = config.weights()
    async with site_for(config) as site, httpx.AsyncClient(trust_env=False, timeout=60) as client:
        url = f"{site.url(name)}/synthesize"
        answer = await client.post(url, json={"text": "Hello there."})
    assert answer.is_success
    assert len(answer.content) > 10_000


async def test_it_is_heard_on_loopback_alone() -> None:
    config = PiperTts()
    async with site_for(config) as site:
        port = int(site.url(config.voice).rpartition(":")[2])
        assert listening(port) == ["127.0.0.1"]


def test_it_dies_with_the_process_that_started_it() -> None:
    folder, port = weights(PiperTts()), free_port()
    script = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-m', {MODULE!r}, '--port', '{port}',"
        f" 'piper', {str(folder)!r}])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    deadline = time.monotonic() + 30
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < deadline:
            try:
                client.get(f"http://127.0.0.1:{port}/health").raise_for_status()
                break
            except httpx.TransportError:
                time.sleep(0.1)
    assert alive(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pid)


def test_a_folder_without_a_voice_is_an_error(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", MODULE, "--port", str(free_port()), "piper", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"ORT_DISABLE_TELEMETRY": "1"},
    )
    assert run.returncode != 0
    assert "voice.onnx" in run.stderr
