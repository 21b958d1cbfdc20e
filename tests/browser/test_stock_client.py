"""Pipecat's own client packages, and no code of our page, hold a conversation with the server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pipecat.frames.protobufs import frames_pb2
from playwright.sync_api import Browser, Page, Route, WebSocket, sync_playwright

from evals.bench_page import launch, microphone
from evals.corpus import LIBRIVOX
from tests.support.serving import Served, serving
from tests.support.vendors import vendors_beside

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "client"
STOCK = Path(__file__).parent / "stock"
CLIP = LIBRIVOX / "sense_and_sensibility_01_austen_64kb-0880.wav"
PATIENCE_MS = 40_000
AUDIBLE = 0.01
TYPES = {".html": "text/html", ".js": "text/javascript"}
LOOPBACK_IS_NEAR = "--disable-features=LocalNetworkAccessChecks"
"""A page that Playwright answers for counts as one from afar, which may open no local socket."""

# Packages are those that the page has; an alias leads there from outside its folder.
BUILD = """
import { build } from "vite";
const { root, outDir, packages } = JSON.parse(process.env.STOCK);
await build({
  root, configFile: false, base: "./", logLevel: "warn",
  resolve: { alias: { "@pipecat-ai": packages } },
  build: { outDir, emptyOutDir: true, modulePreload: false },
});
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """The `cloud` pipeline on simulated vendors."""
    with vendors_beside() as vendors, pytest.MonkeyPatch.context() as environment:
        environment.setenv("OFFHOOK_VENDORS", vendors.url)
        with serving(tmp_path_factory.mktemp("serve"), "--pipeline", "cloud") as server:
            yield server


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stock page, built from the packages of the page."""
    folder = tmp_path_factory.mktemp("stock")
    packages = CLIENT / "node_modules" / "@pipecat-ai"
    told = {"root": str(STOCK), "outDir": str(folder), "packages": str(packages)}
    subprocess.run(
        ["node", "--input-type=module", "--eval", BUILD],
        cwd=CLIENT,
        env=os.environ | {"STOCK": json.dumps(told)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Generator[Browser]:
    recording = tmp_path_factory.mktemp("microphone") / "caller.wav"
    microphone(recording, [CLIP], lead_secs=8.0, gaps_secs=[20.0])
    with sync_playwright() as driver, launch(driver, recording, LOOPBACK_IS_NEAR) as chromium:
        yield chromium


@pytest.fixture
def page(browser: Browser, served: Served, built: Path) -> Generator[Page]:
    """A page of the server's own origin, since the server refuses all others."""

    def fulfil(route: Route) -> None:
        name = route.request.url.removeprefix(f"{served.url}/stock/").partition("?")[0]
        path = built / (name or "index.html")
        route.fulfill(body=path.read_bytes(), content_type=TYPES[path.suffix])

    context = browser.new_context()
    context.route(f"{served.url}/stock/**", fulfil)
    yield context.new_page()
    context.close()


class Listener:
    """Hears what comes down a WebSocket."""

    def __init__(self, page: Page) -> None:
        self.loudest = 0.0
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._hear)

    def _hear(self, payload: bytes | str) -> None:
        frame = frames_pb2.Frame.FromString(payload)  # pyright: ignore[reportUnknownVariableType, reportAttributeAccessIssue]
        pcm = bytes(frame.audio.audio)  # pyright: ignore[reportUnknownArgumentType]
        samples = np.frombuffer(pcm, "<i2")
        if len(samples):
            self.loudest = max(self.loudest, float(np.abs(samples).max()) / 32_768)


@pytest.mark.parametrize("transport", ["webrtc", "websocket"])
def test_a_stock_client_completes_a_call(served: Served, page: Page, transport: str) -> None:
    listener = Listener(page)
    page.goto(f"{served.url}/stock/?transport={transport}&bot=receptionist")
    page.wait_for_function("() => window.stock")
    page.evaluate("() => window.stock.call()")
    page.wait_for_function("() => window.stock.happened.includes('bot-speaks')")
    page.wait_for_function("() => window.stock.heard.length > 0", timeout=PATIENCE_MS)
    page.wait_for_function("() => window.stock.answered.length > 0", timeout=PATIENCE_MS)
    stock: Any = page.evaluate("() => window.stock")
    assert stock["happened"][:3] == ["connected", "bot-ready", "bot-speaks"]
    assert max(stock["loudest"], listener.loudest) > AUDIBLE
    assert "".join(stock["heard"]).strip()
    page.evaluate("() => window.stock.hangUp()")
    page.wait_for_function("() => window.stock.happened.includes('disconnected')")
    with served.client() as http:
        for _ in range(100):
            if http.get("/healthz").json()["calls"] == 0:
                return
            page.wait_for_timeout(100)
    raise AssertionError("the call went on")
