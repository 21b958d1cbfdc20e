"""A report says the same in its table and in its JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.report import Report, percentile

pytestmark = pytest.mark.unit


def test_percentiles_of_what_was_measured() -> None:
    report = Report()
    report.percentiles("ear_latency_ms", [300, 100, 200], "ms")
    assert report.figures["ear_latency_ms"] == {"p50": 200, "p95": 290, "n": 3, "unit": "ms"}
    assert "ear_latency_ms" in report.table()


def test_nothing_measured_is_no_figure() -> None:
    report = Report()
    report.percentiles("ear_latency_ms", [], "ms")
    assert report.figures == {}


def test_the_file_names_machine_and_commit(tmp_path: Path) -> None:
    report = Report()
    report.value("word_error_rate", 0.03, "ratio")
    report.write(tmp_path / "figures.json")
    written = json.loads((tmp_path / "figures.json").read_text())
    assert written["figures"] == {"word_error_rate": {"value": 0.03, "unit": "ratio"}}
    assert written["machine"]["cores"] > 0
    assert written["commit"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 100))
def test_a_percentile_lies_among_the_values(values: list[float], percent: float) -> None:
    ordered = sorted(values)
    assert ordered[0] - 1e-6 <= percentile(ordered, percent) <= ordered[-1] + 1e-6
