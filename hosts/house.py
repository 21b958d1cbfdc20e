"""Everything a server needs to run calls, put together once: weights, sidecars, host, records."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from types import TracebackType

from loguru import logger
from pydantic import JsonValue

from bots.plan import CallPlan, plan_call
from errors import MissingError, OffhookError
from hosts.admission import Admission, AdmissionSettings, default_slots
from hosts.drain import DEFAULT_SECS, Drain
from hosts.host import Host
from hosts.nursery import Nursery, Recipe
from hosts.rundir import run_dir
from hosts.session import Errands, Session
from hosts.sidecars import Sidecars
from hosts.site import LocalSite
from hosts.tenure import Tenure
from hosts.transports import Transports, TransportSettings
from hosts.warming import warm_model
from hosts.watch import Watch
from pipelines.config import PipelineConfig, check_name, missing, preset_names, resolve
from providers.models import ModelStore
from records.levels import Levels
from records.record import FolderStore

_LOOKS = 4
"""How often the calls of an earlier server that do not answer are asked again."""
_LOOK_SECS = 2.0
"""Before each of these; they may take as long again to answer."""
_AGAIN_SECS = (30.0, 60.0, 120.0, 300.0, 600.0)
"""Before each new try of a default pipeline that did not start; the last goes on."""
DEFAULT_WARM = 2
"""How many processes wait for a caller, with the default pipeline built: a second caller may come
while the next process is made."""


@dataclass(frozen=True)
class HouseSettings:
    """How callers come in, how many there may be, how calls begin and how they end."""

    transports: TransportSettings | None = None
    """STUN and TURN, Daily, LiveKit, Twilio."""
    pipelines: tuple[str, ...] | None = None
    """Presets that callers may name beside the default; all if None. The calls' processes load
    only what these need."""
    slots: int | None = None
    """Of this machine; four a core if None."""
    admission: AdmissionSettings = field(default_factory=AdmissionSettings)
    """Who is let in, beside the slots."""
    warm: int | None = None
    """How many processes wait for a caller; if None two, or one where there is one slot."""
    drain_secs: float = DEFAULT_SECS
    """How long live calls may go on when the server is told to stop."""
    log_level: str = "INFO"
    """Of the calls' processes."""

    @property
    def waiting(self) -> int:
        """How many processes wait for a caller."""
        if self.warm is not None:
            return self.warm
        return min(DEFAULT_WARM, self.slots or default_slots())


