"""What a host holds while nobody calls: memory, descriptors, tasks, processes, sockets, rooms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import httpx

from evals.density_host import Host
from evals.density_procs import Process, open_files, rss_bytes

TOLERANCE: Mapping[str, float] = {
    "http_memory_bytes": 64 * 1024,
    "fork_server_memory_bytes": 64 * 1024,
    "http_files": 0.5,
    "fork_server_files": 0.5,
    "http_threads": 0.5,
    "http_tasks": 0.5,
    "processes": 0.5,
    "zombies": 0.0,
    "rooms": 0.0,
    "run_sockets": 0.5,
}
"""What is counted, and how much more of it in 100 calls is still nothing."""
_TASKS = re.compile(r"^\S*asyncio_tasks\S* ([\d.]+)$", re.MULTILINE)
_ROOM_KEY = {"Authorization": "Bearer simulated"}


async def census(
    host: Host, http: httpx.AsyncClient, *, run: Path | None, vendors: str
) -> dict[str, float]:
    """Count everything of `TOLERANCE` that this host has.

    Args:
        host: Whose processes.
        http: Of the host.
        run: Its folder of sockets; None if it has none.
        vendors: URL of the simulated vendors.
    """
    processes = host.processes()
    found = _of_processes(host, processes)
    rooms = await http.get(f"{vendors}/daily/v1/rooms", headers=_ROOM_KEY)
    found["rooms"] = rooms.json()["total_count"]
    tasks = _TASKS.search((await http.get("/metrics")).text)
    if tasks:
        found["http_tasks"] = float(tasks[1])
    if run:
        found["run_sockets"] = _sockets(run)
    return found


def _sockets(run: Path) -> float:
    return float(sum(path.is_socket() for path in run.rglob("*")))


def _of_processes(host: Host, processes: list[Process]) -> dict[str, float]:
    found = {
        "http_memory_bytes": float(rss_bytes(host.pid)),
        "http_files": float(open_files(host.pid)),
        "http_threads": float(sum(p.threads for p in processes if p.pid == host.pid)),
        "processes": float(len(processes)),
        "zombies": float(sum(process.state == "Z" for process in processes)),
    }
    parents = {process.parent for process in processes}
    servers = [p.pid for p in processes if p.parent == host.pid and p.pid in parents]
    if servers:
        found["fork_server_memory_bytes"] = float(sum(map(rss_bytes, servers)))
        found["fork_server_files"] = float(sum(map(open_files, servers)))
    return found
