"""Keys are planted, everything is provoked to speak, and the keys are looked for in all it said."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from evals.corpus import librivox
from evals.simulators.behaviour import Behaviour, Fault
from evals.simulators.vendors import Vendors
from tests.support.serving import serving
from tests.support.vendors import vendors_beside

pytestmark = pytest.mark.integration

KEYS = {
    name: f"planted-{name.lower()}-0123456789"
    for name in (
        "DEEPGRAM_API_KEY",
        "GROQ_API_KEY",
        "CARTESIA_API_KEY",
        "DAILY_API_KEY",
        "LIVEKIT_API_KEY",
        "LIVEKIT_API_SECRET",
        "OFFHOOK_TURN_SECRET",
        "TWILIO_AUTH_TOKEN",
        "OFFHOOK_API_KEYS",
    )
}
SHOWN = {"LIVEKIT_API_KEY"}
"""Not secret: each of LiveKit's tokens names it."""
PLACES = {
    "LIVEKIT_URL": "ws://127.0.0.1:9",
    "OFFHOOK_TURN_URLS": "turn:127.0.0.1:3478",
    "OFFHOOK_PUBLIC_URL": "https://phone.example",
    "OFFHOOK_LOG_LEVEL": "TRACE",
}
LISTEN_SECS = 6.0


@pytest.fixture
def vendors(monkeypatch: pytest.MonkeyPatch) -> Generator[Vendors]:
    monkeypatch.delenv("OFFHOOK_VENDORS", raising=False)
    for name, value in (KEYS | PLACES).items():
        monkeypatch.setenv(name, value)
    with vendors_beside() as vendors:
        monkeypatch.setenv("DAILY_API_URL", f"{vendors.url}/daily/v1")
        yield vendors


def pipeline(folder: Path, vendors: Vendors) -> Path:
    """The cloud pipeline at the simulated vendors, with real keys: its addresses say so."""
    http, ws = vendors.url, vendors.url.replace("http", "ws")
    path = folder / "mine.toml"
    path.write_text(
        f"""summary = "planted keys"
[turn]
commit = "silence"
[stt]
provider = "deepgram"
base_url = "{ws}/deepgram"
[llm]
provider = "groq"
base_url = "{http}/groq/openai/v1"
[tts]
provider = "cartesia"
base_url = "{ws}/cartesia"
"""
    )
    return path


def refusing(vendors: Vendors, *services: str) -> None:
    """Let services refuse every key, and quote it back."""
    fault = Fault(kind="status", status=401, times=None)
    vendors.desk.behave(Behaviour(faults=dict.fromkeys(services, (fault,))))


def none_in(said: str) -> None:
    assert [name for name, key in KEYS.items() if key in said and name not in SHOWN] == []


def written(folder: Path) -> str:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return "\n".join(path.read_bytes().decode("utf-8", "replace") for path in files)


@pytest.mark.parametrize("service", ["", "deepgram-listen", "groq-chat", "cartesia"])
def test_a_call_says_no_key(vendors: Vendors, tmp_path: Path, service: str) -> None:
    if service:
        refusing(vendors, service)
    preset = pipeline(tmp_path, vendors)
    data = tmp_path / "data"
    command = [sys.executable, "server.py", "call", "--preset", str(preset)]
    command += ["--wav", str(librivox()[1].path), "--data", str(data), "--answer-secs", "10"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    shown = [seen.headers | seen.query for seen in vendors.desk.seen]
    assert any(KEYS["DEEPGRAM_API_KEY"] in json.dumps(headers) for headers in shown)
    said = run.stdout + run.stderr
    assert "TRACE" in said
    none_in(said + written(data))


def test_a_check_says_no_key(vendors: Vendors, tmp_path: Path) -> None:
    refusing(vendors, "groq-chat")
    command = [sys.executable, "server.py", "check", str(pipeline(tmp_path, vendors)), "--live"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "[hidden]" in run.stdout
    none_in(run.stdout + run.stderr)


async def listen(url: str) -> str:
    """Everything that a call on the WebSocket is told."""
    heard: list[str] = []
    async with connect(url, proxy=None) as socket:
        try:
            async with asyncio.timeout(LISTEN_SECS):
                async for message in socket:
                    raw = message if isinstance(message, bytes) else message.encode()
                    heard.append(raw.decode("utf-8", "replace"))
        except (TimeoutError, ConnectionClosed):
            pass
    return "\n".join(heard)


def test_a_server_says_no_key(vendors: Vendors, tmp_path: Path) -> None:
    refusing(vendors, "deepgram-listen", "daily")
    preset, data = pipeline(tmp_path, vendors), tmp_path / "data"
    said: list[str] = []
    with serving(data, "--pipeline", str(preset)) as served:
        bearer = {"Authorization": f"Bearer {KEYS['OFFHOOK_API_KEYS']}"}
        with served.client(**bearer) as http:
            pages = ["/", "/pipelines", "/bots", "/transports", "/healthz", "/openapi.json", "/no"]
            said += [f"{http.get(page).headers}{http.get(page).text}" for page in pages]
            bodies: list[dict[str, Any]] = [
                {"transport": name} for name in ("webrtc", "daily", "livekit", "carrier-pigeon")
            ]
            bodies.append({"overrides": {"stt": {"base_url": "wss://elsewhere.example"}}})
            answers = [http.post("/start", json=body) for body in bodies]
            said += [answer.text for answer in answers]
            opened = http.post("/start", json={"transport": "websocket"}).json()
        said.append(asyncio.run(listen(opened["wsUrl"])))
        with served.client(Authorization="Bearer wrong") as http:
            said.append(http.post("/start", json={}).text)
            said.append(http.post("/twilio/voice", data={"CallSid": "CA1"}).text)
    assert "iceServers" in said[7]
    assert "daily_key" in said[8]
    assert any(seen.service == "daily" for seen in vendors.desk.seen)
    assert "failed" in said[-3]
    assert "bad_signature" in said[-1]
    none_in("\n".join(said))
    none_in(written(data))
