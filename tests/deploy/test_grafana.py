"""The dashboard asks only for figures that are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.figures import LABELS, asked_by, balanced, families, named, series

pytestmark = pytest.mark.unit

DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana" / "offhook.json"


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    return json.loads(DASHBOARD.read_text("utf-8"))


def queries(dashboard: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]


def test_each_figure_exists(dashboard: dict[str, Any]) -> None:
    asked = queries(dashboard)
    assert len(asked) > 30
    known = series()
    for query in asked:
        assert named(query), query
        assert named(query) - known == set(), query
        assert asked_by(query) - LABELS == set(), query
        assert balanced(query), query


def test_the_variables_are_those_that_the_queries_use(dashboard: dict[str, Any]) -> None:
    variables = dashboard["templating"]["list"]
    assert {it["name"] for it in variables} == {"datasource", "job", "pipeline"}
    asked = [it["query"]["query"] for it in variables if it["type"] == "query"]
    assert set().union(*map(named, asked)) - series() == set()


def test_it_shows_every_figure_of_ours_but_those_of_the_machinery(
    dashboard: dict[str, Any],
) -> None:
    shown = " ".join(queries(dashboard))
    ours = {name for name in families() if name.startswith("offhook_")}
    machinery = {
        "offhook_asyncio_tasks",
        "offhook_build_info",
        "offhook_call_duration_seconds",
        "offhook_callers_waiting",
        "offhook_children",
        "offhook_fork_server_restarts_total",
        "offhook_forks_total",
    }
    assert {name for name in ours if name not in shown} == machinery


def test_panels_lie_beside_and_below_each_other(dashboard: dict[str, Any]) -> None:
    places: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & places, panel["title"]
        places |= cells
    identifiers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(identifiers)) == len(identifiers)


def test_the_data_source_is_the_readers_own(dashboard: dict[str, Any]) -> None:
    sources = {panel["datasource"]["uid"] for panel in dashboard["panels"] if "datasource" in panel}
    assert sources == {"${datasource}"}
