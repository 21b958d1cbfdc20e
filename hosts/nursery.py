"""Where the calls' processes come from: keeps the fork server alive, and some children warm."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from loguru import logger

from bots.plan import CallPlan
from errors import OffhookError
from hosts.channel import ChannelClosedError
from hosts.fork_client import ForkClient, Load, Origin
from hosts.forkserver import CHILD, IDLE_SECS, ForkError
from hosts.heirs import Heirs
from hosts.offspring import Child
from hosts.urgency import may_take_real_time
from pipelines.config import PipelineConfig

__all__ = ["Child", "Metrics", "Nursery", "Recipe"]

TAKE_SECS = 10.0
"""How long a call waits for a process."""
WARM_SECS = 60.0
"""How long a child may take to build its stages."""
_FORK_SECS = 5.0
"""How long the fork server may take for a fork before it counts as dead."""
_SETTLE_SECS = 0.25
"""Without a call being given its process, after which warm children are made."""
_RETRY_SECS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_SECS = 60.0
"""A fork server that lived so long is started again at once when it dies."""


@dataclass(frozen=True)
class Recipe:
    """What warm children are built for."""

    plan: dict[str, Any]
    """`CallPlan.to_json()`."""
    site: dict[str, Any]
    """`LocalSite.snapshot()` for the plan's pipeline."""
    records: str | None = None
    """Folder of all records, beside which the bot's greeting is kept; None: it is not made."""

    def digest(self) -> str:
        """What calls they serve: `CallPlan.digest()`."""
        return CallPlan.from_json(self.plan).digest()


@dataclass
class Metrics:
    """What a nursery counts."""

    forks: int = 0
    """Children forked."""
    warm_waiting: int = 0
    """Warm children that wait for a call."""
    restarts: int = 0
    """Times the fork server died and was started again."""


