"""A browser and a server that cannot reach each other meet at a TURN server, or it is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, Playwright, expect, sync_playwright

from evals.bench_page import CHROMIUM, QUIET, measured
from tests.support.serving import serving

pytestmark = pytest.mark.browser

MIDDLE_ADDRESS = "203.0.113.1"
SECRET = "what coturn and Offhook share"
CALL_MS = 60_000
TURN = {
    "OFFHOOK_TURN_URLS": f"turn:{MIDDLE_ADDRESS}:3478",
    "OFFHOOK_TURN_SECRET": SECRET,
}

RELAY = """
import asyncio, sys

async def pour(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()

async def main(listen, path, port):
    async def carry(reader, writer):
        there = (asyncio.open_unix_connection(path) if listen == "tcp"
                 else asyncio.open_connection("127.0.0.1", int(port)))
        far_reader, far_writer = await there
        await asyncio.gather(pour(reader, far_writer), pour(far_reader, writer),
                             return_exceptions=True)
    serve = (asyncio.start_server(carry, "127.0.0.1", int(port)) if listen == "tcp"
             else asyncio.start_unix_server(carry, path))
    async with await serve as server:
        print("ready", flush=True)
        await server.serve_forever()

asyncio.run(main(*sys.argv[1:]))
"""
"""Carries HTTP, and nothing else, between two network namespaces, over a Unix socket."""


@dataclass(frozen=True)
class Apart:
    """Three places: the browser and the server each reach the middle, and not each other."""

    browser: tuple[str, ...]
    middle: tuple[str, ...]
    server: tuple[str, ...]


def _sh(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _link(place: str, subnet: str) -> None:
    """A cable from `place` to the middle, with a way to the middle's address and no other."""
    inside = ("ip", "netns", "exec", f"offhook-{place}")
    middle = ("ip", "netns", "exec", "offhook-middle")
    _sh("ip", "netns", "add", f"offhook-{place}")
    _sh(*inside, "ip", "link", "set", "lo", "up")
    _sh(*inside, "ip", "link", "add", "out", "type", "veth", "peer", "name", f"to-{place}")
    _sh(*inside, "ip", "link", "set", f"to-{place}", "netns", "offhook-middle")
    _sh(*inside, "ip", "address", "add", f"{subnet}.2/24", "dev", "out")
    _sh(*inside, "ip", "link", "set", "out", "up")
    _sh(*middle, "ip", "address", "add", f"{subnet}.1/24", "dev", f"to-{place}")
    _sh(*middle, "ip", "link", "set", f"to-{place}", "up")
    # As a default route, for Chromium asks it which of its addresses is the one to use.
    _sh(*inside, "ip", "route", "add", "default", "via", f"{subnet}.1")


@pytest.fixture(scope="module")
def apart() -> Generator[Apart]:
    if os.geteuid() != 0:
        pytest.skip("needs root, to make network namespaces")
    names = ("offhook-browser", "offhook-server", "offhook-middle")
    places = [("ip", "netns", "exec", name) for name in names]
    for name in names:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
    try:
        _sh("ip", "netns", "add", "offhook-middle")
        _sh(*places[2], "ip", "link", "set", "lo", "up")
        _sh(*places[2], "ip", "address", "add", f"{MIDDLE_ADDRESS}/32", "dev", "lo")
        # What is not for the middle itself goes nowhere.
        _sh(*places[2], "sysctl", "-q", "-w", "net.ipv4.ip_forward=0")
        _link("browser", "10.77.1")
        _link("server", "10.77.2")
        yield Apart(browser=places[0], server=places[1], middle=places[2])
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextmanager
def running(command: list[str], *, ready: str, log: Path) -> Generator[None]:
    """A process that is ready when it has written that."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        try:
            said = ""
            for _ in range(300):
                said = log.read_text(errors="replace")
                if ready in said or process.poll() is not None:
                    break
                time.sleep(0.1)
            assert ready in said, said
            yield
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def coturn(apart: Apart, folder: Path) -> Generator[None]:
    """The relay in the middle; it knows nothing of Offhook but the secret."""
    if not shutil.which("turnserver"):
        pytest.skip("needs coturn")
    command = [
        *apart.middle, "turnserver", "-n", "--listening-ip", MIDDLE_ADDRESS,
        "--relay-ip", MIDDLE_ADDRESS, "--use-auth-secret", "--static-auth-secret", SECRET,
        "--realm", "offhook.example", "--no-tls", "--no-dtls", "--no-cli", "--log-file", "stdout",
        "--userdb", str(folder / "turndb"), "--pidfile", str(folder / "turn.pid"), "--verbose",
    ]  # fmt: skip
    with running(command, ready="UDP listener opened", log=folder / "turn.log"):
        yield


@contextmanager
def carried(apart: Apart, url: str, folder: Path) -> Generator[None]:
    """Let HTTP to the server through to the browser's place, at the same address."""
    port, path = url.rpartition(":")[2], str(folder / "http.sock")
    relay = [sys.executable, "-c", RELAY]
    near = [*apart.server, *relay, "unix", path, port]
    far = [*apart.browser, *relay, "tcp", path, port]
    with (
        running(near, ready="ready", log=folder / "near.log"),
        running(far, ready="ready", log=folder / "far.log"),
    ):
        yield


@pytest.fixture(scope="module")
def playwright() -> Generator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@contextmanager
def page_of(playwright: Playwright, apart: Apart, folder: Path) -> Generator[Page]:
    """The page, in a Chromium in the browser's place, with the server in its own."""
    inside = folder / "chromium-inside"
    inside.write_text(f'#!/bin/sh\nexec {" ".join(apart.browser)} {CHROMIUM} "$@"\n')
    inside.chmod(0o755)
    with (
        serving(folder / "serve", "--pipeline", "simulated", prefix=apart.server) as served,
        carried(apart, served.url, folder),
        playwright.chromium.launch(executable_path=str(inside), args=[*QUIET]) as browser,
    ):
        page = browser.new_page()
        page.goto(f"{served.url}/?pipeline=simulated&bot=interviewer")
        yield page


def test_the_two_cannot_reach_each_other(apart: Apart) -> None:
    """A port that nobody listens on refuses whom the way leads to, and tells nobody else."""
    knock = "import socket, sys; socket.create_connection((sys.argv[1], 9), timeout=2)"

    def answer(address: str) -> str:
        command = [*apart.browser, sys.executable, "-c", knock, address]
        return subprocess.run(command, check=False, capture_output=True, text=True).stderr

    assert "ConnectionRefusedError" in answer(MIDDLE_ADDRESS)
    assert "ConnectionRefusedError" not in answer("10.77.2.2")


def test_a_call_over_turn(
    playwright: Playwright, apart: Apart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in TURN.items():
        monkeypatch.setenv(name, value)
    with coturn(apart, tmp_path), page_of(playwright, apart, tmp_path) as page:
        page.get_by_test_id("connect").click()
        page.wait_for_function("() => window.__offhook.levels.bot > 0.01", timeout=CALL_MS)
        page.wait_for_function(
            "() => window.__offhook.events.some(e => e.kind === 'reply_ended')", timeout=CALL_MS
        )
        kinds = [event["kind"] for event in measured(page)["events"]]
        assert "reply_started" in kinds
        page.get_by_test_id("hangup").click()
        expect(page.get_by_test_id("connect")).to_be_visible()
    log = (tmp_path / "turn.log").read_text(errors="replace")
    # Two allocations by name and password: the browser's and the bot's.
    users = {line.split("<")[1].split(">")[0] for line in _allocations(log)}
    assert {user.endswith("-bot") for user in users} == {True, False}, log[-3000:]


def _allocations(log: str) -> list[str]:
    return [
        line.partition("user ")[2]
        for line in log.splitlines()
        if "ALLOCATE processed, success" in line
    ]


def test_without_turn_the_person_is_told(
    playwright: Playwright, apart: Apart, tmp_path: Path
) -> None:
    with page_of(playwright, apart, tmp_path) as page:
        page.get_by_test_id("connect").click()
        expect(page.get_by_test_id("status")).to_have_attribute("data-state", "connecting")
        alert = page.get_by_test_id("alert")
        expect(alert).to_contain_text("no sound gets through", timeout=CALL_MS)
        expect(alert).to_contain_text(
            "Your browser and the server found no way to each other. Usually a firewall or two "
            "separate networks are between them: the server then needs a TURN server "
            "(OFFHOOK_TURN_URLS)."
        )
        expect(alert).to_have_count(1)
        expect(page.get_by_test_id("status")).to_have_attribute("data-state", "idle")
        expect(page.get_by_test_id("hangup")).to_have_count(0)
        expect(page.get_by_test_id("connect")).to_be_enabled()
        expect(page.get_by_test_id("retry")).to_be_enabled()
        page.screenshot(path=str(tmp_path / "no-path.png"))
