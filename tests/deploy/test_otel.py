"""The collector listens where Offhook's documentation sends traces."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]


def test_the_example_takes_what_is_sent() -> None:
    told = yaml.safe_load((ROOT / "deploy" / "otel" / "collector.yml").read_text("utf-8"))
    address = told["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{address}" in (
        ROOT / "docs" / "observe.md"
    ).read_text("utf-8")
    traces = told["service"]["pipelines"]["traces"]
    assert set(traces["receivers"]) <= set(told["receivers"])
    assert set(traces["exporters"]) <= set(told["exporters"])
