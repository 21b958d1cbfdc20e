"""A process is killed by its number only if it is still the one that was meant."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hosts.identity import kill_noted, note, started_ticks

pytestmark = pytest.mark.integration


def test_the_process_that_was_noted_is_killed_and_then_it_is_gone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        note(tmp_path / "it", process.pid)
        assert kill_noted(tmp_path / "it") == process.pid
        assert process.wait() == -signal.SIGKILL
    assert started_ticks(process.pid) is None
    assert kill_noted(tmp_path / "it") is None


def test_another_process_of_the_same_number_is_left_alone(tmp_path: Path) -> None:
    note(tmp_path / "it", os.getpid())
    noted = (tmp_path / "it").read_text().split()
    assert noted == [str(os.getpid()), str(started_ticks(os.getpid()))]
    (tmp_path / "it").write_text(f"{noted[0]} {int(noted[1]) - 1}")
    assert kill_noted(tmp_path / "it") is None


@pytest.mark.parametrize("torn", ["", "12", "12 None", "\xff"])
def test_a_note_that_is_torn_names_nobody(tmp_path: Path, torn: str) -> None:
    (tmp_path / "it").write_text(torn)
    with pytest.raises(ValueError):
        kill_noted(tmp_path / "it")
