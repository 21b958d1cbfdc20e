"""A fork server that is found: used if it answers, waited for if it loads, else replaced."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from hosts import fork_client as module
from hosts.fork_client import ForkClient, Load, Origin
from hosts.forkserver import ForkError
from hosts.packet import send_blocking
from hosts.rundir import fork_socket
from pipelines.config import resolve
from tests.support.forking import TEST_CHILD, Server, alive, short_run

pytestmark = pytest.mark.integration


@pytest.fixture
def origin() -> Iterator[Origin]:
    with short_run() as run:
        yield Origin(run, child=TEST_CHILD, idle_secs=5.0)


async def test_one_that_is_stopped_is_replaced(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await ForkClient.open(origin)
    first.part()
    os.kill(first.pid, signal.SIGSTOP)
    monkeypatch.setattr(module, "_ASK_SECS", 0.2)
    second = await ForkClient.open(origin)
    assert second.pid != first.pid
    assert not alive(first.pid)
    assert (await second.prepare(Load()))["threads"] == 1
    await second.end()


async def test_one_that_still_loads_is_waited_for(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await ForkClient.open(origin)
    first.part()
    monkeypatch.setattr(module, "_ASK_SECS", 0.05)
    monkeypatch.setattr(module, "_ASKS", 1200)
    config = resolve("simulated").model_dump(mode="json", exclude_none=True)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) as sock:
        sock.connect(str(fork_socket(origin.run)))
        send_blocking(sock, {"op": "prepare", "id": 1, "configs": [config]})
        second = await ForkClient.open(origin)
    assert second.pid == first.pid
    await second.end()


async def test_one_that_hangs_awake_is_replaced_too(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await ForkClient.open(origin)
    first.part()
    monkeypatch.setattr(module, "_ASK_SECS", 0.05)
    monkeypatch.setattr(module, "_ASKS", 2)

    def asleep(_: int) -> str:
        return "S"

    monkeypatch.setattr(module, "process_state", asleep)
    os.kill(first.pid, signal.SIGSTOP)
    second = await ForkClient.open(origin)
    assert second.pid != first.pid
    await second.end()


async def test_one_that_was_started_is_not_mistaken_for_the_one_that_keeps_it_out(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(origin.run) as old, old.talk() as talk:
        assert talk.get("status")["pid"] == old.process.pid

        async def nobody(*_: object) -> None:
            """It came when it had been looked for."""

        monkeypatch.setattr(ForkClient, "_find", nobody)
        with pytest.raises(ForkError, match="ended as soon"):
            await ForkClient.open(origin)
        assert talk.get("status")["pid"] == old.process.pid
