"""The simulated vendors in a process of their own, which tells how late it was itself."""

from __future__ import annotations

import asyncio
import multiprocessing
from multiprocessing.connection import Connection
from types import TracebackType

from evals.simulators.behaviour import Behaviour

_READY_SECS = 60.0
_ANSWER_SECS = 10.0


class VendorProcess:
    """A context manager: inside it the vendors are at `url`."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.url = ""
        spawn = multiprocessing.get_context("spawn")
        self._here, there = spawn.Pipe()
        self._process = spawn.Process(target=_run, args=(behaviour, there), daemon=True)

    def __enter__(self) -> VendorProcess:
        self._process.start()
        if not self._here.poll(_READY_SECS):
            raise TimeoutError("the simulated vendors did not start")
        self.url = str(self._here.recv())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.join(_ANSWER_SECS)

    def late_ms(self) -> list[float]:
        """How late the vendors' loop was at each of its short sleeps since the last time."""
        self._here.send("late")
        return list(self._here.recv()) if self._here.poll(_ANSWER_SECS) else []


def _run(behaviour: Behaviour, pipe: Connection) -> None:
    from records.logs import configure

    configure("WARNING")
    import uvloop

    uvloop.run(_serve(behaviour, pipe))


async def _serve(behaviour: Behaviour, pipe: Connection) -> None:
    from evals.density_lag import LagProbe, spare
    from evals.simulators.vendors import Vendors

    probe, asked = LagProbe(), asyncio.Event()
    async with Vendors(behaviour) as vendors, asyncio.TaskGroup() as group:
        group.create_task(probe.run())
        pipe.send(vendors.url)
        asyncio.get_running_loop().add_reader(pipe.fileno(), asked.set)
        while True:
            await asked.wait()
            asked.clear()
            pipe.recv()
            late_ms = probe.take()
            spare()
            pipe.send(late_ms)
