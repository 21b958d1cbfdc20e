"""The API as a client meets it: a real server, real WebRTC, scripted providers."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer
from aiortc.mediastreams import MediaStreamTrack
from av.audio.frame import AudioFrame

from evals.corpus import LIBRIVOX
from tests.support.serving import Served, serving

pytestmark = pytest.mark.integration

CLIP = "sense_and_sensibility_01_austen_64kb-0880.wav"


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


class Caller:
    """A browser's half of a call: says a recording, listens, keeps what it is told."""

    def __init__(self) -> None:
        self.peer = RTCPeerConnection()
        player = MediaPlayer(str(LIBRIVOX / CLIP))
        assert player.audio
        self.peer.addTrack(player.audio)
        self.kinds: set[str] = set()
        self.loudest = 0
        self.turn_told = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.peer.createDataChannel("chat").on("message", self._take)
        self.peer.on("track", self._listen)

    async def offer(self) -> dict[str, str]:
        await self.peer.setLocalDescription(await self.peer.createOffer())
        return {"sdp": self.peer.localDescription.sdp, "type": "offer"}

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.peer.close()

    def _listen(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.ensure_future(self._hear(track)))

    def _take(self, message: str) -> None:
        data: Any = json.loads(message).get("data") or {}
        if "offhook" in data.values():
            self.kinds.add(data["event"]["kind"])
            if data["event"]["kind"] == "turn":
                self.turn_told.set()

    async def _hear(self, track: MediaStreamTrack) -> None:
        while True:
            frame = cast(AudioFrame, await track.recv())
            self.loudest = max(self.loudest, int(abs(frame.to_ndarray()).max()))


async def _talk(http: httpx.Client, session: str) -> Caller:
    """Call as a browser does: say a recording, listen until a turn was told, hang up."""
    caller = Caller()
    try:
        offer = await caller.offer()
        answer = await asyncio.to_thread(
            lambda: http.post(f"/sessions/{session}/api/offer", json=offer)
        )
        assert answer.status_code == 200, answer.text
        told = answer.json()
        await caller.peer.setRemoteDescription(RTCSessionDescription(told["sdp"], told["type"]))
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
