"""A call over a WebSocket, as a client meets it: a real server, Pipecat's protobuf, real speech."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from evals.corpus import LIBRIVOX
from pipelines.headless import read_speech
from tests.support.protobuf import packed, unpacked
from tests.support.serving import Served, serving

pytestmark = pytest.mark.integration

CLIP = LIBRIVOX / "sense_and_sensibility_01_austen_64kb-0880.wav"
RATE_HZ = 16_000
CHUNK = RATE_HZ // 50


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("serve")
    with serving(folder, "--pipeline", "simulated", "--slots", "2") as server:
        yield server


def start(served: Served, **body: Any) -> dict[str, str]:
    with served.client() as http:
        answer = http.post("/start", json={"transport": "websocket", **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def hang_up(served: Served, session: str) -> None:
    with served.client() as http:
        http.delete(f"/sessions/{session}")


class Caller:
    """A client's half of a call."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self.order: list[str] = []
        """What came, told apart by kind; an event by its own."""
        self.loudest = 0
        self.rates_hz: set[int] = set()
        self._more = asyncio.Event()
        self._speaking = asyncio.Event()

    async def listen(self) -> None:
        async for data in self.socket:
            kind, part = unpacked(data)
            if kind == "audio":
                samples = np.frombuffer(part.audio, np.int16)
                self.loudest = max(self.loudest, int(np.abs(samples.astype(int)).max()))
                self.rates_hz.add(part.sample_rate)
            if kind == "message":
                told: Any = json.loads(part.data).get("data") or {}
                if "offhook" in told.values():
                    self.events.append(told["event"])
                    kind = str(told["event"]["kind"])
            self.order.append(kind)
            self._more.set()

    async def talk(self) -> None:
        """Send silence, and the recording whenever asked to."""
        speech = np.frombuffer(read_speech(CLIP), np.int16)
        while True:
            quiet = not self._speaking.is_set()
            samples = np.zeros(CHUNK, np.int16) if quiet else speech
            for at in range(0, len(samples) - CHUNK + 1, CHUNK):
                await self.send(samples[at : at + CHUNK].tobytes())
                await asyncio.sleep(CHUNK / RATE_HZ)
            if not quiet:
                self._speaking.clear()

    async def send(self, audio: bytes) -> None:
        await self.socket.send(packed("audio", audio=audio, sample_rate=RATE_HZ, num_channels=1))

    def say(self) -> None:
        self._speaking.set()

    async def wait(self, kind: str, count: int = 1) -> None:
        async with asyncio.timeout(60):
            while self.order.count(kind) < count:
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def calling(url: str, **options: Any) -> AsyncGenerator[Caller]:
    async with connect(url, proxy=None, **options) as socket:
        caller = Caller(socket)
        tasks = [asyncio.ensure_future(part()) for part in (caller.listen, caller.talk)]
        try:
            yield caller
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def freed(served: Served) -> None:
    with served.client() as http:
        for _ in range(150):
            health = await asyncio.to_thread(lambda: http.get("/healthz").json())
            if health["slots_taken"] == 0:
                return
            await asyncio.sleep(0.1)
    raise AssertionError("the slots are still taken")


def session_of(opened: dict[str, str]) -> str:
    return urlsplit(opened["wsUrl"]).path.split("/")[2]


def token_of(opened: dict[str, str]) -> str:
    return parse_qs(urlsplit(opened["wsUrl"]).query)["token"][0]


def reason_of_the_last_call(served: Served) -> str:
    folders = sorted((served.data_dir / "calls").iterdir(), key=lambda path: path.stat().st_mtime)
    return str(json.loads((folders[-1] / "record.json").read_text())["reason"])


