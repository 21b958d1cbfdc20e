"""Processes for calls: forked, kept warm, found again; the fork server may die at any moment."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bots.plan import plan_call
from errors import OffhookError
from hosts import nursery as nurseries
from hosts.forkserver import ForkError
from hosts.nursery import Child, Nursery, Recipe
from hosts.packet import listen
from hosts.rundir import call_socket, call_sockets, fork_socket
from pipelines.config import resolve
from tests.support.forked import open_files
from tests.support.forking import ROOT, TEST_CHILD, Talk, alive, short_run
from tests.support.waiting import until
from tests.support.wards import Body

pytestmark = pytest.mark.integration

PLAN = plan_call(pipeline="simulated")
RECIPE = Recipe(plan=PLAN.to_json(), site={"weights": {}, "urls": {}})
CONFIGS = [resolve("simulated")]


@pytest.fixture(scope="module")
def run() -> Iterator[Path]:
    """One fork server for all: a nursery that leaves it running is found by the next."""
    with short_run() as run:
        yield run
        if fork_socket(run).exists():
            with Talk(fork_socket(run)) as talk:
                talk.get("quit")


class Nest(Nursery):
    """A nursery that leaves its fork server to the next test."""

    def __init__(self, run: Path, *, warm: int = 0, child: str = TEST_CHILD) -> None:
        super().__init__(run, warm=warm, log_level="WARNING", child=child)
        self.leave_running = True


async def dismiss(children: Sequence[Child]) -> None:
    for child in children:
        child.kill()
    for child in children:
        await child.exited.wait()


async def test_eight_at_once_are_eight_processes(run: Path) -> None:
    async with Nest(run) as nursery:
        await nursery.prepare(CONFIGS, {}, None)
        before = open_files()
        children = await asyncio.gather(*(nursery.take() for _ in range(8)))
        assert len({child.pid for child in children}) == len({c.name for c in children}) == 8
        states = await asyncio.gather(*(child.channel.ask("state") for child in children))
        assert [state["pid"] for state in states] == [child.pid for child in children]
        assert [state["level"] for state in states] == ["WARNING"] * 8
        assert not any(child.warm for child in children)
        assert (nursery.metrics.forks, nursery.metrics.restarts) == (8, 0)
        await dismiss(children)
        await until(lambda: not call_sockets(run))
        for _ in range(12):
            await dismiss([await nursery.take()])
        assert open_files() == before
        for child in children:
            child.kill()


async def test_the_same_fork_server_is_found_again_unless_the_environment_has_changed(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids: list[int | None] = []
    for key in ("one", "one", "two"):
        monkeypatch.setenv("GROQ_API_KEY", key)
        async with Nest(run) as nursery:
            await nursery.prepare(CONFIGS, {}, None)
            pids.append(nursery.pid)
            await dismiss([await nursery.take()])
    assert pids[0] == pids[1] != pids[2]
    assert not alive(pids[0] or 0)


async def test_warm_ones_wait_for_their_plan_and_are_replaced(run: Path) -> None:
    async with Nest(run, warm=2) as nursery:
        await nursery.prepare(CONFIGS, {}, RECIPE)
        await until(lambda: nursery.metrics.warm_waiting == 2)
        other = await nursery.take(digest="another")
        assert (other.warm, nursery.metrics.warm_waiting) == (False, 2)
        first, second = [await nursery.take(digest=PLAN.digest()) for _ in range(2)]
        assert first.warm
        assert second.warm
        assert nursery.metrics.warm_waiting == 0
        third = await nursery.take(digest=PLAN.digest())
        assert not third.warm
        await until(lambda: nursery.metrics.warm_waiting == 2)
        # One that dies while it waits is replaced too.
        lost = nursery.waiting[0]
        lost.kill()
        await lost.exited.wait()
        await until(lambda: nursery.metrics.warm_waiting == 2 and lost not in nursery.waiting)
        waiting = [child.pid for child in nursery.waiting]
        await dismiss([other, first, second, third])
    await until(lambda: not any(alive(pid) for pid in waiting))


@pytest.mark.parametrize(("tells", "patience_secs"), [("", 0.2), ("cold", 600.0)])
async def test_one_that_cannot_get_ready_is_not_kept(
    run: Path, monkeypatch: pytest.MonkeyPatch, tells: str, patience_secs: float
) -> None:
    monkeypatch.setattr(nurseries, "WARM_SECS", patience_secs)
    async with Nest(run, warm=1) as nursery:
        await nursery.prepare(CONFIGS, {}, Recipe(RECIPE.plan, {"tells": tells}))
        await until(lambda: nursery.metrics.forks >= 2)
        assert nursery.metrics.warm_waiting == 0
        await dismiss([await nursery.take(digest=PLAN.digest())])


async def test_calls_go_on_when_the_fork_server_dies_and_new_ones_come(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nurseries, "TAKE_SECS", 60.0)
    async with Nest(run, warm=1) as nursery:
        await nursery.prepare(CONFIGS, {}, RECIPE)
        call = await nursery.take()
        await call.channel.ask("begin")
        await until(lambda: nursery.metrics.warm_waiting == 1)
        waiting, pid = nursery.waiting[0], nursery.pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        # Asked for before anybody knows.
        late = await nursery.take()
        assert late.pid not in (call.pid, waiting.pid)
        assert nursery.pid not in (None, pid)
        assert nursery.metrics.restarts == 1
        assert (await call.channel.ask("state"))["stage"] == "calling"
        assert not alive(pid)
        # The one that waited is no child of the new server, and is as good.
        warm = await nursery.take(digest=PLAN.digest())
        assert (warm is waiting, warm.warm) == (True, True)
        await dismiss([call, late, warm])


async def test_one_that_hangs_is_replaced(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nurseries, "_FORK_SECS", 0.3)
    monkeypatch.setattr(nurseries, "TAKE_SECS", 60.0)
    async with Nest(run) as nursery:
        await nursery.prepare(CONFIGS, {}, None)
        pid = nursery.pid
        assert pid
        os.kill(pid, signal.SIGSTOP)
        await dismiss([await nursery.take()])
        assert not alive(pid)
        assert nursery.pid not in (None, pid)


async def test_there_is_no_process_where_the_fork_server_cannot_serve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nurseries, "TAKE_SECS", 0.2)
    with short_run() as run:
        async with Nest(run, child="hosts.absent:main") as nursery:
            with pytest.raises(OffhookError, match=r"hosts\.absent"):
                await nursery.prepare(CONFIGS, {}, None)
            with pytest.raises(OffhookError) as refused:
                await nursery.take()
            assert (refused.value.code, refused.value.status) == ("no_process", 503)


class Egg(Body):
    digest: str | None = None

    def part(self) -> None:
        self.exited.set()


class Spring:
    """A fork server that is none, and fails as often as it is told."""

    def __init__(self, *, opening: Sequence[Exception] = (), forking: Sequence[Exception] = ()):
        self.pid = 1
        self.gone = asyncio.Event()
        self._opening, self._forking = list(opening), list(forking)

    async def open(self, _: object) -> Spring:
        if self._opening:
            raise self._opening.pop(0)
        return self

    async def prepare(self, _: object) -> dict[str, int]:
        return {"rss_bytes": 0}

    async def fork(self, *_: object, timeout_secs: float) -> Egg:
        if self._forking:
            raise self._forking.pop(0)
        return Egg()

    async def end(self) -> None:
        self.gone.set()


@pytest.mark.parametrize(
    "failure", [ForkError("It is not up."), OSError(24, "Too many open files"), KeyError("stamp")]
)
@pytest.mark.parametrize("when", ["opening", "forking"])
async def test_whatever_fails_is_tried_again_and_children_get_warm(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, when: str, failure: Exception
) -> None:
    spring = Spring(**{when: [failure] * 2})
    monkeypatch.setattr(nurseries.ForkClient, "open", spring.open)
    monkeypatch.setattr(nurseries, "_RETRY_SECS", (0.0,))
    async with Nursery(tmp_path, warm=1, log_level="WARNING") as nursery:
        if when == "opening":
            with pytest.raises(ForkError):
                await nursery.prepare(CONFIGS, {}, None)
        else:
            await nursery.prepare(CONFIGS, {}, None)
        await until(lambda: nursery.metrics.warm_waiting == 1)


async def test_one_that_was_collected_before_its_end_was_heard_can_be_killed() -> None:
    with subprocess.Popen(["true"]) as process:  # noqa: ASYNC220 - it ends at once
        child = Child(Path("gone"), process.pid, os.pidfd_open(process.pid))
        process.wait()
        child.kill()
        child.channel = Egg().channel
        child.part()


async def test_what_a_child_says_last_is_heard_before_it_counts_as_gone(run: Path) -> None:
    async with Nest(run) as nursery:
        await nursery.prepare(CONFIGS, {}, None)
        child = await nursery.take()
        child.channel.tell("end")
        await child.exited.wait()
        heard: list[dict[str, Any]] = []
        child.on_message = heard.append
        assert heard == [{"op": "ended", "reason": "idle"}]
        assert child.channel.closed
        child.kill()


async def test_leaving_ends_the_fork_server_and_no_call() -> None:
    with short_run() as run:
        before = open_files()
        async with Nursery(run, warm=1, log_level="WARNING", child=TEST_CHILD) as nursery:
            await nursery.prepare(CONFIGS, {}, None)
            await until(lambda: nursery.metrics.warm_waiting == 1)
            waiting = nursery.waiting[0].pid
            call = await nursery.take(digest="none")
            await call.channel.ask("begin")
            pid = nursery.pid
        assert pid
        assert not alive(pid)
        await until(lambda: not alive(waiting))
        assert (await call.channel.ask("state"))["stage"] == "calling"
        await dismiss([call])
        await until(lambda: open_files() == before)


HOST = """
import asyncio, sys
from pathlib import Path
from tests.hosts.test_nursery import CONFIGS, RECIPE, Nest

