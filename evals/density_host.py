"""A host on a core of its own: Offhook's server, or every call in one process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import httpx

from errors import OffhookError
from evals.density_procs import Process, leaves, pinned, pss_bytes, tree
from providers.base import VENDORS

Kind = Literal["offhook", "one_process"]
PIPELINE = """\
summary = "A cloud pipeline that waits for no silence: for measuring."
slots = 1

[turn]
commit = "stable"
vote = false
hold_ms = 0
speculate = false
filler = false

[stt]
provider = "deepgram"

[llm]
provider = "groq"

[tts]
provider = "cartesia"
"""
"""Turns end with their last transcript, as in the `bare` call of the latency bench."""
_READY_SECS = 120.0
_STOP_SECS = 30.0
_BUSY = 0.01
"""Of a core; a process that used less since the last look has no call."""


@dataclass
class Host:
    """A host that answers."""

    url: str
    pid: int
    kind: Kind
    _seen: dict[int, float] = field(default_factory=dict[int, float])

    def processes(self) -> list[Process]:
        """The host's own and those of its calls."""
        return tree(self.pid, known=self._seen)

    def cpu_secs(self) -> Mapping[int, float]:
        """What each process has used so far."""
        self._seen = {process.pid: process.cpu_secs for process in self.processes()}
        return self._seen

    def memory_mb(self, before: Mapping[int, float], secs: float) -> list[float]:
        """Proportional memory of each process of a call: those that were busy since `before`.

        Args:
            before: What each process had used then, by pid.
            secs: How long ago that was.
        """
        now = self.cpu_secs()
        children = leaves(self.processes(), self.pid)
        used = {pid: now[pid] - before.get(pid, now[pid]) for pid in children if pid in now}
        busy = [pid for pid, used_secs in used.items() if used_secs > _BUSY * secs]
        return [pss_bytes(pid) / 2**20 for pid in busy]


@contextmanager
def hosting(
    kind: Kind, folder: Path, *, vendors: str, cores: set[int], options: tuple[str, ...] = ()
) -> Generator[Host]:
    """Serve until the block ends; what the host says goes to `folder`/host.log.

    Args:
        kind: Which host.
        folder: Where its records and its log go.
        vendors: URL of the simulated vendors.
        cores: The only cores that it and its calls may use.
        options: More of `offhook serve`.

    Raises:
        OffhookError: It does not start; the message names its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pipeline = folder / "bare.toml"
    pipeline.write_text(PIPELINE)
    port = _free_port()
    command = _command(kind, port=port, folder=folder, pipeline=pipeline) + list(options)
    environment = os.environ | {VENDORS: vendors, "DAILY_API_KEY": "simulated"}  # noqa: TID251 - handed on
    environment |= {"OFFHOOK_LOG_LEVEL": "WARNING", "ORT_DISABLE_TELEMETRY": "1"}
    environment.pop("DAILY_API_URL", None)
    with (folder / "host.log").open("wb") as log, pinned(cores):
        process = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[1],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _await(url, process, folder / "host.log")
        yield Host(url, process.pid, kind)
    finally:
        _stop(process)


def _command(kind: Kind, *, port: int, folder: Path, pipeline: Path) -> list[str]:
    if kind == "one_process":
        module = [sys.executable, "-m", "evals.density_one"]
        return [*module, str(port), str(pipeline), str(folder)]
    serve = [sys.executable, "-m", "server", "serve", "--offline", "--port", str(port)]
    return [*serve, "--pipeline", str(pipeline), "--also", "none", "--data", str(folder)]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _READY_SECS
    with httpx.Client(base_url=url, timeout=5, trust_env=False) as http:
        while time.monotonic() < until and process.poll() is None:
            try:
                if http.get("/healthz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.2)
    raise OffhookError(f"The host did not start; see {log}.", code="no_host")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End it; the second signal ends a server that waits for calls."""
    for stop in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
        process.send_signal(stop)
        try:
            process.wait(_STOP_SECS / 3)
        except subprocess.TimeoutExpired:
            continue
        return