async def test_a_greeting_is_heard_and_speech_interrupts_the_answer(served: Served) -> None:
    opened = start(served, bot="interviewer")
    assert opened["wsUrl"].startswith("ws://127.0.0.1:")
    assert set(opened) == {"wsUrl"}
    async with calling(opened["wsUrl"], origin=served.url) as caller:
        await caller.wait("reply_ended")
        assert caller.loudest > 1000
        assert caller.rates_hz == {24_000}
        caller.say()
        await caller.wait("reply_started", 2)
        await caller.wait("audio", caller.order.count("audio") + 5)
        before = caller.order.count("interruption")
        caller.say()
        await caller.wait("interruption", before + 1)
        await caller.wait("reply_ended", 2)
        await caller.wait("turn")
    await freed(served)
    assert {"caller_joined", "heard", "turn"} <= {event["kind"] for event in caller.events}
    ended = [event for event in caller.events if event["kind"] == "reply_ended"]
    assert ended[1]["interrupted"]
    assert ended[1]["cut"]
    assert reason_of_the_last_call(served) == "caller_hung_up"


async def test_hanging_up_by_http_ends_the_call(served: Served) -> None:
    opened = start(served)
    async with calling(opened["wsUrl"]) as caller:
        await caller.wait("reply_started")
        await asyncio.to_thread(hang_up, served, session_of(opened))
        with served.client() as http:
            assert http.get("/healthz").json()["slots_taken"] == 0
    assert reason_of_the_last_call(served) == "caller_hung_up"


async def refused(url: str, **options: Any) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as caught:
        async with connect(url, proxy=None, **options):
            pass
    answer = caught.value.response
    return answer.status_code, json.loads(answer.body or b"{}")["error"]["code"]


async def test_a_token_is_good_once(served: Served) -> None:
    opened = start(served)
    async with calling(opened["wsUrl"]) as caller:
        await caller.wait("caller_joined")
        assert await refused(opened["wsUrl"]) == (403, "bad_token")
    await freed(served)
    assert await refused(opened["wsUrl"]) == (404, "unknown_session")


async def test_a_token_opens_its_own_session_only(served: Served) -> None:
    mine, other = start(served), start(served)
    path = f"{served.url.replace('http', 'ws')}/sessions/{session_of(mine)}/ws"
    assert await refused(f"{path}?token={token_of(other)}") == (403, "bad_token")
    assert await refused(path) == (403, "bad_token")
    webrtc = path.replace(session_of(mine), "none")
    assert await refused(f"{webrtc}?token={token_of(mine)}") == (404, "unknown_session")
    for opened in (mine, other):
        await asyncio.to_thread(hang_up, served, session_of(opened))
    assert await refused(mine["wsUrl"]) == (404, "unknown_session")


async def test_another_sites_page_is_refused(served: Served) -> None:
    opened = start(served)
    for headers in ({"origin": "https://elsewhere.example"}, {"origin": "null"}):
        assert await refused(opened["wsUrl"], **headers) == (403, "forbidden_origin")
    host, port = urlsplit(served.url).netloc.split(":")
    rebound = opened["wsUrl"].replace(host, "rebound.example")
    assert await refused(rebound, host=host, port=int(port)) == (403, "forbidden_origin")
    async with calling(opened["wsUrl"]) as caller:
        await caller.wait("caller_joined")
    await freed(served)


async def test_a_message_beyond_the_bound_ends_the_call(served: Served) -> None:
    opened = start(served)
    async with calling(opened["wsUrl"]) as caller:
        await caller.wait("caller_joined")
        with pytest.raises(ConnectionClosed) as caught:
            await caller.send(bytes(70_000))
            await asyncio.wait_for(caller.socket.wait_closed(), 20)
            await caller.send(b"")
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009
    await freed(served)


async def test_rubbish_and_forbidden_frames_are_passed_over(served: Served) -> None:
    opened = start(served)
    async with calling(opened["wsUrl"]) as caller:
        await caller.wait("caller_joined")
        for data in (b"\xff\xff", "text", packed("text", text="I say what the bot says")):
            await caller.socket.send(data)
        await caller.wait("reply_ended")
    said = [event["spoken"] for event in caller.events if event["kind"] == "reply_ended"]
    assert "I say" not in " ".join(said)
    await freed(served)


def test_a_waiting_socket_counts_and_the_answer_is_the_tokens_own(
    served: Served, tmp_path: Path
) -> None:
    opened = start(served)
    with served.client() as http:
        assert http.get("/healthz").json()["slots_taken"] > 0
    hang_up(served, session_of(opened))
    log = (served.data_dir / "server.log").read_text()
    assert token_of(opened) not in log
