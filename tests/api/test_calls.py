"""The API as a client meets it: a real server, real WebRTC, scripted providers."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from evals.simulators.behaviour import Behaviour, Fault
from tests.support.calling import Caller
from tests.support.processes import until
from tests.support.serving import Served, serving
from tests.support.vendors import vendors_beside

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    for name in ("DAILY_API_KEY", "LIVEKIT_URL", "OFFHOOK_VENDORS"):
        assert name not in os.environ
    folder = tmp_path_factory.mktemp("serve")
    with serving(folder, "--pipeline", "simulated", "--slots", "1") as server:
        yield server


def error_of(answer: httpx.Response) -> dict[str, str]:
    return answer.json()["error"]


def test_bots_and_pipelines_are_listed_the_default_first(served: Served) -> None:
    with served.client() as http:
        bots = http.get("/bots").json()["bots"]
        pipelines = http.get("/pipelines").json()["pipelines"]
    assert bots[0]["name"] == "receptionist"
    assert bots[0]["default"]
    simulated = next(entry for entry in pipelines if entry["name"] == "simulated")
    assert simulated["ready"]
    assert simulated["default"]


BAD: list[tuple[dict[str, Any], int, str, str]] = [
    ({"bot": "receptionst"}, 404, "bot", "did you mean 'receptionist'"),
    ({"pipeline": "simulatd"}, 404, "pipeline", "did you mean 'simulated'"),
    ({"body": {"bot": "nobody"}}, 404, "bot", "nobody"),
    ({"transport": "pigeon"}, 422, "transport", "webrtc"),
    ({"overrides": {"turn": {"silence_ms": 1}}}, 422, "turn.silence_ms", "200"),
    ({"overrides": {"turn": {"silense_ms": 900}}}, 422, "turn.silense_ms", "turn.silence_ms"),
    ({"overrides": {"stt": {"provider": "moonshine"}}}, 422, "stt.provider", "cannot"),
    ({"bott": "receptionist"}, 422, "bott", "not permitted"),
    ({"createDailyRoom": True}, 424, "transport", "DAILY_API_KEY"),
    ({"transport": "daily"}, 424, "transport", "DAILY_API_KEY"),
    ({"transport": "livekit"}, 424, "transport", "LIVEKIT_URL"),
    ({"transport": "twilio"}, 422, "transport", "/twilio/voice"),
    ({"transport": "webrtc", "createDailyRoom": True}, 422, "createDailyRoom", "webrtc"),
    ({"transport": "webrtc", "dailyRoom": "standup"}, 422, "dailyRoom", "webrtc"),
    ({"dailyRoom": "https://elsewhere.example/r"}, 422, "dailyRoom", "pattern"),
    ({"dailyRoom": "../rooms"}, 422, "dailyRoom", "pattern"),
    ({"dailyRoom": "standup"}, 422, "dailyRoom", "OFFHOOK_DAILY_ROOMS"),
    ({"dailyRoomProperties": {"exp": 1}, "bot": "nobody"}, 404, "bot", "nobody"),
    ({"pipeline": "../../etc/passwd"}, 404, "pipeline", "There is no pipeline"),
]


@pytest.mark.parametrize(("body", "status", "field", "says"), BAD)
def test_what_is_wrong_with_a_start_is_named(
    served: Served, body: dict[str, Any], status: int, field: str, says: str
) -> None:
    with served.client() as http:
        answer = http.post("/start", json=body)
    assert answer.status_code == status
    assert error_of(answer)["field"] == field
    assert says in error_of(answer)["message"]


def test_a_body_that_is_not_json_is_refused(served: Served) -> None:
    with served.client() as http:
        answer = http.post("/start", content=b"{bot", headers={"content-type": "application/json"})
    assert (answer.status_code, error_of(answer)["code"]) == (400, "not_json")


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_64_kib_is_refused(served: Served, declared: bool) -> None:
    body = json.dumps({"bot": "x" * 70_000}).encode()
    content = body if declared else iter([body[:40_000], body[40_000:]])
    with served.client() as http:
        answer = http.post("/start", content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, error_of(answer)["code"]) == (413, "too_large")


def test_another_sites_page_may_not_start_calls(served: Served) -> None:
    with served.client(Origin="https://elsewhere.example") as http:
        assert http.post("/start", json={}).status_code == 403
    with served.client(Host="rebound.example") as http:
        assert http.get("/bots").status_code == 403
    with served.client(Origin=served.url) as http:
        assert http.get("/bots").status_code == 200


def test_an_unknown_session_is_told(served: Served) -> None:
    with served.client() as http:
        answer = http.post("/sessions/none/api/offer", json={"sdp": "v=0", "type": "offer"})
    assert (answer.status_code, error_of(answer)["code"]) == (404, "unknown_session")


@pytest.mark.parametrize(
    "sdp",
    ["", "hello", "v=0\r\nm=audio", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"],
)
def test_a_malformed_offer_is_told_and_the_session_goes_on(served: Served, sdp: str) -> None:
    with served.client() as http:
        session = http.post("/start", json={}).json()["sessionId"]
        path = f"/sessions/{session}/api/offer"
        answer = http.post(path, json={"sdp": sdp, "type": "offer"})
        assert answer.status_code == 400, answer.text
        assert "SDP" in error_of(answer)["message"]
        asyncio.run(_talk(http, session))


def test_hanging_up_frees_the_line_before_anybody_came(served: Served) -> None:
    with served.client() as http:
        session = http.post("/start", json={}).json()["sessionId"]
        assert http.get("/healthz").json()["slots_taken"] > 0
        for _ in range(2):
            assert http.delete(f"/sessions/{session}").status_code == 204
        assert http.get("/healthz").json()["slots_taken"] == 0
        answer = http.post(f"/sessions/{session}/api/offer", json={"sdp": "v=0", "type": "offer"})
        assert answer.status_code == 404
        assert http.delete("/sessions/none").status_code == 204


def test_another_sites_page_may_not_hang_up(served: Served) -> None:
    with served.client(Origin="https://elsewhere.example") as http:
        assert http.delete("/sessions/none").status_code == 403


def test_a_call_over_webrtc_is_heard_answered_and_recorded(served: Served) -> None:
    with served.client() as http:
        session = http.post("/start", json={"body": {"bot": "interviewer"}}).json()["sessionId"]
        full = http.post("/start", json={})
        assert full.status_code == 429
        assert int(full.headers["retry-after"]) > 0
        caller = asyncio.run(_talk(http, session))
        assert http.get("/healthz").json()["slots_taken"] == 0
    assert {"reply_started", "heard", "turn"} <= caller.kinds
    assert caller.loudest > 1000
    folders = sorted((served.data_dir / "calls").iterdir(), key=lambda path: path.stat().st_mtime)
    lines = (folders[-1] / "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert events[0]["kind"] == "call_started"
    assert events[-1] == events[-1] | {"kind": "call_ended", "reason": "caller_hung_up"}
    record = json.loads((folders[-1] / "record.json").read_text())
    assert record["reason"] == "caller_hung_up"


async def _talk(http: httpx.Client, session: str) -> Caller:
    """Call as a browser does: say a recording, listen until a turn was told, hang up."""
    caller = Caller()
    try:
        await caller.call(http, session)
        async with asyncio.timeout(40):
            await caller.turn_told.wait()
    finally:
        await caller.leave()
    for _ in range(100):
        health = await asyncio.to_thread(lambda: http.get("/healthz").json())
        if health["calls"] == 0:
            break
        await asyncio.sleep(0.1)
    return caller


def test_whoever_leaves_before_the_answer_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with vendors_beside() as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        arguments = ("--pipeline", "simulated", "--warm", "0")
        with serving(tmp_path, *arguments) as server, server.client() as http:
            vendors.desk.behave(Behaviour(faults={"daily": (Fault(kind="hang"),)}))
            with pytest.raises(httpx.ReadTimeout):
                http.post("/start", json={"transport": "daily"}, timeout=1.0)
            until(lambda: http.get("/healthz").json()["slots_taken"] == 0)
        assert not (tmp_path / "calls").exists()


def test_a_burst_is_never_over_admitted(tmp_path: Path) -> None:
    arguments = ("--pipeline", "simulated", "--slots", "3", "--warm", "1")
    with serving(tmp_path, *arguments) as server, server.client() as http:

        def start(_: int) -> httpx.Response:
            return http.post("/start", json={})

        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(start, range(10)))
        assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 7
        assert http.get("/healthz").json()["slots_taken"] == 3
        for answer in answers:
            if answer.status_code == 200:
                http.delete(f"/sessions/{answer.json()['sessionId']}")
        assert http.get("/healthz").json()["slots_taken"] == 0
