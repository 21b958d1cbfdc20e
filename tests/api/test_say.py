"""An operator has the bot of a live call say something: a real server, real WebRTC."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.support.calling import Caller
from tests.support.processes import until
from tests.support.serving import Served, serving

pytestmark = pytest.mark.integration

KEY = {"Authorization": "Bearer sesame"}
TEXT = "The doctor is ten minutes late."


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("serve")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OFFHOOK_API_KEYS", "sesame")
        with serving(folder, "--pipeline", "simulated", "--slots", "2", "--warm", "0") as server:
            yield server


@pytest.fixture
def http(served: Served) -> Iterator[httpx.Client]:
    with served.client(**KEY) as client:
        yield client


def say(http: httpx.Client, session: str, text: object = TEXT) -> httpx.Response:
    return http.post(f"/sessions/{session}/say", json={"text": text})


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def spoken(folder: Path) -> list[str]:
    """What the bots said in all calls, reply by reply."""
    lines = [
        json.loads(line)
        for path in (folder / "calls").glob("*/events.jsonl")
        for line in path.read_text().splitlines()
    ]
    return [event["spoken"] for event in lines if event["kind"] == "reply_ended"]


@asynccontextmanager
async def calling(http: httpx.Client) -> AsyncGenerator[str]:
    """A call whose caller was answered."""
    started = await asyncio.to_thread(lambda: http.post("/start", json={"bot": "interviewer"}))
    session = started.json()["sessionId"]
    caller = Caller()
    try:
        await caller.call(http, session)
        async with asyncio.timeout(40):
            await caller.turn_told.wait()
        yield session
    finally:
        await caller.leave()


async def test_it_is_said_recorded_and_in_no_log(served: Served, http: httpx.Client) -> None:
    async with calling(http) as session:
        answer = await asyncio.to_thread(say, http, session, f" {TEXT}\n")
        assert answer.status_code == 204, answer.text
        await asyncio.to_thread(until, lambda: TEXT in spoken(served.data_dir))
        await asyncio.to_thread(http.delete, f"/sessions/{session}")
        assert told(await asyncio.to_thread(say, http, session)) == (404, "unknown_session")
    log = (served.data_dir / "server.log").read_text()
    assert "had the bot say something" in log
    assert "ten minutes" not in log


def test_nothing_is_said_to_nobody(http: httpx.Client) -> None:
    assert told(say(http, "none")) == (404, "unknown_session")
    session = http.post("/start", json={}).json()["sessionId"]
    assert told(say(http, session)) == (409, "not_joined")
    http.delete(f"/sessions/{session}")


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "text"),
    ({"text": ""}, "text"),
    ({"text": " \n "}, "text"),
    ({"text": "x" * 501}, "text"),
    ({"text": "one\ntwo"}, "text"),
    ({"text": "be\x07ll"}, "text"),
    ({"text": "\ud800"}, "text"),
    ({"text": ["Hello."]}, "text"),
    ({"text": "Hello.", "voice": "mine"}, "voice"),
]


@pytest.mark.parametrize(("body", "field"), BAD)
def test_what_cannot_be_said_is_named(http: httpx.Client, body: dict[str, Any], field: str) -> None:
    answer = http.post("/sessions/none/say", content=json.dumps(body), headers=JSON)
    assert told(answer) == (422, "invalid")
    assert answer.json()["error"]["field"] == field


JSON = {"content-type": "application/json"}


def test_a_body_over_64_kib_is_refused(http: httpx.Client) -> None:
    assert told(say(http, "none", "x" * 70_000)) == (413, "too_large")


def test_what_lets_a_caller_in_opens_nothing_here(served: Served, http: httpx.Client) -> None:
    started: dict[str, str] = http.post("/start", json={"transport": "websocket"}).json()
    url = urlsplit(started["wsUrl"])
    session, [token] = url.path.split("/")[2], parse_qs(url.query)["token"]
    path = f"/sessions/{session}/say?token={token}"
    for key in ("none", token, session):
        with served.client(Authorization=f"Bearer {key}") as caller:
            assert told(caller.post(path, json={"text": TEXT})) == (401, "unauthorized")
    http.delete(f"/sessions/{session}")


def test_another_sites_page_may_not_speak(served: Served) -> None:
    with served.client(Origin="https://elsewhere.example", **KEY) as http:
        assert told(say(http, "none")) == (403, "forbidden_origin")
