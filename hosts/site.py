"""This machine, as a pipeline that is being built sees it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hosts.sidecars import Sidecars
from pipelines.config import PipelineConfig
from providers.models import ModelStore


class LocalSite:
    """Weights from the store, sidecars from this host. A `providers.base.Site`."""

    def __init__(self, models: ModelStore, sidecars: Sidecars) -> None:
        self._models = models
        self._sidecars = sidecars

    def weights(self, name: str) -> Path:
        """Folder of the verified weights `name`."""
        return self._models.weights(name)

    def url(self, sidecar: str) -> str:
        """Base URL of the running sidecar."""
        return self._sidecars.url(sidecar)

    async def prepare(self, config: PipelineConfig) -> None:
        """Start every process that `config` needs and wait until each is ready."""
        for stage in config.stages:
            # It may hash weights that it sees for the first time: a second a gigabyte.
            for sidecar in await asyncio.to_thread(stage.sidecars, self):
                await self._sidecars.start(sidecar)
