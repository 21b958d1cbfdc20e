"""The ways from the page to the bot: which is taken, what is said where one does not open."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, Route, expect, sync_playwright

from evals.bench_page import launch, measured, microphone
from evals.corpus import LIBRIVOX
from tests.support.serving import Served, serving

pytestmark = pytest.mark.browser

FIRST = LIBRIVOX / "sense_and_sensibility_01_austen_64kb-0880.wav"
SECOND = LIBRIVOX / "sense_and_sensibility_01_austen_64kb-0930.wav"
PATIENCE_MS = 40_000
TITLES = {"webrtc": "WebRTC", "websocket": "WebSocket", "daily": "Daily", "livekit": "LiveKit"}

# As a browser does that gives the page a microphone and wants a click all the same.
NO_SOUND_BEFORE_A_CLICK = """
let clicked = false;
addEventListener("pointerdown", () => { clicked = true; }, true);
const { resume } = AudioContext.prototype;
const state = Object.getOwnPropertyDescriptor(BaseAudioContext.prototype, "state");
AudioContext.prototype.resume = function () {
  return clicked ? resume.call(this) : new Promise(() => {});
};
Object.defineProperty(BaseAudioContext.prototype, "state", {
  get() { return clicked ? state.get.call(this) : "suspended"; },
});
"""

NOTE_ICE_SERVERS = """
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(configuration) {
    super(configuration);
    window.iceServers = configuration.iceServers;
  }
};
"""


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
    microphone(recording, [FIRST, SECOND], lead_secs=7.0, gaps_secs=[3.5, 8.0])
    with launch(playwright, recording) as chromium:
        yield chromium


@pytest.fixture
def page(browser: Browser) -> Generator[Page]:
    context = browser.new_context(viewport={"width": 1200, "height": 860})
    yield context.new_page()
    context.close()


def offer_transports(page: Page, *ready: str) -> None:
    """Let the page believe that the server has these ready, the first of them its default."""
    entries = [
        {"name": name, "title": title, "default": name == ready[0], "ready": name in ready,
         "missing": [] if name in ready else [f"{title} needs a key."]}
        for name, title in TITLES.items()
    ]  # fmt: skip
    page.route("**/transports", lambda route: route.fulfill(json={"transports": entries}))


def await_event(page: Page, kind: str, count: int = 1) -> None:
    page.wait_for_function(
        "([kind, count]) => window.__offhook.events.filter(e => e.kind === kind).length >= count",
        arg=[kind, count],
        timeout=PATIENCE_MS,
    )


def await_no_calls(served: Served, page: Page) -> None:
    with served.client() as http:
        for _ in range(100):
            if http.get("/healthz").json()["calls"] == 0:
                return
            page.wait_for_timeout(100)
    raise AssertionError("the call went on")


def test_a_link_goes_straight_in_over_a_websocket(served: Served, page: Page) -> None:
    page.goto(f"{served.url}/?pipeline=simulated&transport=websocket")
    await_event(page, "reply_started", 2)
    expect(page.get_by_test_id("path")).to_have_text("simulated · websocket")
    await_event(page, "caller_started", 2)
    page.wait_for_function("() => window.__offhook.levels.bot < 0.01", timeout=2000)
    await_event(page, "turn", 2)
    found = measured(page)
    assert len(found["earMs"]) >= 1
    assert len(found["bargeStopMs"]) >= 1
    expect(page.get_by_test_id("caller-line").first).to_contain_text("hello there")
    expect(page.get_by_test_id("cut").first).to_be_visible()
    page.get_by_test_id("hangup").click()
    expect(page.get_by_test_id("connect")).to_be_visible()
    await_no_calls(served, page)


@pytest.mark.parametrize("transport", ["webrtc", "websocket"])
def test_a_closed_tab_gives_the_call_back(served: Served, browser: Browser, transport: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{served.url}/?pipeline=simulated&transport={transport}")
    await_event(page, "caller_joined")
    page.close(run_before_unload=True)
    await_no_calls(served, context.new_page())
    context.close()


def test_hanging_up_before_it_connects_gives_the_call_back(served: Served, page: Page) -> None:
    page.route("**/api/offer", lambda _: None)
    page.goto(f"{served.url}/?pipeline=simulated&transport=webrtc")
    with page.expect_request("**/api/offer"):
        pass
    with page.expect_response(re.compile(r"/sessions/[^/]+$")) as answer:
        page.get_by_test_id("hangup").click()
    assert answer.value.request.method == "DELETE"
    assert answer.value.status == 204
    await_no_calls(served, page)


def test_daily_that_cannot_be_reached_is_told(served: Served, page: Page) -> None:
    """All of the page's part of Daily, up to the code that Daily's own servers give."""
    offer_transports(page, "webrtc", "daily")
    room = {"sessionId": "one", "dailyRoom": "https://offhook.daily.co/one", "dailyToken": "two"}
    page.route("**/start", lambda route: route.fulfill(json=room))
    given_back: list[str] = []
    page.route("**/sessions/one", lambda route: given_back.append(route.request.method))
    with page.expect_request("**/start") as start:
        page.goto(f"{served.url}/?pipeline=simulated&transport=daily")
    assert '"transport":"daily"' in (start.value.post_data or "")
    alert = page.get_by_test_id("alert")
    expect(alert).to_contain_text(
        re.compile("Daily.s servers cannot be reached"), timeout=PATIENCE_MS
    )
    expect(page.get_by_test_id("status")).to_have_attribute("data-state", "idle")
    expect(page.get_by_test_id("retry")).to_be_enabled()
    assert given_back == ["DELETE"]


def test_a_livekit_server_that_cannot_be_reached_is_told(served: Served, page: Page) -> None:
    offer_transports(page, "webrtc", "livekit")
    room = {"sessionId": "one", "url": "ws://127.0.0.1:9", "token": "two"}
    page.route("**/start", lambda route: route.fulfill(json=room))
    page.goto(f"{served.url}/?pipeline=simulated&transport=livekit")
    alert = page.get_by_test_id("alert")
    expect(alert).to_contain_text("LiveKit server cannot be reached", timeout=PATIENCE_MS)
    expect(alert).to_contain_text("ws://127.0.0.1:9")


def lead_astray(route: Route) -> None:
    """Answer the offer with an address that leads nowhere, and keep the browser's to itself."""
    if route.request.method == "PATCH":
        route.fulfill(json={"status": "success"})
        return
    answer = route.fetch()
    told: Any = answer.json()
    found = re.compile(r"^(a=candidate:\S+ \d+ \S+ \d+) \S+", re.MULTILINE)
    told["sdp"] = found.sub(r"\1 192.0.2.1", told["sdp"])
    route.fulfill(response=answer, json=told)


