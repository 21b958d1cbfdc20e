"""What the tests of hosts share: one fork server, which takes seconds to get ready."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from hosts.channel import receive_blocking, send_blocking
from hosts.nursery import Nursery
from hosts.rundir import fork_socket, run_dir
from pipelines.config import resolve
from tests.support.processes import connected


@pytest.fixture(scope="session")
def fork_run(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """A run directory whose fork server stays from test to test."""
    run = run_dir(tmp_path_factory.mktemp("fork"))
    yield run
    with connected(fork_socket(run)) as sock:
        if sock:
            send_blocking(sock, {"op": "quit", "id": 1})
            receive_blocking(sock)


@pytest.fixture
async def nursery(fork_run: Path) -> AsyncGenerator[Nursery]:
    """A nursery on the shared fork server, ready for the simulated pipeline."""
    async with Nursery(fork_run, warm=0, log_level="WARNING") as ours:
        ours.leave_running = True
        await ours.prepare([resolve("simulated")], {}, None)
        yield ours
