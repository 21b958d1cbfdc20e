"""The fork server: one thread, whole children, nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from errors import OffhookError
from hosts.forkserver import TAKEN
from hosts.rundir import call_socket, call_sockets, fork_socket
from pipelines.config import resolve
from tests.support.forked import hear, open_files
from tests.support.forking import ROOT, Server, Talk, ended, short_run, tasks, until
from tests.support.speech import CLIPS

pytestmark = pytest.mark.integration

CLIP = CLIPS / "sense_and_sensibility_01_austen_64kb-0880.wav"


@pytest.fixture
def run() -> Iterator[Path]:
    with short_run() as run:
        yield run


@pytest.fixture
def server(run: Path) -> Iterator[Server]:
    """Not prepared: it forks all the same, and starts at once."""
    with Server(run) as server:
        yield server


@pytest.fixture(scope="module")
def prepared() -> Iterator[Server]:
    with short_run() as run, Server(run) as server:
        with server.talk() as talk:
            # With smart-turn's model, too.
            config = resolve("simulated", defaults={"turn": {"commit": "smart_turn"}})
            configs = [config.model_dump(mode="json")]
            server.loaded = talk.get("prepare", configs=configs, weights={})
        yield server


def children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_it_tells_of_itself_and_refuses_what_it_does_not_know(server: Server) -> None:
    with server.talk() as talk:
        status = talk.get("status")
        told = {key: status[key] for key in ("pid", "threads", "children", "prepared")}
        pid = server.process.pid
        assert told == {"pid": pid, "threads": 1, "children": 0, "prepared": False}
        with pytest.raises(OffhookError, match="knows no 'dance'"):
            talk.get("dance")
        with pytest.raises(OffhookError):
            talk.get("prepare", configs=[{"stt": {"provider": "nobody"}}])
        for name in ("../fork", "", "A"):
            with pytest.raises(OffhookError):
                talk.get("fork", name=name)
        assert talk.get("status")["children"] == 0


def test_a_client_that_talks_nonsense_is_dropped_and_the_others_are_served(server: Server) -> None:
    with server.talk() as rude, server.talk() as polite:
        rude.send(b"no json")
        assert rude.closed()
        assert polite.get("status")["pid"] == server.process.pid


def test_a_child_has_its_own_session_signals_and_numbers_and_no_socket_of_the_server(
    server: Server,
) -> None:
    with server.talk() as talk, server.talk():
        seen: list[dict[str, Any]] = []
        for name in ("one", "two"):
            pid, _ = server.fork(talk, name)
            with Talk(call_socket(server.run, name)) as child:
                facts, look = child.get("state"), child.get("look")
            assert (facts["pid"], facts["name"], facts["level"]) == (pid, name, "WARNING")
            assert facts["run"] == str(server.run)
            assert (look["session"], look["parent"]) == (pid, server.process.pid)
            assert (look["signals"], look["wakeup"], look["threads"]) == ([True] * 3, -1, 1)
            sockets = [target for target in look["fds"].values() if target.startswith("socket:")]
            # Where it listens, and the connection that asks.
            assert len(sockets) == 2
            assert not [target for target in look["fds"].values() if "fork.lock" in target]
            seen.append(look)
        assert not set(seen[0]["random"]) & set(seen[1]["random"])


def test_twenty_forks_leave_no_descriptor_no_zombie_and_no_socket(server: Server) -> None:
    with server.talk() as talk:
        pid, _ = server.fork(talk, "first")
        with Talk(call_socket(server.run, "first")) as child:
            fds_of_first = child.get("look")["fds"]
        before = open_files(server.process.pid)
        made = [server.fork(talk, f"c{n}") for n in range(20)]
        with Talk(call_socket(server.run, "c19")) as child:
            assert child.get("look")["fds"].keys() == fds_of_first.keys()
        # Nobody is connected to them: they end, and are gone altogether.
        assert all(ended(pidfd) for _, pidfd in made)
        until(lambda: talk.get("status")["children"] == 0)
        assert open_files(server.process.pid) == before
    assert children(server.process.pid) == []
    assert not Path(f"/proc/{pid}").exists()
    assert call_sockets(server.run) == []


def test_a_child_that_fails_is_gone_and_is_no_second_server(server: Server) -> None:
    with server.talk() as talk:
        for name, op in (("fails", "fail"), ("ends", "end")):
            _, pidfd = server.fork(talk, name)
            with Talk(call_socket(server.run, name)) as child, pytest.raises(ConnectionError):
                child.get(op)
                child.get("state")
            assert ended(pidfd)
        assert talk.get("status")["pid"] == server.process.pid


def test_a_killed_child_takes_nobody_with_it(server: Server) -> None:
    with server.talk() as talk:
        _, first = server.fork(talk, "first")
        server.fork(talk, "second")
        with Talk(call_socket(server.run, "second")) as second:
            signal.pidfd_send_signal(first, signal.SIGKILL)
            until(lambda: talk.get("status")["children"] == 1)
            assert second.get("state")["name"] == "second"


def test_a_name_in_use_is_refused_and_a_stale_socket_replaced(server: Server) -> None:
    with server.talk() as talk:
        path = call_socket(server.run, "mine")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stale:
            stale.bind(str(path))
        _, pidfd = server.fork(talk, "mine")
        with Talk(path) as child:
            assert child.get("state")["name"] == "mine"
            with pytest.raises(OffhookError, match="has a process already") as refused:
                server.fork(talk, "mine")
            assert refused.value.code == "no_process"
        assert ended(pidfd)


@pytest.mark.parametrize("how", ["quit", "SIGTERM", "SIGKILL"])
def test_children_outlive_it_and_another_takes_its_place(run: Path, how: str) -> None:
    with Server(run) as first, first.talk() as talk:
        _, pidfd = first.fork(talk, "lives")
        with Talk(call_socket(run, "lives")) as child:
            child.get("begin")
            if how == "quit":
                talk.get("quit")
            else:
                first.process.send_signal(signal.Signals[how])
            first.process.wait()
            assert fork_socket(run).exists() == (how == "SIGKILL")
            with Server(run) as second, second.talk() as again:
                assert again.get("status")["pid"] == second.process.pid
                second.fork(again, "next")
                with Talk(call_socket(run, "next")) as other:
                    assert other.get("state")["name"] == "next"
                assert child.get("state")["stage"] == "calling"
                assert not ended(pidfd, secs=0)


def test_a_living_one_is_not_replaced(server: Server) -> None:
    with server.talk() as talk:
        talk.get("status")
        with Server(server.run) as second:
            assert second.process.wait() == TAKEN
        assert talk.get("status")["pid"] == server.process.pid


def test_it_ends_when_nobody_is_connected(run: Path) -> None:
    with Server(run, "--idle-secs", "0.2") as server:
        with server.talk() as talk:
            talk.get("status")
        assert server.process.wait() == 0
        assert not fork_socket(run).exists()


def test_a_client_that_goes_in_the_middle_is_forgotten(server: Server) -> None:
    with server.talk() as talk:
        talk.get("status")
        before = open_files(server.process.pid)
        for n in range(5):
            with server.talk() as hasty:
                hasty.send(b'{"op":"fork","id":1,"name":"h%d"}' % n)
        until(lambda: open_files(server.process.pid) == before)
        until(lambda: talk.get("status")["children"] == 0)


def test_prepared_it_has_one_thread_and_no_loop_and_its_children_share_its_models(
    prepared: Server,
) -> None:
    pid = prepared.process.pid
    assert prepared.loaded["threads"] == tasks(pid) == 1
    assert not [path for path in open_files(pid).values() if "eventpoll" in path]
    with prepared.talk() as talk:
        prepared.fork(talk, "hears")
        with Talk(call_socket(prepared.run, "hears")) as child:
            heard = child.get("hear", clip=str(CLIP))
    assert heard["inherited"] >= 2
    assert heard["made"] == 0
    assert heard["voiced"] > 0.5
    assert heard["silence"] < 0.2
    # As a process of its own hears it.
    alone = hear(CLIP)
    for moment in ("silence", "voiced", "whole", "cut"):
        assert heard[moment] == pytest.approx(alone[moment], abs=1e-3)
    assert heard["whole"] != pytest.approx(heard["cut"], abs=1e-3)
    assert tasks(pid) == 1


def test_what_it_inherits_by_mistake_is_not_passed_on(run: Path) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        command = [sys.executable, "-m", "hosts.forkserver", "--run", str(run)]
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=(writer,))
        with Talk(fork_socket(run)) as talk:
            assert talk.get("status")["pid"] == process.pid
            pipe = Path(f"/proc/self/fd/{writer}").readlink()
            assert str(pipe) not in open_files(process.pid).values()
            talk.get("quit")
        process.wait()
    finally:
        os.close(reader)
        os.close(writer)