class Nursery:
    """Gives each call a process. An async context manager: leaving it ends the fork server.

    Children that were taken go on, whatever happens here.

    Args:
        run: The run directory.
        warm: Children that wait with their stages built.
        log_level: Of the children.
        child: What a child runs, as `module:function`.
        idle_secs: How long the fork server stays without us.

    Attributes:
        leave_running: Whether leaving the context leaves the fork server to its idle limit.
        metrics: What is counted.
        heirs: The calls of an earlier server.
    """

    def __init__(
        self,
        run: Path,
        *,
        warm: int,
        log_level: str,
        child: str = CHILD,
        idle_secs: float = IDLE_SECS,
    ) -> None:
        self.leave_running = False
        self.metrics = Metrics()
        self.heirs = Heirs(run)
        self._origin = Origin(run, log_level, child, idle_secs)
        self._load = Load()
        self._target = warm
        self._recipe: Recipe | None = None
        self._digest: str | None = None
        self._pool: list[Child] = []
        self._names: set[str] = set()
        self._server: ForkClient | None = None
        self._up = asyncio.Event()
        self._wanted = asyncio.Event()
        self._taking = 0
        self._taken_at_secs = 0.0
        self._first: asyncio.Future[None] | None = None
        self._tasks = asyncio.TaskGroup()
        self._watchers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Nursery:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        # The watchers are done; what failed inside the block is raised as it is, not in a group.
        await self._tasks.__aexit__(None, None, None)
        for child in self._pool:
            _give_up(child)
        self._pool.clear()
        if self._server is None:
            return
        if self.leave_running:
            self._server.part()
        else:
            await self._server.end()

    @property
    def pid(self) -> int | None:
        """The fork server's process number; None while it is being started."""
        return self._server.pid if self._server and self._up.is_set() else None

    @property
    def waiting(self) -> tuple[Child, ...]:
        """The warm children that wait for a call."""
        return tuple(self._pool)

    async def prepare(
        self, configs: Sequence[PipelineConfig], weights: Mapping[str, Path], recipe: Recipe | None
    ) -> None:
        """Have everything loaded that calls of these pipelines need, and children made warm.

        Returns when calls can be given processes; warm ones come a moment later.

        Args:
            configs: The pipelines.
            weights: Folders of the models they use, by name.
            recipe: What warm children build in advance; with None they only wait.

        Raises:
            OffhookError: The fork server does not come up; it is tried again nevertheless.
        """
        self._load = Load(tuple(configs), dict(weights))
        self._recipe = recipe
        self._digest = recipe.digest() if recipe else None
        for child in self._pool:
            child.kill()
        if self._first is None:
            self._first = asyncio.get_running_loop().create_future()
            self._watch(self._keep_alive())
            self._watch(self._keep_warm())
            await asyncio.shield(self._first)
        elif self._server and self._up.is_set():
            await self._prepare_again(self._server)
        self._wanted.set()

    async def take(self, *, digest: str | None = None) -> Child:
        """A process for a call: a warm one for plans of that digest, else one forked now.

        Waits while the fork server is being started again.

        Raises:
            OffhookError: There is none to be had within 10 s, code `no_process`.
        """
        for child in self._pool:
            if child.digest == digest and not child.channel.closed:
                self._leave(child)
                self._taken()
                return child
        self._taking += 1
        try:
            return await self._fork()
        finally:
            self._taking -= 1
            self._taken()

    async def adopt(self) -> list[Child]:
        """The processes of calls that an earlier server left, at most 2 s later.

        Asked again it looks only for those that did not answer; see `heirs`.
        """
        found = await self.heirs.find(ours=self._names)
        self._names.update(child.name for child in found)
        return found

    def _watch(self, work: Coroutine[Any, Any, None]) -> None:
        self._watchers.append(self._tasks.create_task(work))

    async def _keep_alive(self) -> None:
        """Start the fork server, again and again, until cancelled."""
        loop = asyncio.get_running_loop()
        deaths = 0
        while True:
            began_secs = loop.time()
            try:
                await self._serve()
                logger.error("the fork server died; it is started again, and calls go on")
            except OffhookError as error:
                logger.error("the fork server did not start: {}", error.message)
                self._fail_first(error)
            except Exception as error:  # noqa: BLE001 - the calls must not end with it
                logger.exception("the fork server did not start")
                self._fail_first(ForkError(f"The fork server did not start: {error}"))
            deaths = 0 if loop.time() - began_secs > _STEADY_SECS else deaths
            await asyncio.sleep(_RETRY_SECS[min(deaths, len(_RETRY_SECS) - 1)])
            self.metrics.restarts += 1
            deaths += 1

    def _fail_first(self, error: OffhookError) -> None:
        if self._first and not self._first.done():
            self._first.set_exception(error)

    async def _serve(self) -> None:
        """One life of the fork server."""
        server = self._server = await ForkClient.open(self._origin)
        try:
            told = await server.prepare(self._load)
            logger.info(
                "the fork server is ready: {} MB; its calls {} have real-time priority",
                told["rss_bytes"] // 1_000_000,
                "may" if may_take_real_time() else "may not (docs/operate.md)",
            )
            self._up.set()
            # Whoever prepared may have been told that it failed.
            self._wanted.set()
            if self._first and not self._first.done():
                self._first.set_result(None)
            await server.gone.wait()
        except Exception:
            await server.end()
            raise
        finally:
            self._up.clear()
        # One that lives on without a connection would keep its successor out.
        await server.end()

    async def _prepare_again(self, server: ForkClient) -> None:
        self._up.clear()
        try:
            await server.prepare(self._load)
        except OffhookError:
            server.kill()
            raise
        self._up.set()

    async def _fork(self) -> Child:
        try:
            async with asyncio.timeout(TAKE_SECS):
                while True:
                    await self._up.wait()
                    assert self._server
                    if child := await self._fork_from(self._server):
                        return child
        except TimeoutError as error:
            raise ForkError(
                "There is no process for the call: the fork server is not up. Try again soon."
            ) from error

    async def _fork_from(self, server: ForkClient) -> Child | None:
        """A new child; None if the fork server died over it."""
        name = secrets.token_hex(8)
        try:
            child = await server.fork(self._origin, name, timeout_secs=_FORK_SECS)
        except ChannelClosedError:
            # One that hangs is as good as dead.
            server.kill()
            self._up.clear()
            return None
        self.metrics.forks += 1
        self._names.add(name)
        self._watch_exit(child)
        return child

    def _watch_exit(self, child: Child) -> None:
        async def gone() -> None:
            await child.exited.wait()
            self._names.discard(child.name)
            if child in self._pool:
                self._leave(child)
                self._wanted.set()

        task = self._tasks.create_task(gone())
        self._watchers.append(task)
        task.add_done_callback(self._watchers.remove)

    def _taken(self) -> None:
        self._taken_at_secs = asyncio.get_running_loop().time()
        self._wanted.set()

    def _leave(self, child: Child) -> None:
        self._pool.remove(child)
        self.metrics.warm_waiting = len(self._pool)

    async def _keep_warm(self) -> None:
        """Make children while there are too few, one at a time, when no call is being given one."""
        failures = 0
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while len(self._pool) < self._target:
                await self._quiet()
                try:
                    await self._raise_one()
                    failures = 0
                except Exception as error:  # noqa: BLE001 - the calls must not end with it
                    logger.warning("a child did not get warm: {!r}", error)
                    failures += 1
                    await asyncio.sleep(_RETRY_SECS[min(failures, len(_RETRY_SECS) - 1)])

    async def _quiet(self) -> None:
        clock = asyncio.get_running_loop().time
        while self._taking or clock() - self._taken_at_secs < _SETTLE_SECS:  # noqa: ASYNC110
            await asyncio.sleep(_SETTLE_SECS)
        await self._up.wait()

    async def _raise_one(self) -> None:
        """Fork a child, have it build its stages, and keep it.

        Raises:
            OffhookError: It could not, or not in time.
        """
        recipe, digest = self._recipe, self._digest
        child = await self._fork()
        try:
            if recipe:
                await _prebuild(child, recipe)
        except BaseException:
            _give_up(child)
            raise
        if recipe is not self._recipe or child.exited.is_set():
            _give_up(child)
            return
        child.warm, child.digest = recipe is not None, digest
        self._pool.append(child)
        self.metrics.warm_waiting = len(self._pool)


def _give_up(child: Child) -> None:
    """End one that has no call."""
    child.kill()
    child.part()


async def _prebuild(child: Child, recipe: Recipe) -> None:
    """Have the child build, and wait until it has."""
    told: set[str] = set()
    heard = asyncio.Event()

    def hear(message: dict[str, Any]) -> None:
        if message["op"] in ("warm", "cold"):
            told.add(message["op"])
            heard.set()

    child.on_message = hear
    try:
        await child.channel.ask("prebuild", **asdict(recipe))
        async with asyncio.timeout(WARM_SECS), asyncio.TaskGroup() as group:
            ends = [group.create_task(event.wait()) for event in (heard, child.exited)]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()
    except TimeoutError as error:
        raise ForkError(f"It was not ready within {WARM_SECS:.0f} s.") from error
    finally:
        child.on_message = None
    if "warm" not in told:
        how = "could not build its stages; the log says why" if told else "ended over its stages"
        raise ForkError(f"It {how}.")
