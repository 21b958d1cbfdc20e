"""The rules ask only for figures that are told, and every figure is explained."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from records.events import EndReason
from tests.support.figures import LABELS, asked_by, balanced, families, named, series

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
OBSERVE = ROOT / "docs" / "observe.md"


def rules() -> list[dict[str, Any]]:
    """Every rule of the file."""
    told = yaml.safe_load((FOLDER / "rules.yml").read_text("utf-8"))
    return [rule for group in told["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_what_is_told(rule: dict[str, Any]) -> None:
    query = rule["expr"]
    assert named(query) or "up{" in query
    assert named(query) - series() == set()
    assert asked_by(query) - LABELS == set()
    assert balanced(query)
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]


def test_the_reasons_that_a_rule_knows_exist() -> None:
    asked = {
        reason
        for rule in rules()
        for listed in re.findall(r"reason=~\"([^\"]+)\"", rule["expr"])
        for reason in listed.split("|")
    }
    assert asked
    assert asked <= set(get_args(EndReason))


def test_the_example_scrapes_and_takes_the_rules() -> None:
    told = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    assert all((FOLDER / name).is_file() for name in told["rule_files"])
    assert [job["job_name"] for job in told["scrape_configs"]] == ["offhook"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on this machine")
@pytest.mark.parametrize(
    "command", [("check", "rules", "rules.yml"), ("check", "config", "prometheus.yml")]
)
def test_prometheus_own_tool_agrees(command: tuple[str, ...]) -> None:
    subprocess.run(["promtool", *command], cwd=FOLDER, check=True, capture_output=True)


def test_every_figure_is_explained_and_nothing_else() -> None:
    explained = named(OBSERVE.read_text("utf-8"))
    told = families()
    ours = {name for name in told if name.startswith("offhook_")}
    assert ours - explained == set()
    assert explained - series() - set(told) == set()
