"""`offhook bench page`: the same as a person in a browser hears it, Chromium for ears."""

from __future__ import annotations

import sys
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from errors import MissingError, OffhookError
from evals.corpus import librivox
from evals.report import Report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright

CHROMIUM = Path("/usr/bin/chromium")
RATE_HZ = 48_000
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip
"""Chromium without its own traffic, with a file for a microphone."""


def microphone(
    path: Path, clips: Sequence[Path], *, lead_secs: float, gaps_secs: Sequence[float]
) -> None:
    """Write what the caller will say: silence, then each clip and the gap behind it.

    Args:
        path: WAV file to write, 48 kHz mono.
        clips: What is said.
        lead_secs: Silence before the first clip, for the greeting.
        gaps_secs: Silence behind each clip, for its answer.
    """
    from pipelines.headless import read_speech

    pieces = [np.zeros(int(lead_secs * RATE_HZ), np.int16)]
    for clip, gap_secs in zip(clips, gaps_secs, strict=True):
        samples = np.frombuffer(read_speech(clip), "<i2")
        pieces.append(np.repeat(samples, RATE_HZ // 16_000))
        pieces.append(np.zeros(int(gap_secs * RATE_HZ), np.int16))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.concatenate(pieces).tobytes())


def launch(playwright: Playwright, recording: Path, *extra: str) -> Browser:
    """Start Chromium with `recording` for a microphone.

    Raises:
        MissingError: Chromium is not installed.
    """
    if not CHROMIUM.exists():
        raise MissingError("Chromium is not on this machine: `apt-get install chromium`.")
    capture = f"--use-file-for-fake-audio-capture={recording}%noloop"
    return playwright.chromium.launch(executable_path=str(CHROMIUM), args=[*QUIET, capture, *extra])


def measured(page: Page) -> dict[str, Any]:
    """What the page measured: `earMs`, `bargeStopMs`, and the `events` it was told."""
    found: Any = page.evaluate("() => window.__offhook")
    return dict(found or {})


def bench_page(url: str, rounds: int, folder: Path) -> Report:
    """Call the server at `url` from Chromium and say the five LibriVox clips `rounds` times.

    Raises:
        OffhookError: Chromium, the clips or the answers are missing.
    """
    from playwright.sync_api import sync_playwright

    clips = [clip.path for clip in librivox()] * rounds
    recording = folder / "microphone.wav"
    microphone(recording, clips, lead_secs=9.0, gaps_secs=[11.0] * len(clips))
    with sync_playwright() as playwright, launch(playwright, recording) as browser:
        page = browser.new_page()
        page.goto(url)
        page.get_by_test_id("connect").click()
        with wave.open(str(recording)) as file:
            page.wait_for_timeout(file.getnframes() / RATE_HZ * 1000 + 5000)
        found = measured(page)
        page.get_by_test_id("hangup").click()
    ears: list[float] = found.get("earMs", [])
    if not ears:
        raise OffhookError("The page heard no answer.", code="no_answer")
    report = Report()
    report.percentiles("ear_latency_page_ms", ears, "ms")
    return report


def first_answer(url: str) -> None:
    """Call the server at `url` and return when the first answer is heard."""
    import tempfile

    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        recording = Path(folder) / "microphone.wav"
        microphone(recording, [librivox()[1].path], lead_secs=6.0, gaps_secs=[30.0])
        with launch(playwright, recording) as browser:
            page = browser.new_page()
            page.goto(url)
            page.get_by_test_id("connect").click()
            page.wait_for_function("() => window.__offhook?.earMs.length > 0", timeout=60_000)


if __name__ == "__main__":
    first_answer(sys.argv[1])
