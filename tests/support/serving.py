"""A real `offhook serve` in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

READY_SECS = 90.0


@dataclass(frozen=True)
class Served:
    """A server that answers."""

    url: str
    data_dir: Path
    process: subprocess.Popen[bytes]

    def client(self, **headers: str) -> httpx.Client:
        """An HTTP client of this server."""
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    data_dir: Path, *arguments: str, prefix: tuple[str, ...] = (), port: int = 0
) -> Generator[Served]:
    """Serve until the block ends; the server's own words go to `data_dir`/server.log.

    Args:
        data_dir: Where records and the log go.
        arguments: More of `offhook serve`.
        prefix: A command to run it through, such as `ip netns exec NAME`.
        port: Where, if that matters to the test.
    """
    port = port or free_port()
    command = [*prefix, sys.executable, "server.py", "serve", "--port", str(port)]
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--data", str(data_dir), *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"ORT_DISABLE_TELEMETRY": "1"},
        )
        try:
            _await_ready(f"http://127.0.0.1:{port}", process, data_dir / "server.log", prefix)
            yield Served(f"http://127.0.0.1:{port}", data_dir, process)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_ready(
    url: str, process: subprocess.Popen[bytes], log: Path, prefix: tuple[str, ...]
) -> None:
    deadline = time.monotonic() + READY_SECS
    probe = [*prefix, "curl", "--silent", "--fail", "--noproxy", "*", f"{url}/healthz"]
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"the server ended:\n{log.read_text()}")
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(f"the server was not ready in time:\n{log.read_text()}")