async def main():
    async with Nest(Path(sys.argv[1]), warm=1) as nursery:
        await nursery.prepare(CONFIGS, {}, RECIPE)
        call = await nursery.take()
        await call.channel.ask("begin")
        while not nursery.metrics.warm_waiting:
            await asyncio.sleep(0.01)
        print(nursery.pid, call.pid, nursery.waiting[0].pid, flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_after_a_killed_host_the_calls_are_found_and_what_waited_is_gone(run: Path) -> None:
    host = subprocess.Popen(  # noqa: ASYNC220 - it is killed, not awaited
        [sys.executable, "-c", HOST, str(run)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with host:
        assert host.stdout
        line = await asyncio.to_thread(host.stdout.readline)
        server, calling, waiting = (int(word) for word in line.split())
        host.kill()
    stale = call_socket(run, "stale")
    listen(stale).close()
    await until(lambda: not alive(waiting))
    assert alive(calling)
    async with Nest(run) as nursery:
        (found,) = await nursery.adopt()
        assert (found.pid, found.warm) == (calling, False)
        assert (await found.channel.ask("state"))["stage"] == "calling"
        assert not stale.exists()
        assert await nursery.adopt() == []
        await nursery.prepare(CONFIGS, {}, None)
        assert nursery.pid == server or not alive(server)
        await dismiss([found])


async def test_the_real_child_gets_warm_and_ends_when_nobody_wants_it() -> None:
    with short_run() as run:
        async with Nursery(run, warm=1, log_level="WARNING") as nursery:
            await nursery.prepare(CONFIGS, {}, RECIPE)
            child = await nursery.take(digest="another")
            assert (await child.channel.ask("state"))["stage"] == "warm"
            await until(lambda: nursery.metrics.warm_waiting == 1)
            warm = await nursery.take(digest=PLAN.digest())
            assert warm.warm
            for unwanted in (child, warm):
                unwanted.channel.close()
            await child.exited.wait()
            await warm.exited.wait()
            await until(lambda: not call_socket(run, warm.name).exists())
