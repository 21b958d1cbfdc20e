"""The command line: quick to answer, and clear about what is wrong."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hosts.house import HouseSettings
from hosts.transports import TransportSettings
from server import ServerSettings, main

pytestmark = pytest.mark.integration


def offhook(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "server.py", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | env,
        timeout=60,
        check=False,
    )


def test_help_names_the_commands() -> None:
    answer = offhook("--help")
    assert answer.returncode == 0
    for command in ("serve", "check", "models", "call"):
        assert command in answer.stdout


def test_check_says_that_the_simulated_pipeline_is_ready() -> None:
    answer = offhook("check", "simulated")
    assert (answer.returncode, answer.stdout.split()[:2]) == (0, ["simulated", "ready"])


def test_check_names_what_is_absent_and_how_to_get_it(tmp_path: Path) -> None:
    answer = offhook("check", "local", OFFHOOK_MODELS=str(tmp_path))
    assert answer.returncode == 1
    assert "offhook models pull" in answer.stdout


def test_check_names_the_fault_in_a_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('summary = "s"\n[stt]\nprovider = "moonshin"\n')
    answer = offhook("check", str(mine))
    assert answer.returncode == 1
    assert "stt.provider" in answer.stderr
    assert "did you mean 'moonshine'" in answer.stderr


def test_an_unknown_preset_offers_the_nearest() -> None:
    answer = offhook("check", "locl")
    assert answer.returncode == 1
    assert "did you mean 'local'" in answer.stderr


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = offhook("serve", "--port", str(port))
    assert answer.returncode == 1
    assert f"127.0.0.1:{port}" in answer.stderr
    assert "--port" in answer.stderr


def test_a_pipeline_that_is_not_there_cannot_be_offered() -> None:
    answer = offhook("serve", "--also", "cloud, locl")
    assert answer.returncode == 1
    assert "did you mean 'local'" in answer.stderr


def test_idle_connections_do_not_use_up_the_usual_descriptors(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
    try:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            # It stops there.
            port = str(taken.getsockname()[1])
            assert main(["serve", "--port", port, "--data", str(tmp_path)]) == 1
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_an_open_address_needs_a_key(host: str) -> None:
    answer = offhook("serve", "--host", host, OFFHOOK_API_KEYS=" , ")
    assert answer.returncode == 1
    assert "OFFHOOK_API_KEYS" in answer.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_loopback_needs_none(host: str) -> None:
    ServerSettings(host=host).check()


def test_an_address_for_twilio_needs_a_key() -> None:
    answer = offhook("serve", OFFHOOK_PUBLIC_URL="https://phone.example", OFFHOOK_API_KEYS="")
    assert answer.returncode == 1
    assert "https://phone.example" in answer.stderr
    assert "OFFHOOK_API_KEYS" in answer.stderr
    here = TransportSettings.read({"OFFHOOK_PUBLIC_URL": "http://127.0.0.1:7860"})
    ServerSettings(house=HouseSettings(transports=here)).check()


def test_a_port_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--port", "70000"])
    assert "70000" in capsys.readouterr().err


def test_call_names_a_recording_that_cannot_be_read(tmp_path: Path) -> None:
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"RIFFnothing")
    answer = offhook("call", "--preset", "simulated", "--wav", str(noise))
    assert answer.returncode == 1
    assert "noise.wav cannot be read as audio" in answer.stderr
    answer = offhook("call", "--preset", "simulated", "--wav", str(tmp_path / "absent.wav"))
    assert answer.returncode == 1
    assert "absent.wav" in answer.stderr
