"""A data folder has one server at a time, and anybody can see which."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from errors import ConfigError
from hosts.tenure import HOST_PID, Tenure, holder_pid

pytestmark = pytest.mark.unit

HOLD = """
import sys, time
from pathlib import Path
from hosts.tenure import Tenure
with Tenure(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_it_names_the_process_and_refuses_a_second(tmp_path: Path) -> None:
    with Tenure(tmp_path):
        assert holder_pid(tmp_path) == os.getpid()
        with pytest.raises(ConfigError, match=str(os.getpid())) as refused, Tenure(tmp_path):
            pass
        assert refused.value.code == "data_taken"
    assert holder_pid(tmp_path) is None
    with Tenure(tmp_path):
        pass


def test_nobody_holds_what_never_was(tmp_path: Path) -> None:
    assert holder_pid(tmp_path) is None


def test_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        assert holder_pid(tmp_path) == process.pid
        process.kill()
    assert (tmp_path / HOST_PID).exists()
    assert holder_pid(tmp_path) is None
