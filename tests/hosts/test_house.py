"""Everything behind the web, put together: what it finds, what it refuses, what it leaves."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from bots.plan import plan_call
from errors import ConfigError, FullError
from hosts.house import House, HouseSettings
from hosts.rundir import run_dir
from providers.models import ModelStore
from records.record import CallFacts, FolderStore
from tests.support.processes import calls, fork_server_pid, lives

pytestmark = pytest.mark.integration

SERVED = """
import sys
from pathlib import Path
from fastapi.testclient import TestClient
import server
settings = server.ServerSettings(pipeline="simulated", data_dir=Path(sys.argv[1]))
with TestClient(server.create_app(settings), base_url="http://127.0.0.1") as http:
    session = http.post("/start", json={}).json()["sessionId"]
    offer = http.post(f"/sessions/{session}/api/offer", json={"sdp": "v=0", "type": "offer"})
    assert offer.status_code == 400, offer.text
    for path in ("/bots", "/pipelines", "/transports", "/healthz", "/readyz", "/metrics"):
        assert http.get(path).status_code == 200, path
    assert http.delete(f"/sessions/{session}").status_code == 204
heavy = {"pipecat", "aiortc", "av", "numpy", "onnxruntime", "openai", "daily", "livekit.rtc"}
print("loaded:", *sorted(heavy & set(sys.modules)))
"""


def house(folder: Path, **more: Any) -> House:
    settings: dict[str, Any] = {"slots": 1, "warm": 0} | more
    return House(
        models=ModelStore(env={}, offline=True),
        data_dir=folder,
        pipeline="simulated",
        settings=HouseSettings(**settings),
    )


@pytest.fixture
async def ours(tmp_path: Path) -> AsyncGenerator[House]:
    async with house(tmp_path) as open_house:
        yield open_house


async def test_a_refusal_does_nothing_but_count(
    ours: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await ours.admit(plan_call(pipeline="simulated"))
    await ours.host.invite(session)
    second = plan_call(pipeline="simulated")

    async def thread(*_: object) -> None:
        raise AssertionError("a refusal needs no thread")

    with monkeypatch.context() as patch:
        patch.setattr("asyncio.to_thread", thread)
        patch.setattr(ours.nursery, "take", thread)
        with pytest.raises(FullError):
            await ours.admit(second)
    assert (ours.levels().slots_taken, ours.unready()) == (1, ["full"])
    await ours.host.hang_up(session.id)
    assert (ours.levels().slots_taken, ours.unready()) == (0, [])


async def test_nothing_is_left_when_it_closes(tmp_path: Path) -> None:
    run = run_dir(tmp_path)
    async with house(tmp_path, warm=1) as ours:
        server_pid = ours.nursery.pid
        assert server_pid
        session = await ours.admit(plan_call(pipeline="simulated"))
        await ours.host.invite(session)
        assert session.child
        child_pid = session.child.pid
    assert not lives(server_pid)
    assert not lives(child_pid)
    assert fork_server_pid(run) is None
    assert calls(run) == []


async def test_records_of_the_dead_are_closed_before_anybody_calls(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "calls")
    facts = CallFacts(id="gone", bot="receptionist", pipeline="simulated", transport="webrtc")
    script = (
        "import sys; from pathlib import Path; from records.record import *\n"
        "writer = FolderStore(Path(sys.argv[1])).open(CallFacts.model_validate_json(sys.argv[2]))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "calls"), facts.model_dump_json()]
    await asyncio.to_thread(subprocess.run, command, check=True)
    assert store.read("gone").status == "live"
    async with house(tmp_path):
        assert store.read("gone").reason == "crashed"


async def test_a_data_folder_has_one_server(ours: House, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Another server") as refused:
        async with house(tmp_path):
            pass
    assert refused.value.code == "data_taken"


def test_what_answers_http_loads_nothing_that_calls_are_made_of(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SERVED, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "loaded:"
