"""Everything a server needs to run calls, put together once: weights, sidecars, host, records."""

from __future__ import annotations

import asyncio
import importlib
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType

from loguru import logger

from bots.bot import bot_names, load_bot
from bots.plan import CallPlan
from errors import MissingError, OffhookError
from hosts.admission import Admission, default_slots
from hosts.host import Host, Session
from hosts.sidecars import Sidecars
from hosts.site import LocalSite
from hosts.transports import Transports, TransportSettings
from pipelines.config import PipelineConfig, missing, preset_names, resolve
from providers.kinds import Opening
from providers.models import ModelStore
from records.record import FolderStore


class House:
    """An async context manager: inside it calls are taken."""

    def __init__(
        self,
        *,
        models: ModelStore,
        data_dir: Path,
        pipeline: str | Path,
        slots: int | None = None,
        transports: TransportSettings | None = None,
    ) -> None:
        self.default = resolve(pipeline)
        self._default_source = pipeline
        self._models = models
        self._data_dir = data_dir
        self._records = FolderStore(data_dir / "calls")
        self._sidecars = Sidecars()
        self._site = LocalSite(models, self._sidecars)
        self._stack = AsyncExitStack()
        self.transports = Transports(transports)
        self.host = Host(self._run, admission=Admission(slots or default_slots()))

    async def __aenter__(self) -> House:
        await asyncio.to_thread(self._records.close_orphans)
        await self._stack.enter_async_context(self._sidecars)
        await self._stack.enter_async_context(self.transports)
        await self._stack.enter_async_context(self.host)
        await self._warm_default()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    def pipeline(self, name: str | None) -> str | Path:
        """What to resolve for a caller who wishes that pipeline, or none in particular."""
        return name if name and name != self.default.name else self._default_source

    def pipelines(self) -> list[PipelineConfig]:
        """Every pipeline that can be wished for, the default first."""
        others = [name for name in preset_names() if name != self.default.name]
        return [self.default, *(resolve(name) for name in others)]

    def lacks(self, config: PipelineConfig) -> list[str]:
        """What this machine lacks for `config`, a sentence each."""
        return missing(config, self._models.missing)

    async def ready(self, plan: CallPlan) -> None:
        """Start what the plan needs beside the call.

        Raises:
            ConfigError: The room may not be joined.
            MissingError: Something is absent; the message names all of it.
        """
        if plan.room is not None:
            self.transports.check_room(plan.room)
        absent = self.transports.lacks(plan.transport)
        if absent:
            raise MissingError(" ".join(absent), field="transport")
        # It may try whether a server answers, which blocks.
        lacking = await asyncio.to_thread(self.lacks, plan.config)
        if lacking:
            raise MissingError(" ".join(lacking))
        await self._site.prepare(plan.config)

    def admit(self, plan: CallPlan) -> Session:
        """Take the plan's slots and begin to open its line.

        Raises:
            FullError: No slots are free, or the server is stopping.
        """
        return self.host.admit(plan, self.transports.line(plan))

    async def _warm_default(self) -> None:
        """Make the first call as quick as the second, if the default pipeline can run here."""
        config = self.default
        lacking = await asyncio.to_thread(self.lacks, config)
        if lacking:
            logger.warning("the pipeline {} is not ready: {}", config.name, " ".join(lacking))
            return
        try:
            await asyncio.gather(
                self._site.prepare(config), asyncio.to_thread(_import_pipeline, config)
            )
            await config.llm.warm(self._site, await asyncio.to_thread(self._openings))
        except OffhookError as error:
            logger.error("the pipeline {} did not start: {}", config.name, error.message)

    def _openings(self) -> tuple[Opening, ...]:
        """What each bot's model will have been told when a caller speaks, the default bot first."""
        return tuple(load_bot(name).opening(self._state_dir(name)) for name in bot_names())

    def _state_dir(self, bot: str) -> Path:
        return self._data_dir / "bots" / bot

    async def _run(self, session: Session) -> None:
        from bots.call import Surroundings, run

        plan, line = session.plan, session.line
        around = Surroundings(
            site=self._site,
            records=self._records,
            state_dir=self._state_dir(plan.bot.name),
            alive=line.alive,
            hung_up=session.hung_up,
        )
        await run(plan, line.transport(), around)


def _import_pipeline(config: PipelineConfig) -> None:
    """Import what a call imports and run its lazy set-up, seconds that no caller should wait."""
    importlib.import_module("bots.call")
    importlib.import_module("pipelines.turns").rehearse(config.turn)
