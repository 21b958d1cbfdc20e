"""`offhook simulate` runs a command on the simulated vendors, or says how to reach them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from errors import ConfigError
from evals.simulate import read_behaviour
from tests.support.serving import free_port

pytestmark = pytest.mark.integration

COMMAND = [sys.executable, "server.py", "simulate", "--port"]


def test_a_command_runs_on_them_and_its_status_is_ours() -> None:
    port = free_port()
    told = "import os, sys; print(os.environ['OFFHOOK_VENDORS']); sys.exit(3)"
    command = [*COMMAND, str(port), "--", sys.executable, "-c", told]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout.strip() == f"http://127.0.0.1:{port}"
    assert run.returncode == 3


def test_without_a_command_it_says_what_to_set_and_runs_on() -> None:
    port = free_port()
    process = subprocess.Popen([*COMMAND, str(port)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    with process.stdout:
        said = process.stdout.readline() + process.stdout.readline() + process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.wait(10)
    assert f"OFFHOOK_VENDORS=http://127.0.0.1:{port} offhook serve --pipeline cloud" in said


def test_a_command_that_is_not_there() -> None:
    command = [*COMMAND, str(free_port()), "--", "no-such-command"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "There is no command 'no-such-command'" in run.stderr


def test_a_behaviour_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "slow.toml"
    file.write_text(
        "[wits]\nttft = {p50_ms = 600, p95_ms = 900}\n"
        '[[faults.groq-chat]]\nkind = "status"\nstatus = 429\n'
    )
    behaviour = read_behaviour(file)
    assert behaviour.wits.ttft.p95_ms == 900
    assert behaviour.faults["groq-chat"][0].status == 429


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[wits]\nspeed = 1", "wits.speed"),
        ("[wits", "is not valid TOML"),
        ('[[faults.groq]]\nkind = "hang"', "nobody plays 'groq' .did you mean 'groq-chat'"),
        ('[[faults.daily]]\nkind = "flood"', "faults.daily.0.kind"),
    ],
)
def test_a_bad_behaviour_names_its_fault(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_behaviour(file)


def test_a_behaviour_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Cannot read"):
        read_behaviour(tmp_path / "none.toml")