def test_sound_that_finds_no_way_is_told(served: Served, page: Page) -> None:
    page.route("**/api/offer", lead_astray)
    page.goto(f"{served.url}/?pipeline=simulated&transport=webrtc")
    alert = page.get_by_test_id("alert")
    expect(alert).to_contain_text("no sound gets through", timeout=PATIENCE_MS)
    expect(alert).to_contain_text("OFFHOOK_TURN_URLS")
    expect(page.get_by_test_id("status")).to_have_attribute("data-state", "idle")
    await_no_calls(served, page)


def test_the_ice_servers_that_the_server_names_are_used(served: Served, page: Page) -> None:
    relay = {"urls": ["turn:127.0.0.1:9"], "username": "1:offhook", "credential": "word"}

    def name_relay(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "iceConfig": {"iceServers": [relay]}})

    page.route("**/start", name_relay)
    page.add_init_script(NOTE_ICE_SERVERS)
    page.goto(f"{served.url}/?pipeline=simulated&transport=webrtc")
    await_event(page, "caller_joined")
    given: Any = page.evaluate("() => window.iceServers")
    assert given == [relay]


def test_a_websocket_that_is_not_let_through_is_told(served: Served, page: Page) -> None:
    address = f"{served.url.replace('http', 'ws')}/sessions/one/ws?token=two"
    page.route("**/start", lambda route: route.fulfill(json={"wsUrl": address, "token": "two"}))
    page.goto(f"{served.url}/?pipeline=simulated&transport=websocket")
    alert = page.get_by_test_id("alert")
    expect(alert).to_contain_text("the WebSocket did not open", timeout=PATIENCE_MS)


def test_one_click_is_asked_for_where_the_browser_wants_it(served: Served, page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.add_init_script(NO_SOUND_BEFORE_A_CLICK)
    page.goto(f"{served.url}/?pipeline=simulated&transport=websocket")
    expect(page.get_by_test_id("doorstep")).to_be_visible()
    page.get_by_test_id("connect").click()
    await_event(page, "caller_joined")
    overflow: Any = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0


def test_the_transport_is_chosen_and_kept_in_the_address(served: Served, page: Page) -> None:
    offer_transports(page, "webrtc", "websocket")
    page.goto(f"{served.url}/?pipeline=simulated")
    picker = page.get_by_test_id("transport-select")
    expect(picker).to_have_value("webrtc")
    assert picker.locator("option").all_inner_texts() == ["WebRTC", "WebSocket"]
    picker.select_option("websocket")
    page.reload()
    expect(picker).to_have_value("websocket")
    expect(page.get_by_test_id("status")).to_have_attribute("data-state", "idle")


def test_there_is_nothing_to_choose_where_there_is_one(served: Served, page: Page) -> None:
    page.route("**/transports", lambda route: route.fulfill(status=404))
    page.goto(f"{served.url}/?pipeline=simulated")
    expect(page.get_by_test_id("connect")).to_be_enabled()
    expect(page.get_by_test_id("transport-select")).to_have_count(0)


def test_a_transport_that_is_not_ready_is_told_and_not_dialled(served: Served, page: Page) -> None:
    offer_transports(page, "webrtc", "websocket")
    page.goto(f"{served.url}/?pipeline=simulated&transport=daily")
    expect(page.get_by_text("Daily needs a key.")).to_be_visible()
    expect(page.get_by_test_id("connect")).to_be_enabled()
