"""Calls that go on hear at once that somebody comes; the dead and the deaf hold nobody up."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hosts.channel import listen, receive_blocking
from hosts.renewal import renew_all
from hosts.rundir import call_socket, run_dir

pytestmark = pytest.mark.unit


def test_every_call_is_renewed_and_what_is_dead_is_passed_over(tmp_path: Path) -> None:
    run = run_dir(tmp_path)
    assert renew_all(tmp_path) == 0
    listen(call_socket(run, "dead")).close()
    with listen(call_socket(run, "live")) as live, listen(call_socket(run, "other")) as other:
        assert renew_all(tmp_path) == 2
        for listener in (live, other):
            with listener.accept()[0] as connection:
                told = receive_blocking(connection)
                assert told == ({"op": "renew"}, [])
                assert receive_blocking(connection) is None


def test_one_that_does_not_listen_holds_nobody_up(tmp_path: Path) -> None:
    run = run_dir(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as deaf:
        deaf.bind(str(call_socket(run, "deaf")))
        deaf.listen(0)
        fillers = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(str(call_socket(run, "deaf")))
        try:
            assert renew_all(tmp_path) == 0
        finally:
            for filler in fillers:
                filler.close()
