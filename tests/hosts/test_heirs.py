"""The calls of an earlier server: asked at once, asked again, and ended if they never answer."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hosts import heirs as module
from hosts.heirs import Heirs
from hosts.packet import listen
from hosts.rundir import call_notes, call_socket, call_sockets, noted_call
from tests.support.forking import Server, Talk, alive, short_run

pytestmark = pytest.mark.integration


@pytest.fixture
def server() -> Iterator[Server]:
    with short_run() as run, Server(run) as server:
        yield server


def call(server: Server, talk: Talk, name: str) -> int:
    """The number of a process that has a call."""
    pid, _ = server.fork(talk, name)
    with Talk(call_socket(server.run, name)) as child:
        child.get("begin")
    return pid


async def test_those_that_hang_cost_one_wait_are_asked_again_and_ended_at_last(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, asking, most = module.Child.find, 0, 0

    async def counted(path: Path, *, timeout_secs: float) -> module.Child | None:
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        try:
            return await find(path, timeout_secs=timeout_secs)
        finally:
            asking -= 1

    monkeypatch.setattr(module, "STATE_SECS", 0.2)
    monkeypatch.setattr(module.Child, "find", counted)
    with server.talk() as talk:
        wakes, sleeps = (call(server, talk, name) for name in ("wakes", "sleeps"))
        for pid in (wakes, sleeps):
            os.kill(pid, signal.SIGSTOP)
        heirs = Heirs(server.run)
        assert await heirs.find(ours=()) == []
        assert (most, heirs.silent) == (2, 2)
        os.kill(wakes, signal.SIGCONT)
        # One that was made since is no call of an earlier server.
        call(server, talk, "new")
        monkeypatch.setattr(module, "STATE_SECS", 3.0)
        (found,) = await heirs.find(ours=())
        assert (found.pid, heirs.silent) == (wakes, 1)
        assert await heirs.end() == 1
        assert heirs.silent == 0
        assert not alive(sleeps)
        assert alive(wakes)
        assert {path.stem for path in call_sockets(server.run)} == {"wakes", "new"}
        found.part()


async def test_who_is_not_surely_the_one_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STATE_SECS", 0.1)
    with short_run() as run:
        mute, unknown = (call_socket(run, name) for name in ("mute", "unknown"))
        noted_call(mute).write_text(f"{os.getpid()} 1")
        with listen(mute), listen(unknown):
            heirs = Heirs(run)
            assert await heirs.find(ours=()) == []
            assert heirs.silent == 2
            assert await heirs.end() == 0


async def test_what_nobody_listens_on_is_removed_with_its_note() -> None:
    with short_run() as run:
        stale, gone = (call_socket(run, name) for name in ("stale", "gone"))
        listen(stale).close()
        for path in (stale, gone):
            noted_call(path).write_text("1 1")
        assert await Heirs(run).find(ours=()) == []
        assert call_sockets(run) == call_notes(run) == []
