"""The simulated Daily keeps rooms and refuses as the real one does."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from evals.simulators.behaviour import Behaviour, Fault
from evals.simulators.vendors import Vendors

pytestmark = pytest.mark.integration

KEY = {"Authorization": "Bearer simulated"}


@pytest.fixture
async def vendors() -> AsyncGenerator[Vendors]:
    async with Vendors() as served:
        yield served


@pytest.fixture
async def daily(vendors: Vendors) -> AsyncGenerator[httpx.AsyncClient]:
    url = f"{vendors.url}/daily/v1"
    async with httpx.AsyncClient(base_url=url, headers=KEY, trust_env=False) as http:
        yield http


async def make(daily: httpx.AsyncClient, name: str, **properties: Any) -> httpx.Response:
    return await daily.post("/rooms", json={"name": name, "properties": properties})


async def test_a_room_is_made_shown_and_deleted(daily: httpx.AsyncClient) -> None:
    made = await make(daily, "a-room", exp=datetime.now(UTC).timestamp() + 60, geo="eu-west-2")
    assert made.status_code == 200
    assert made.json()["url"].endswith("/a-room")
    assert made.json()["config"]["geo"] == "eu-west-2"
    assert (await daily.get("/rooms/a-room")).json() == made.json()
    listed = (await daily.get("/rooms")).json()
    assert (listed["total_count"], listed["data"][0]["name"]) == (1, "a-room")
    deleted = await daily.delete("/rooms/a-room")
    assert deleted.json() == {"deleted": True, "name": "a-room"}
    gone = await daily.delete("/rooms/a-room")
    assert (gone.status_code, gone.json()["error"]) == (404, "not-found")


async def test_an_expired_room_is_not_there(daily: httpx.AsyncClient) -> None:
    assert (await make(daily, "old", exp=datetime.now(UTC).timestamp() - 1)).status_code == 200
    assert (await daily.get("/rooms/old")).status_code == 404
    assert (await daily.get("/rooms")).json()["total_count"] == 0


async def test_a_token_says_what_was_asked_for(daily: httpx.AsyncClient) -> None:
    await make(daily, "a-room")
    asked = {"room_name": "a-room", "is_owner": True}
    answer = await daily.post("/meeting-tokens", json={"properties": asked})
    payload = answer.json()["token"].split(".")[1]
    assert json.loads(urlsafe_b64decode(payload)) == asked


@pytest.mark.parametrize(
    ("body", "info"),
    [
        ({"name": "with space"}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"privacy": "secret"}, "privacy"),
        ({"properties": {"max_participant": 2}}, "max_participant"),
        ({"properties": {"max_participants": "2"}}, "max_participants"),
        ({"properties": {"geo": "moon-1"}}, "moon-1"),
        ({"properties": []}, "properties"),
        ([], "object"),
    ],
)
async def test_a_bad_room_is_refused(daily: httpx.AsyncClient, body: Any, info: str) -> None:
    answer = await daily.post("/rooms", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid-request-error")
    assert info in answer.json()["info"]


async def test_a_name_is_taken_once(daily: httpx.AsyncClient) -> None:
    await make(daily, "a-room")
    again = await make(daily, "a-room")
    assert again.status_code == 400
    assert "already exists" in again.json()["info"]


async def test_what_is_not_json_is_refused(daily: httpx.AsyncClient) -> None:
    answer = await daily.post("/rooms", content=b"{name")
    assert (answer.status_code, answer.json()["error"]) == (400, "json-parsing-error")


async def test_a_token_needs_its_room(daily: httpx.AsyncClient) -> None:
    answer = await daily.post("/meeting-tokens", json={"properties": {"room_name": "none"}})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("header", "status", "error"),
    [
        ("", 400, "authorization-header-error"),
        ("simulated", 400, "authorization-header-error"),
        ("Bearer wrong", 401, "authentication-error"),
    ],
)
async def test_a_key_is_asked_for(vendors: Vendors, header: str, status: int, error: str) -> None:
    headers = {"Authorization": header} if header else {}
    async with httpx.AsyncClient(headers=headers, trust_env=False) as http:
        answer = await http.get(f"{vendors.url}/daily/v1/rooms")
    assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_a_room_may_be_made_and_the_answer_lost(
    vendors: Vendors, daily: httpx.AsyncClient
) -> None:
    fault = Fault(kind="close", after=0)
    vendors.desk.behave(Behaviour(faults={"daily": (fault,)}))
    with pytest.raises(httpx.TransportError):
        await make(daily, "a-room")
    assert (await daily.get("/rooms/a-room")).status_code == 200


async def test_rubbish_in_place_of_the_answer(vendors: Vendors, daily: httpx.AsyncClient) -> None:
    fault = Fault(kind="malformed", after=0)
    vendors.desk.behave(Behaviour(faults={"daily": (fault,)}))
    assert (await daily.get("/rooms")).text.startswith("<html>")
