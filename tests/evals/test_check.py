"""`offhook check --live` asks each provider once; on the scripted pipeline and on the local one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from evals.check import run_check
from pipelines.config import missing, resolve
from providers.models import ModelStore

pytestmark = pytest.mark.integration


def _live(preset: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "server.py", "check", preset, "--live"]
    return subprocess.run(
        command, env=os.environ | env, capture_output=True, text=True, check=False
    )


def test_a_pipeline_that_can_run_is_ready(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_check(["simulated"], ModelStore(env=os.environ, offline=True), live=False) == 0
    assert capfd.readouterr().out.split()[:2] == ["simulated", "ready"]


def test_scripted_providers_answer() -> None:
    run = _live("simulated")
    assert run.returncode == 0, run.stderr
    told = [line.split() for line in run.stdout.splitlines()[1:]]
    assert [line[:2] for line in told] == [[stage, "simulated"] for stage in ("stt", "llm", "tts")]
    assert all(line[3] == "ms" for line in told)


def test_local_providers_hear_each_other() -> None:
    lacking = missing(resolve("local"), ModelStore(offline=True, env=os.environ).missing)
    if lacking:
        pytest.skip(f"needs the local pipeline: {' '.join(lacking)}")
    run = _live("local")
    assert run.returncode == 0, run.stderr
    heard = run.stdout.splitlines()[1].lower()
    assert "this is a test of the line" in heard
