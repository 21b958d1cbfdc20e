"""A room is made for a call and gone with it, whatever happens in between."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

import hosts.rooms
from errors import NotFoundError, OffhookError
from evals.simulators.behaviour import Behaviour, Fault
from evals.simulators.vendors import Vendors
from hosts.daily import DailyRest
from hosts.retry import Patience
from hosts.rooms import DailyLine, RoomWish

pytestmark = pytest.mark.integration

HASTE = Patience(tries=3, try_secs=0.3, total_secs=5.0, base_secs=0.01, cap_secs=0.02)
KEY = {"Authorization": "Bearer simulated"}


@dataclass
class Daily:
    """The simulated Daily and our client of it."""

    vendors: Vendors
    rest: DailyRest

    def line(self, **wish: Any) -> DailyLine:
        defaults: dict[str, Any] = {"call_id": "c0ffee", "bot_name": "Robin", "life_secs": 1020}
        return DailyLine(self.rest, RoomWish(**(defaults | wish)))

    def break_with(self, **fault: Any) -> None:
        faults = (Fault.model_validate(fault),)
        self.vendors.desk.behave(Behaviour(faults={"daily": faults}))

    async def rooms(self) -> list[dict[str, Any]]:
        """What is left, asked past every fault."""
        self.vendors.desk.behave(Behaviour())
        async with httpx.AsyncClient(headers=KEY, trust_env=False) as http:
            answer = await http.get(f"{self.vendors.url}/daily/v1/rooms")
        return answer.json()["data"]

    async def make(self, name: str) -> None:
        async with httpx.AsyncClient(headers=KEY, trust_env=False) as http:
            await http.post(f"{self.vendors.url}/daily/v1/rooms", json={"name": name})


@pytest.fixture
async def daily(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Daily]:
    monkeypatch.setattr(hosts.rooms, "LATE_SECS", 0.0)
    async with Vendors() as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        async with DailyRest(patience=HASTE) as rest:
            yield Daily(vendors, rest)


def read(token: str) -> dict[str, Any]:
    return json.loads(urlsafe_b64decode(token.split(".")[1]))


async def test_a_room_for_two_that_ends_by_itself(daily: Daily) -> None:
    line = daily.line(geo="eu-central-1")
    before = datetime.now(UTC).timestamp()
    invitation = await line.open()
    [room] = await daily.rooms()
    assert (room["name"], room["privacy"]) == ("offhook-c0ffee", "private")
    config = room["config"]
    assert before + 1019 <= config.pop("exp") <= before + 1080
    assert config == {
        "eject_at_room_exp": True,
        "enable_chat": False,
        "enable_prejoin_ui": False,
        "enable_screenshare": False,
        "geo": "eu-central-1",
        "max_participants": 2,
        "start_video_off": True,
    }
    assert invitation["dailyRoom"] == room["url"]
    await line.close()
    assert await daily.rooms() == []


async def test_the_person_is_a_guest_and_the_bot_an_owner(daily: Daily) -> None:
    line = daily.line()
    invitation = await line.open()
    caller = read(str(invitation["dailyToken"]))
    ticket = line.ticket()
    assert (ticket["kind"], ticket["url"]) == ("daily", invitation["dailyRoom"])
    assert ticket["bot_name"] == "Robin"
    bot = read(str(ticket["token"]))
    assert (caller["is_owner"], bot["is_owner"]) == (False, True)
    assert bot["user_name"] == "Robin"
    for token in (caller, bot):
        assert token["room_name"] == "offhook-c0ffee"
        assert token["eject_at_token_exp"]
        assert token["exp"] > datetime.now(UTC).timestamp()
    await line.close()


async def test_somebody_elses_room_is_left_as_it_is(daily: Daily) -> None:
    await daily.make("standup")
    line = daily.line(existing="standup")
    invitation = await line.open()
    assert str(invitation["dailyRoom"]).endswith("/standup")
    assert read(str(invitation["dailyToken"]))["room_name"] == "standup"
    await line.close()
    assert [room["name"] for room in await daily.rooms()] == ["standup"]


async def test_a_room_that_is_not_there_is_not_made(daily: Daily) -> None:
    line = daily.line(existing="standup")
    with pytest.raises(NotFoundError):
        await line.open()
    await line.close()
    assert await daily.rooms() == []


FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 401},
    {"kind": "status", "status": 429, "retry_after_secs": 1},
    {"kind": "status", "status": 500},
    {"kind": "hang"},
    {"kind": "refuse"},
    {"kind": "close", "after": 0},
    {"kind": "stall", "after": 0},
    {"kind": "malformed", "after": 0},
]


@pytest.mark.parametrize("skip", [0, 1, 2], ids=["room", "first token", "second token"])
@pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda fault: f"{fault['kind']}-{fault.get('status')}"
)
async def test_no_fault_leaves_a_room(daily: Daily, fault: dict[str, Any], skip: int) -> None:
    """The fault lasts for all tries of one request or more; then Daily is well again."""
    daily.break_with(**fault, skip=skip, times=HASTE.tries)
    line = daily.line()
    try:
        await line.open()
    except OffhookError:
        # The deletion must not meet what is left of the fault.
        daily.vendors.desk.behave(Behaviour())
    await line.close()
    assert await daily.rooms() == []


@pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda fault: f"{fault['kind']}-{fault.get('status')}"
)
async def test_a_room_that_cannot_be_deleted_expires(daily: Daily, fault: dict[str, Any]) -> None:
    line = daily.line()
    await line.open()
    daily.break_with(**fault, times=None)
    await line.close()
    left = await daily.rooms()
    # Where only the answer was lost, the room is gone.
    assert all(room["config"]["exp"] > 0 for room in left)
    assert bool(left) == (fault.get("after") != 0)


async def test_whoever_looks_after_the_call_later_is_told_of_the_room(daily: Daily) -> None:
    await daily.make("standup")
    ours, theirs = daily.line(), daily.line(existing="standup")
    for line in (ours, theirs):
        await line.open()
    assert ours.holder() == {"daily_room": "offhook-c0ffee"}
    # It is not ours to delete.
    assert theirs.holder() == {}
    await ours.close()


@pytest.mark.parametrize("kind", ["hang", "stall"])
@pytest.mark.parametrize("skip", [0, 1])
async def test_stopping_while_daily_is_asked_deletes_the_room(
    daily: Daily, kind: str, skip: int
) -> None:
    daily.break_with(kind=kind, after=0, skip=skip)
    line = daily.line()
    opening = asyncio.ensure_future(line.open())
    async with asyncio.timeout(5):
        while daily.vendors.desk.count("daily") <= skip:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
    opening.cancel()
    await asyncio.wait({opening})
    await line.close()
    assert await daily.rooms() == []


async def until(daily: Daily, method: str) -> None:
    """Wait until Daily was asked that."""
    async with asyncio.timeout(10):
        while not any(seen.method == method for seen in daily.vendors.desk.seen):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_room_that_is_made_after_its_deletion_is_deleted_again(
    daily: Daily, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Daily finishes what nobody waits for any more when it was already told to delete it."""
    monkeypatch.setattr(hosts.rooms, "LATE_SECS", 1.0)
    daily.break_with(kind="hang")
    line = daily.line()
    opening = asyncio.ensure_future(line.open())
    await until(daily, "POST")
    opening.cancel()
    await asyncio.wait({opening})
    closing = asyncio.ensure_future(line.close())
    await until(daily, "DELETE")
    await daily.make("offhook-c0ffee")
    assert len(await daily.rooms()) == 1
    await closing
    assert await daily.rooms() == []


async def test_a_room_that_was_answered_for_is_deleted_once(daily: Daily) -> None:
    line = daily.line()
    await line.open()
    await line.close()
    assert [seen.method for seen in daily.vendors.desk.seen].count("DELETE") == 1
