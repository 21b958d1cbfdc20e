"""Whichever process dies, no other call suffers, and every record says how its call ended."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hosts.rundir import run_dir
from tests.support.calling import Caller
from tests.support.processes import calls, fork_server_pid, lives, shoot, until
from tests.support.serving import Served, serving
from tests.support.vendors import vendors_beside

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

KEY = {"Authorization": "Bearer simulated"}


@contextmanager
def server(folder: Path, *arguments: str) -> Generator[Served]:
    with serving(folder, "--pipeline", "simulated", "--warm", "0", *arguments) as served:
        yield served


@pytest.fixture
def data(tmp_path: Path) -> Generator[Path]:
    yield tmp_path
    run = run_dir(tmp_path)
    for state in calls(run):
        shoot(state["pid"])
    if pid := fork_server_pid(run):
        shoot(pid)


@asynccontextmanager
async def calling(http: httpx.Client) -> AsyncGenerator[tuple[str, Caller]]:
    """A call whose caller was greeted."""
    started = await asyncio.to_thread(lambda: http.post("/start", json={}))
    session = started.json()["sessionId"]
    caller = Caller()
    try:
        await caller.call(http, session)
        async with asyncio.timeout(40):
            while caller.loudest < 1000:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.05)
        yield session, caller
    finally:
        await caller.leave()


def draining_of(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "server.py", "drain", "--data", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def awaited(condition: Any) -> None:
    await asyncio.to_thread(until, condition)


def live(http: httpx.Client) -> int:
    return http.get("/healthz").json()["calls"]


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in (folder / "calls").glob("*/record.json")]


def events(folder: Path) -> list[dict[str, Any]]:
    [path] = (folder / "calls").glob("*/events.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_call_whose_process_dies_or_hangs_has_crashed(
    data: Path, number: signal.Signals
) -> None:
    with server(data) as served, served.client() as http:
        async with calling(http):
            [state] = calls(run_dir(data))
            shoot(state["pid"], signal_number=number)
            await awaited(lambda: live(http) == 0)
            assert not lives(state["pid"])
        assert http.get("/healthz").json()["slots_taken"] == 0
        async with calling(http) as (session, _):
            assert http.delete(f"/sessions/{session}").status_code == 204
    assert sorted(record["reason"] for record in records(data)) == ["caller_hung_up", "crashed"]


async def test_the_death_of_the_fork_server_ends_no_call_and_lasts_for_moments(
    data: Path,
) -> None:
    run = run_dir(data)
    with server(data) as served, served.client() as http:
        async with calling(http) as (_, caller):
            first = fork_server_pid(run)
            assert first
            shoot(first)
            async with calling(http) as (session, _):
                assert len(calls(run)) == live(http) == 2
                assert http.delete(f"/sessions/{session}").status_code == 204
            assert fork_server_pid(run) not in (None, first)
            async with asyncio.timeout(60):
                await caller.turn_told.wait()


async def test_a_killed_server_loses_no_call_and_the_next_one_ends_it(data: Path) -> None:
    run = run_dir(data)
    with server(data) as served, served.client() as http:
        async with calling(http) as (session, caller):
            [before] = calls(run)
            served.process.kill()
            await awaited(lambda: served.process.poll() is not None)
            with server(data) as second, second.client() as again:
                assert live(again) == 1
                assert again.get("/healthz").json()["slots_taken"] == 1
                [after] = calls(run)
                assert (after["pid"], after["session"]) == (before["pid"], session)
                async with asyncio.timeout(60):
                    await caller.turn_told.wait()
                # Longer than a lease: it is renewed.
                await asyncio.sleep(11)
                assert live(again) == 1
                for _ in range(2):
                    assert again.delete(f"/sessions/{session}").status_code == 204
                assert live(again) == 0
                assert not lives(before["pid"])
    [record] = records(data)
    assert record["reason"] == "caller_hung_up"


async def test_a_call_that_nobody_looks_after_ends_by_itself(data: Path) -> None:
    with server(data) as served, served.client() as http:
        async with calling(http):
            [state] = calls(run_dir(data))
            served.process.kill()
            await awaited(lambda: not lives(state["pid"]))
    [record] = records(data)
    assert record["reason"] == "host_lost"


async def test_a_stop_gives_calls_time_and_then_says_good_bye(data: Path) -> None:
    with server(data, "--drain-secs", "3") as served, served.client() as http:
        async with calling(http):
            draining = draining_of(data)
            await awaited(lambda: http.get("/readyz").status_code == 503)
            refused = http.post("/start", json={})
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
            assert int(refused.headers["retry-after"]) > 0
            await awaited(lambda: served.process.poll() is not None)
            said, _ = await asyncio.to_thread(draining.communicate, None, 30)
    assert (served.process.returncode, draining.returncode) == (0, 0)
    assert said.splitlines()[0] == "1 call left."
    assert said.splitlines()[-1] == "The server is gone."
    [record] = records(data)
    assert record["reason"] == "drained"
    spoken = " ".join(event["spoken"] for event in events(data) if event["kind"] == "reply_ended")
    assert "Good-bye" in spoken


async def test_a_second_signal_ends_it_now(data: Path) -> None:
    with server(data) as served, served.client() as http:
        async with calling(http):
            served.process.terminate()
            await awaited(lambda: http.get("/readyz").status_code == 503)
            assert live(http) == 1
            served.process.terminate()
            await awaited(lambda: served.process.poll() is not None)
    assert served.process.returncode == 0
    assert [record["reason"] for record in records(data)] == ["drained"]


def test_a_room_of_a_killed_server_is_deleted_by_the_next(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with vendors_beside() as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)

        def rooms() -> list[Any]:
            answer = httpx.get(f"{vendors.url}/daily/v1/rooms", headers=KEY, trust_env=False)
            return answer.json()["data"]

        with server(data) as served, served.client() as http:
            opened = http.post("/start", json={"transport": "daily"}).json()
            assert len(rooms()) == 1
            served.process.kill()
            until(lambda: served.process.poll() is not None)
        with server(data) as second, second.client() as again:
            assert again.delete(f"/sessions/{opened['sessionId']}").status_code == 204
            until(lambda: rooms() == [])


def test_drain_without_a_server_says_so(data: Path) -> None:
    command = [sys.executable, "server.py", "drain", "--data", str(data)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "No server" in answer.stderr
