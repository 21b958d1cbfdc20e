"""A sidecar that nobody wants any more ends by itself."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from hosts.tether import is_held

pytestmark = pytest.mark.integration

HASTY = """
import sys, hosts.tether as tether
tether.ALONE_SECS, tether._LOOK_SECS = 0.2, 0.1
sys.argv = ["tether", *sys.argv[1:]]
tether.main()
"""
PATIENT = "import sys, time; print(sys.argv, flush=True); time.sleep(60)"


def tethered(lock: Path, folder: Path) -> subprocess.Popen[str]:
    (folder / "patient_module.py").write_text(PATIENT)
    script = f"import sys; sys.path.insert(0, {str(folder)!r})\n{HASTY}"
    command = [sys.executable, "-c", script, str(lock), "patient_module", "--port", "1"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_it_lives_while_the_lock_is_held_and_not_long_after(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert is_held(lock)
        with tethered(lock, tmp_path) as process:
            assert process.stdout
            assert process.stdout.readline().strip().endswith("patient_module.py', '--port', '1']")
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
            fcntl.flock(held, fcntl.LOCK_UN)
            assert process.wait(20) != 0
    assert not is_held(lock)


def test_a_lock_that_never_was_is_not_held(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "none")
