"""What a pipeline asks of this machine can be told to another process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from errors import BadRequestError, MissingError
from hosts.site import FixedSite, LocalSite
from pipelines.config import resolve

pytestmark = pytest.mark.unit


class Store:
    """Weights that are all here."""

    def weights(self, name: str) -> Path:
        return Path("weights") / name


class Running:
    """Sidecars that all run."""

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:9/{name}"


def site() -> LocalSite:
    store: Any = Store()
    running: Any = Running()
    return LocalSite(store, running)


@pytest.mark.parametrize("preset", ["local", "simulated", "cloud"])
def test_a_snapshot_holds_what_the_pipeline_asks_for(preset: str) -> None:
    here, config = site(), resolve(preset)
    fixed = FixedSite(json.loads(json.dumps(here.snapshot(config))))
    for stage in config.stages:
        for name in stage.weights():
            assert fixed.weights(name) == here.weights(name)
        for sidecar in stage.sidecars(here):
            assert fixed.url(sidecar.name) == here.url(sidecar.name)
            assert stage.sidecars(fixed) == stage.sidecars(here)


def test_the_local_pipeline_needs_both() -> None:
    snapshot = site().snapshot(resolve("local"))
    assert snapshot["weights"]
    assert snapshot["urls"]


def test_what_was_not_there_is_named() -> None:
    fixed = FixedSite({"weights": {}, "urls": {}})
    with pytest.raises(MissingError, match="whisper"):
        fixed.weights("whisper")
    with pytest.raises(MissingError, match="piper"):
        fixed.url("piper")


@pytest.mark.parametrize("snapshot", [{"weights": 1}, {"urls": []}, {"more": {}}])
def test_what_is_no_snapshot_is_refused(snapshot: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError):
        FixedSite(snapshot)
