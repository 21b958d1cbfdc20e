"""The server's own process, as the kernel sees it."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hosts.rundir import run_dir
from hosts.urgency import PRIORITIES, Rank, may_take_real_time
from tests.support.processes import fork_server_pid, shoot, until
from tests.support.serving import Served, serving

pytestmark = pytest.mark.integration

_ASKING, _REQUESTS = 4, 50


def rank_of(pid: int) -> int:
    return os.sched_getparam(pid).sched_priority


def ask_without_end(served: Served) -> bool:
    """Whether the server has no rank after many requests at once."""

    def ask(_: int) -> None:
        with served.client() as http:
            for _ in range(_REQUESTS):
                http.get("/healthz")

    with ThreadPoolExecutor(_ASKING) as pool:
        list(pool.map(ask, range(_ASKING)))
    return rank_of(served.process.pid) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_the_server_answers_among_the_first_unless_it_is_asked_without_end(tmp_path: Path) -> None:
    if not may_take_real_time():
        pytest.skip("needs the right to real-time priority (RLIMIT_RTPRIO of 2, or root)")
    run = run_dir(tmp_path)
    with serving(tmp_path, "--pipeline", "simulated") as served:
        until(lambda: rank_of(served.process.pid) == PRIORITIES[Rank.OWES])
        first = fork_server_pid(run)
        assert first
        shoot(first)
        seen = [first]

        def begun_again() -> bool:
            seen.append(fork_server_pid(run) or first)
            return seen[-1] != first

        until(begun_again)
        # By a server that has its rank.
        assert rank_of(seen[-1]) == 0
        until(lambda: ask_without_end(served))
        until(lambda: rank_of(served.process.pid) == PRIORITIES[Rank.OWES])
