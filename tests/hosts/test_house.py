"""Everything behind the web, put together: what it finds, what it refuses, what it leaves."""

from __future__ import annotations

import asyncio
import errno
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from bots.plan import plan_call
from errors import ConfigError, FullError, NotFoundError, OffhookError
from hosts.house import House, HouseSettings
from hosts.nursery import Nursery
from hosts.rundir import run_dir
from pipelines.config import resolve
from providers.base import Sidecar
from providers.models import ModelStore
from records.record import CallFacts, FolderStore
from tests.support.processes import calls, fork_server_pid, lives, shoot
from tests.support.waiting import until

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

SIDECAR = """
import http.server, sys
port = int(sys.argv[sys.argv.index("--port") + 1])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
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


def test_callers_may_name_what_is_offered_and_no_more(tmp_path: Path) -> None:
    few = house(tmp_path, pipelines=("cloud", "simulated", "cloud"))
    assert [config.name for config in few.pipelines()] == ["simulated", "cloud"]
    assert [few.pipeline(name) for name in ("cloud", "simulated", None)] == [
        *("cloud", "simulated", "simulated")
    ]
    with pytest.raises(NotFoundError, match=r"'groq'.*are: simulated, cloud\.") as caught:
        few.pipeline("groq")
    assert (caught.value.code, caught.value.field) == ("unknown_pipeline", "pipeline")
    none = house(tmp_path, pipelines=())
    assert [config.name for config in none.pipelines()] == ["simulated"]
    with pytest.raises(NotFoundError, match="did you mean 'cloud'"):
        house(tmp_path, pipelines=("clod",))


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


@pytest.mark.parametrize(
    ("told", "waiting"), [({}, 2), ({"slots": 1}, 1), ({"warm": 0}, 0), ({"warm": 5}, 5)]
)
def test_two_processes_wait_unless_told_otherwise(told: dict[str, Any], waiting: int) -> None:
    assert HouseSettings(**told).waiting == waiting


async def test_records_of_the_dead_are_closed(tmp_path: Path) -> None:
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
        await until(lambda: store.read("gone").reason == "crashed")


@pytest.mark.parametrize("broken", ["sidecar", "bot", "records"])
async def test_calls_get_processes_whatever_became_of_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    async def no_sidecar(*_: object) -> None:
        raise OffhookError("The process slow was not ready within 60 s.")

    def no_bot(**_: object) -> None:
        raise ConfigError("There is no bot.")

    def no_disk(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if broken == "sidecar":
        monkeypatch.setattr("hosts.site.LocalSite.prepare", no_sidecar)
    elif broken == "bot":
        monkeypatch.setattr("hosts.house.plan_call", no_bot)
    else:
        monkeypatch.setattr(FolderStore, "close_orphans", no_disk)
    async with house(tmp_path) as ours:
        assert ours.unready() == []
        child = await ours.nursery.take()
        child.kill()
        await child.exited.wait()


@pytest.mark.parametrize("woken", [True, False], ids=["by a call", "by itself"])
async def test_warm_processes_build_ahead_as_soon_as_a_broken_sidecar_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, woken: bool
) -> None:
    module = tmp_path / "small_server.py"
    module.write_text("raise SystemExit('no voice today')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    sidecar = Sidecar(name="small", module=module.stem)

    def needed(*_: object) -> tuple[Sidecar, ...]:
        return (sidecar,)

    monkeypatch.setattr("providers.base.StageConfig.sidecars", needed)
    monkeypatch.setattr("hosts.house._AGAIN_SECS", (600.0,) if woken else (0.1, 0.2))
    async with house(tmp_path, warm=1) as ours:
        assert ours.unready() == []
        await until(lambda: ours.nursery.metrics.warm_waiting == 1)
        assert not ours.nursery.waiting[0].warm
        module.write_text(SIDECAR)
        if woken:
            session = await ours.admit(plan_call(pipeline="simulated"))
            await ours.host.invite(session)
        await until(lambda: any(child.warm for child in ours.nursery.waiting))


async def test_a_call_that_answers_late_is_taken_over_and_one_that_never_does_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hosts.heirs.STATE_SECS", 0.2)
    # A house takes some seconds to move into.
    monkeypatch.setattr("hosts.house._LOOK_SECS", 3.0)
    async with Nursery(run_dir(tmp_path), warm=0, log_level="WARNING") as earlier:
        await earlier.prepare([resolve("simulated")], {}, None)
        earlier.leave_running = True
        late, never = [await begun(earlier, tmp_path) for _ in range(2)]
    for pid in (late, never):
        shoot(pid, signal_number=signal.SIGSTOP)
    async with house(tmp_path, slots=4) as ours:
        assert (ours.host.live, ours.nursery.heirs.silent) == (0, 2)
        shoot(late, signal_number=signal.SIGCONT)
        await until(lambda: ours.levels().slots_taken == 1)
        await until(lambda: not lives(never))
        assert lives(late)
        # One that does not answer keeps nobody waiting.
        assert ours.unready() == []
    assert not lives(late)


async def begun(nursery: Nursery, folder: Path) -> int:
    """The number of a process that waits for its caller, and that its host has let go."""
    child = await nursery.take()
    plan = plan_call(pipeline="simulated")
    await child.channel.ask(
        "begin",
        session=plan.id,
        plan=plan.to_json(),
        ticket={"kind": "webrtc", "ice": []},
        holder={},
        site={"weights": {}, "urls": {}},
        records=str(folder / "calls"),
        state_dir=str(folder / "bots"),
    )
    child.part()
    return child.pid


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
