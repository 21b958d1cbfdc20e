"""This machine, as a pipeline that is being built sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from errors import BadRequestError, MissingError
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

    def snapshot(self, config: PipelineConfig) -> dict[str, JsonValue]:
        """All that `config` asks a site for, for a process that has no store and no sidecars.

        Blocks where weights are seen for the first time; after `prepare` it does not.

        Raises:
            MissingError: Weights are not here.
        """
        weights: dict[str, JsonValue] = {}
        urls: dict[str, JsonValue] = {}
        for stage in config.stages:
            weights |= {name: str(self.weights(name)) for name in stage.weights()}
            urls |= {it.name: self.url(it.name) for it in stage.sidecars(self)}
        return {"weights": weights, "urls": urls}


class _Snapshot(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    weights: dict[str, Path] = {}
    urls: dict[str, str] = {}


class FixedSite:
    """A site as it was when its `LocalSite.snapshot` was taken. A `providers.base.Site`.

    Raises:
        BadRequestError: What was given is no snapshot.
    """

    def __init__(self, snapshot: Mapping[str, JsonValue]) -> None:
        try:
            self._taken = _Snapshot.model_validate(dict(snapshot))
        except ValidationError as error:
            raise BadRequestError(
                "This is no snapshot of a site: it has `weights` and `urls`.", code="bad_site"
            ) from error

    def weights(self, name: str) -> Path:
        """Folder of the verified weights `name`."""
        if name not in self._taken.weights:
            raise MissingError(f"The weights {name} are not among those that this call was given.")
        return self._taken.weights[name]

    def url(self, sidecar: str) -> str:
        """Base URL of the running sidecar."""
        if sidecar not in self._taken.urls:
            raise MissingError(f"The sidecar {sidecar} was not running when this call began.")
        return self._taken.urls[sidecar]
