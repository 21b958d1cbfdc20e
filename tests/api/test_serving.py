"""The server's own process, as the kernel sees it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import httpx
import pytest

from hosts.rundir import run_dir
from hosts.urgency import Rank, may_take_real_time
from tests.support.processes import fork_server_pid, until
from tests.support.serving import serving

pytestmark = pytest.mark.integration

_REQUESTS = 50


def rank_of(pid: int) -> int:
    return os.sched_getparam(pid).sched_priority


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_the_server_answers_before_calls_that_listen_unless_it_is_asked_without_end(
    tmp_path: Path,
) -> None:
    if not may_take_real_time():
        pytest.skip("needs the right to real-time priority (RLIMIT_RTPRIO of 3, or root)")

    def asked(http: httpx.Client) -> bool:
        for _ in range(_REQUESTS):
            http.get("/healthz")
        return rank_of(served.process.pid) == Rank.RESTS

    with serving(tmp_path, "--pipeline", "simulated") as served, served.client() as http:
        until(lambda: rank_of(served.process.pid) == Rank.OWES)
        fork_server = fork_server_pid(run_dir(tmp_path))
        assert fork_server
        assert rank_of(fork_server) == Rank.RESTS
        until(lambda: asked(http))
        until(lambda: rank_of(served.process.pid) == Rank.OWES)
