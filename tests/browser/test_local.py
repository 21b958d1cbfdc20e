"""The default pipeline in real Chromium, with and without a network, on human speech."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Playwright, expect, sync_playwright

from evals.bench_page import CHROMIUM, QUIET, measured, microphone
from evals.corpus import librivox
from evals.wer import word_error_rate
from pipelines.config import missing, resolve
from providers.models import ModelStore
from records.recording import read_tracks
from tests.support.serving import Served, serving

pytestmark = pytest.mark.browser

NAMESPACE = "offhook-test"
ANSWER_MS = 60_000


@pytest.fixture(scope="module")
def playwright() -> Generator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module", autouse=True)
def weights() -> None:
    lacking = missing(resolve("local"), ModelStore(offline=True, env=os.environ).missing)
    if lacking:
        pytest.skip(f"needs the local pipeline: {' '.join(lacking)}")


def converse(playwright: Playwright, served: Served, folder: Path, chromium: Path) -> None:
    """Say two sentences, the second after the first is answered; both are heard and answered."""
    clips = librivox()[1:3]
    recording = folder / "caller.wav"
    microphone(recording, [c.path for c in clips], lead_secs=9.0, gaps_secs=[12.0, 12.0])
    capture = f"--use-file-for-fake-audio-capture={recording}%noloop"
    with playwright.chromium.launch(
        executable_path=str(chromium), args=[*QUIET, capture]
    ) as browser:
        page = browser.new_page()
        page.goto(f"{served.url}/?pipeline=local&bot=interviewer")
        page.get_by_test_id("connect").click()
        page.wait_for_function(
            "() => window.__offhook.events.filter(e => e.kind === 'turn').length >= 2",
            timeout=ANSWER_MS,
        )
        turns = [event for event in measured(page)["events"] if event["kind"] == "turn"]
        expect(page.get_by_test_id("bot-line").nth(2)).not_to_be_empty()
        page.get_by_test_id("hangup").click()
        expect(page.get_by_test_id("connect")).to_be_visible()
    heard = [turn["heard"] for turn in turns[:2]]
    assert word_error_rate([clip.text for clip in clips], heard) < 0.3
    assert all(turn["answered"] for turn in turns)


def test_a_conversation(playwright: Playwright, tmp_path: Path) -> None:
    with serving(tmp_path / "serve") as served:
        converse(playwright, served, tmp_path, CHROMIUM)
        [folder] = (served.data_dir / "calls").iterdir()
        tracks = read_tracks(folder / "audio.wav")
    assert np.abs(tracks[:, 0]).max() > 1000
    assert np.abs(tracks[:, 1]).max() > 1000


@pytest.fixture
def lonely_machine() -> Generator[tuple[str, ...]]:
    """A network namespace with one address and no route; a command to run things in it."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to make a network namespace")
    run = ("ip", "netns", "exec", NAMESPACE)
    subprocess.run(["ip", "netns", "del", NAMESPACE], check=False, capture_output=True)
    for command in (
        ("ip", "netns", "add", NAMESPACE),
        (*run, "ip", "link", "set", "lo", "up"),
        (*run, "ip", "link", "add", "here", "type", "veth", "peer", "name", "nowhere"),
        (*run, "ip", "address", "add", "198.51.100.1/32", "dev", "here"),
        (*run, "ip", "link", "set", "here", "up"),
        (*run, "ip", "link", "set", "nowhere", "up"),
    ):
        subprocess.run(command, check=True)
    yield run
    subprocess.run(["ip", "netns", "del", NAMESPACE], check=True)


def test_a_conversation_without_a_network(
    playwright: Playwright, tmp_path: Path, lonely_machine: tuple[str, ...]
) -> None:
    routes = subprocess.run([*lonely_machine, "ip", "route"], capture_output=True, check=True)
    assert routes.stdout == b""
    inside = tmp_path / "chromium-inside"
    inside.write_text(f'#!/bin/sh\nexec {" ".join(lonely_machine)} {CHROMIUM} "$@"\n')
    inside.chmod(0o755)
    with serving(tmp_path / "serve", "--offline", prefix=lonely_machine) as served:
        converse(playwright, served, tmp_path, inside)
