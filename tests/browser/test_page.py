"""The page in real Chromium, a human recording for a microphone, scripted providers behind it."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from evals.bench_page import CHROMIUM, QUIET, launch, measured, microphone
from evals.corpus import LIBRIVOX
from tests.support.serving import Served, serving

pytestmark = pytest.mark.browser

FIRST = LIBRIVOX / "sense_and_sensibility_01_austen_64kb-0880.wav"
SECOND = LIBRIVOX / "sense_and_sensibility_01_austen_64kb-0930.wav"
GREETING_SECS = 5.0
LEAD_SECS = GREETING_SECS + 2.0
INTO_THE_ANSWER_SECS = 3.5


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    with serving(tmp_path_factory.mktemp("serve"), "--pipeline", "simulated") as server:
        yield server


@pytest.fixture(scope="module")
def playwright() -> Generator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Generator[Browser]:
    recording = tmp_path_factory.mktemp("microphone") / "caller.wav"
    gaps_secs = [INTO_THE_ANSWER_SECS, 8.0]
    microphone(recording, [FIRST, SECOND], lead_secs=LEAD_SECS, gaps_secs=gaps_secs)
    with launch(playwright, recording) as chromium:
        yield chromium


@pytest.fixture
def page(browser: Browser) -> Generator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 860})
    yield context.new_page()
    context.close()


def kinds(page: Page) -> list[str]:
    return [event["kind"] for event in measured(page)["events"]]


def await_event(page: Page, kind: str, count: int = 1, timeout_ms: int = 30_000) -> None:
    page.wait_for_function(
        "([kind, count]) => window.__offhook.events.filter(e => e.kind === kind).length >= count",
        arg=[kind, count],
        timeout=timeout_ms,
    )


def test_a_conversation_with_an_interruption(served: Served, page: Page, tmp_path: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{served.url}/?pipeline=simulated")
    page.get_by_test_id("connect").click()
    await_event(page, "reply_ended", 1)
    await_event(page, "reply_started", 2)
    loud: Any = page.wait_for_function("() => window.__offhook.levels.bot > 0.01")
    assert loud
    await_event(page, "caller_started", 2)
    page.wait_for_function("() => window.__offhook.levels.bot < 0.01", timeout=2000)
    await_event(page, "reply_ended", 2)
    expect(page.get_by_test_id("caller-line").first).to_contain_text("hello there")
    expect(page.get_by_test_id("cut").first).to_be_visible()
    expect(page.get_by_test_id("stopped").first).to_have_text(re.compile(r"stopped after \d+\sms"))
    await_event(page, "turn", 2)
    page.screenshot(path=str(tmp_path / "call.png"))
    found = measured(page)
    cut = [event for event in found["events"] if event["kind"] == "reply_ended"][1]
    assert cut["interrupted"]
    assert cut["cut"]
    assert len(found["bargeStopMs"]) >= 1
    assert len(found["earMs"]) >= 1
    mic = found["micSettings"]
    assert mic["echoCancellation"]
    assert mic["noiseSuppression"]
    assert mic["autoGainControl"]
    expect(page.get_by_test_id("heard").first).to_have_text(re.compile(r"\d\.\d\s?s"))
    page.get_by_test_id("hangup").click()
    expect(page.get_by_test_id("connect")).to_be_visible()
    assert all(url.startswith((served.url, "blob:", "data:")) for url in asked)


def test_a_closed_tab_ends_the_call_at_once(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/?pipeline=simulated")
    page.get_by_test_id("connect").click()
    await_event(page, "caller_joined")
    page.close(run_before_unload=True)
    with served.client() as http:
        for _ in range(60):
            if http.get("/healthz").json()["calls"] == 0:
                return
            time.sleep(0.1)
    raise AssertionError("the call went on")


def test_a_link_chooses_the_bot_and_the_pipeline(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/?bot=interviewer&pipeline=simulated")
    expect(page.get_by_test_id("bot-select")).to_have_value("interviewer")
    expect(page.get_by_test_id("pipeline-select")).to_have_value("simulated")


def test_a_denied_microphone_is_told(served: Served, deaf_browser: Browser) -> None:
    context = deaf_browser.new_context()
    page = context.new_page()
    page.goto(f"{served.url}/?pipeline=simulated")
    page.get_by_test_id("connect").click()
    expect(page.get_by_test_id("alert")).to_contain_text(re.compile("microphone", re.I))
    context.close()


@pytest.fixture(scope="module")
def deaf_browser(playwright: Playwright) -> Generator[Browser]:
    arguments = [*QUIET[:7], "--use-fake-device-for-media-stream", "--deny-permission-prompts"]
    with playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments) as chromium:
        yield chromium


def test_a_full_line_is_told_with_the_time_to_wait(
    tmp_path_factory: pytest.TempPathFactory, page: Page
) -> None:
    folder = tmp_path_factory.mktemp("full")
    with serving(folder, "--pipeline", "simulated", "--slots", "1") as server:
        with server.client() as http:
            assert http.post("/start", json={}).status_code == 200
        page.goto(f"{server.url}/?pipeline=simulated")
        page.get_by_test_id("connect").click()
        expect(page.get_by_test_id("alert")).to_contain_text(re.compile("full", re.I))


def test_a_server_that_is_gone_is_told(
    tmp_path_factory: pytest.TempPathFactory, page: Page
) -> None:
    with serving(tmp_path_factory.mktemp("gone"), "--pipeline", "simulated") as server:
        page.goto(f"{server.url}/?pipeline=simulated")
        expect(page.get_by_test_id("connect")).to_be_enabled()
        server.process.kill()
        server.process.wait()
        page.get_by_test_id("connect").click()
        expect(page.get_by_test_id("alert")).to_be_visible()


def test_a_key_is_asked_for_and_kept_for_the_tab(
    tmp_path_factory: pytest.TempPathFactory, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFHOOK_API_KEYS", "sesame")
    with serving(tmp_path_factory.mktemp("keys"), "--pipeline", "simulated") as server:
        page.goto(f"{server.url}/?pipeline=simulated")
        page.get_by_test_id("connect").click()
        field = page.get_by_label(re.compile("key", re.I))
        field.fill("sesame")
        field.press("Enter")
        await_event(page, "caller_joined")


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_at_any_width(
    served: Served, browser: Browser, width: int, scheme: Any
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 740}, color_scheme=scheme)
    page = context.new_page()
    page.goto(served.url)
    expect(page.get_by_test_id("connect")).to_be_visible()
    overflow: Any = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0
    context.close()


def test_the_keyboard_is_enough(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/?pipeline=simulated")
    expect(page.get_by_test_id("connect")).to_be_enabled()
    at: Any = None
    for _ in range(20):
        page.keyboard.press("Tab")
        at = page.evaluate("() => document.activeElement?.dataset.testid")
        if at == "connect":
            break
    assert at == "connect"
    page.keyboard.press("Enter")
    await_event(page, "caller_joined")