class House:
    """An async context manager: inside it calls are taken.

    Args:
        models: The weights of this machine.
        data_dir: Where records and what the bots keep go.
        pipeline: Of calls that name none.
        settings: How callers come in, how many, how calls begin and end.
        watch: Told of each call.

    Raises:
        ConfigError: The pipeline cannot be used.
        NotFoundError: There is no such preset.
    """

    _why_cold = ""

    def __init__(
        self,
        *,
        models: ModelStore,
        data_dir: Path,
        pipeline: str | Path,
        settings: HouseSettings | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.default = resolve(pipeline)
        self._default_source = pipeline
        self._models = models
        self._data_dir = data_dir.resolve()
        self._records = FolderStore(self._data_dir / "calls")
        settings = settings or HouseSettings()
        self._others = _presets(settings.pipelines, but=self.default.name)
        run = run_dir(data_dir)
        self._tenure = Tenure(run)
        self._sidecars = Sidecars(run)
        self._site = LocalSite(models, self._sidecars)
        self._stack = AsyncExitStack()
        self._settled = asyncio.Event()
        """Set when everything that is done before the first call was done, or failed."""
        self._default_runs = asyncio.Event()
        """Set when a call found all that the default pipeline needs."""
        self.transports = Transports(settings.transports, run=run)
        self.nursery = Nursery(run, warm=settings.waiting, log_level=settings.log_level)
        errands = Errands(
            prepare=self.ready,
            brief=self._brief,
            bury=self._records.bury,
            reopen=self.transports.reopen,
        )
        self.host = Host(
            self.nursery,
            errands,
            admission=Admission(settings.slots or default_slots(), settings=settings.admission),
            drain=Drain(settings.drain_secs),
            watch=watch,
        )

    async def __aenter__(self) -> House:
        try:
            await self._move_in()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    def pipeline(self, name: str | None) -> str | Path:
        """What to resolve for a caller who wishes that pipeline, or none in particular.

        Raises:
            NotFoundError: Callers may not name it here.
        """
        if not name or name == self.default.name:
            return self._default_source
        check_name(name, [self.default.name, *self._others])
        return name

    def pipelines(self) -> list[PipelineConfig]:
        """Every pipeline that can be wished for, the default first."""
        return [self.default, *map(resolve, self._others)]

    def lacks(self, config: PipelineConfig) -> list[str]:
        """What this machine lacks for `config`, a sentence each."""
        return missing(config, self._models.missing)

    async def ready(self, plan: CallPlan) -> None:
        """Start what the plan needs beside the call.

        Raises:
            MissingError: Something is absent; the message names all of it.
        """
        # It may try whether a server answers, which blocks.
        lacking = await asyncio.to_thread(self.lacks, plan.config)
        if lacking:
            raise MissingError(" ".join(lacking))
        await self._site.prepare(plan.config)
        if plan.config.name == self.default.name:
            self._default_runs.set()

    async def admit(self, plan: CallPlan, *, key: str | None = None) -> Session:
        """Take the plan's slots and begin to open its line; see `Host.admit`.

        Raises:
            ConfigError: The room may not be joined.
            MissingError: The transport cannot be used here.
            FullError: No slots are free.
            DrainingError: The server is stopping.
        """
        if plan.room is not None:
            self.transports.check_room(plan.room)
        absent = self.transports.lacks(plan.transport)
        if absent:
            raise MissingError(" ".join(absent), field="transport")
        return await self.host.admit(plan, self.transports.line(plan), key=key)

    def levels(self) -> Levels:
        """How full the server is now."""
        admission, forked = self.host.admission, self.nursery.metrics
        return Levels(
            asyncio_tasks=len(asyncio.all_tasks()),
            slots=admission.slots,
            slots_taken=admission.taken,
            callers_waiting=admission.waiting,
            warm_processes=forked.warm_waiting,
            forks=forked.forks,
            fork_server_restarts=forked.restarts,
        )

    def unready(self) -> list[str]:
        """Why a call that comes now is not taken, a code each; nothing if it is."""
        admission = self.host.admission
        reasons = {
            "draining": self.host.drain.begun,
            "starting": not self._settled.is_set(),
            "no_process": self.nursery.pid is None,
            "full": admission.taken >= admission.slots,
            "busy_quality": admission.shut,
        }
        return [reason for reason, holds in reasons.items() if holds]

    async def _move_in(self) -> None:
        """Find what an earlier server left, before anybody can call; then get ready."""
        enter = self._stack.enter_async_context
        self._stack.enter_context(self._tenure)
        await enter(self._sidecars)
        await enter(self.transports)
        await enter(self.nursery)
        await enter(self.host)
        adopted = await self.host.adopt(await self.nursery.adopt())
        group = await enter(asyncio.TaskGroup())
        tidying = group.create_task(self._tidy())
        self._stack.callback(tidying.cancel)
        warming = group.create_task(self._keep_default_warm())
        self._stack.callback(warming.cancel)
        if adopted:
            logger.warning("{} calls of an earlier server go on", adopted)
            return
        ends = {group.create_task(it.wait()) for it in (self._settled, self.host.drained)}
        for end in ends:
            self._stack.callback(end.cancel)
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)

    async def _keep_default_warm(self) -> None:
        """Make the first call as quick as the second, as soon as the default pipeline can run."""
        try:
            recipe = await self._recipe()
            # Other pipelines and bots need processes whatever becomes of the default.
            await self._warm_up(recipe)
        finally:
            self._settled.set()
        pauses_secs = chain(_AGAIN_SECS, repeat(_AGAIN_SECS[-1]))
        while recipe is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(next(pauses_secs)):
                    await self._default_runs.wait()
            self._default_runs.clear()
            recipe = await self._recipe()
            if recipe:
                await self._warm_up(recipe)

    async def _warm_up(self, recipe: Recipe | None) -> None:
        config = self.default
        try:
            await self._prepare_processes(recipe)
            if recipe:
                await warm_model(config, recipe.site, bots_dir=self._data_dir / "bots")
        except OffhookError as error:
            logger.error("the pipeline {} did not start: {}", config.name, error.message)
        except Exception:  # noqa: BLE001 - calls that go on must not end with it
            logger.exception("the pipeline {} did not start", config.name)

    async def _tidy(self) -> None:
        """Take over late what did not answer, end what never does, close what the dead left."""
        heirs, close_orphans = self.nursery.heirs, self._records.close_orphans
        try:
            await asyncio.to_thread(close_orphans)
            for _ in range(_LOOKS):
                if not heirs.silent:
                    break
                await asyncio.sleep(_LOOK_SECS)
                if late := await self.host.adopt(await self.nursery.adopt()):
                    logger.warning("{} more calls of an earlier server go on", late)
            if await heirs.end():
                await asyncio.to_thread(close_orphans)
            await self.transports.close_left()
        except Exception:  # noqa: BLE001 - calls that go on must not end with it
            logger.exception("what an earlier server left could not be put in order")

    async def _prepare_processes(self, recipe: Recipe | None) -> None:
        """Have the calls' processes made for every pipeline that can run here."""
        configs = await asyncio.to_thread(
            lambda: [config for config in self.pipelines() if not self.lacks(config)]
        )
        names = {name for config in configs for stage in config.stages for name in stage.weights()}
        weights = {name: self._models.weights(name) for name in names}
        await self.nursery.prepare(configs, weights, recipe)

    async def _recipe(self) -> Recipe | None:
        """What warm children build; None, said in the log, if the default cannot run now."""
        config = self.default
        try:
            lacking = await asyncio.to_thread(self.lacks, config)
            if lacking:
                self._tell_cold("WARNING", " ".join(lacking))
                return None
            await self._site.prepare(config)
            plan = plan_call(pipeline=self._default_source)
            site = self._site.snapshot(plan.config)
        except OffhookError as error:
            self._tell_cold("ERROR", error.message)
            return None
        except Exception:  # noqa: BLE001 - a bot's folder may hold anything
            logger.exception("the pipeline {} did not start", config.name)
            return None
        return Recipe(plan=plan.to_json(), site=site, records=str(self._data_dir / "calls"))

    def _tell_cold(self, level: str, why: str) -> None:
        """Log it once, however often it is tried."""
        if why != self._why_cold:
            self._why_cold = why
            logger.log(level, "the pipeline {} is not ready: {}", self.default.name, why)

    def _state_dir(self, bot: str) -> Path:
        return self._data_dir / "bots" / bot

    def _brief(self, plan: CallPlan) -> dict[str, JsonValue]:
        return {
            "site": self._site.snapshot(plan.config),
            "records": str(self._data_dir / "calls"),
            "state_dir": str(self._state_dir(plan.bot.name)),
        }


def _presets(names: Iterable[str] | None, *, but: str) -> list[str]:
    """Those names, all presets if None, each once, without `but`.

    Raises:
        NotFoundError: One is no preset's.
    """
    known = preset_names()
    chosen = known if names is None else list(names)
    for name in chosen:
        check_name(name, known)
    return [name for name in dict.fromkeys(chosen) if name != but]
