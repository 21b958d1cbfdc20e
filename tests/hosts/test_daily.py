"""Daily's REST API at its best and at its worst: what is tried again, and what is said."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from errors import MissingError, NotFoundError, OffhookError
from evals.simulators.behaviour import Behaviour, Fault
from evals.simulators.vendors import Vendors
from hosts.daily import DailyError, DailyRest
from hosts.retry import Patience
from tests.support.serving import free_port

pytestmark = pytest.mark.integration

HASTE = Patience(tries=3, try_secs=0.3, total_secs=5.0, base_secs=0.01, cap_secs=0.02)


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    async with Vendors() as served:
        monkeypatch.setenv("OFFHOOK_VENDORS", served.url)
        yield served


@pytest.fixture
async def rest(vendors: Vendors) -> AsyncGenerator[DailyRest]:
    async with DailyRest(patience=HASTE) as client:
        yield client


def break_with(vendors: Vendors, **fault: Any) -> None:
    vendors.desk.behave(Behaviour(faults={"daily": (Fault.model_validate(fault),)}))


async def test_a_room_is_private_and_found_again(vendors: Vendors, rest: DailyRest) -> None:
    room = await rest.create_room("offhook-1", {"max_participants": 2})
    assert await rest.find_room("offhook-1") == room
    assert await rest.mint_token({"room_name": "offhook-1"})
    await rest.delete_room("offhook-1")
    await rest.delete_room("offhook-1")
    with pytest.raises(NotFoundError) as caught:
        await rest.find_room("offhook-1")
    assert caught.value.field == "dailyRoom"
    assert {seen.headers["authorization"] for seen in vendors.desk.seen} == {"Bearer simulated"}


PASSING: list[dict[str, Any]] = [
    {"kind": "status", "status": 429, "retry_after_secs": 0},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503},
    {"kind": "refuse"},
    {"kind": "hang"},
    {"kind": "close", "after": 0},
    {"kind": "stall", "after": 0},
    {"kind": "malformed", "after": 0},
]


@pytest.mark.parametrize("fault", PASSING)
async def test_what_passes_is_not_noticed(
    vendors: Vendors, rest: DailyRest, fault: dict[str, Any]
) -> None:
    break_with(vendors, **fault)
    room = await rest.create_room("offhook-1", {})
    assert room.name == "offhook-1"
    break_with(vendors, **fault)
    assert await rest.mint_token({"room_name": "offhook-1"})
    break_with(vendors, **fault)
    await rest.delete_room("offhook-1")
    with pytest.raises(NotFoundError):
        await rest.find_room("offhook-1")


@pytest.mark.parametrize(
    ("fault", "code", "status", "says"),
    [
        ({"kind": "status", "status": 401}, "daily_key", 502, "DAILY_API_KEY"),
        ({"kind": "status", "status": 403}, "daily_key", 502, "DAILY_API_KEY"),
        ({"kind": "status", "status": 429}, "daily_busy", 503, "Try again"),
        ({"kind": "status", "status": 500}, "daily", 502, "fault of its own"),
        ({"kind": "status", "status": 400}, "daily", 502, "refuses the request"),
        ({"kind": "hang"}, "daily_unreachable", 504, "DAILY_API_URL"),
        ({"kind": "refuse"}, "daily_unreachable", 504, "DAILY_API_URL"),
        ({"kind": "malformed", "after": 0}, "daily_unreachable", 504, "DAILY_API_URL"),
    ],
)
async def test_what_does_not_pass_is_told(
    vendors: Vendors, rest: DailyRest, fault: dict[str, Any], code: str, status: int, says: str
) -> None:
    break_with(vendors, **fault, times=None)
    with pytest.raises(DailyError) as caught:
        await rest.mint_token({})
    assert (caught.value.code, caught.value.status) == (code, status)
    assert says in caught.value.message
    tries = vendors.desk.count("daily")
    assert tries == (1 if fault.get("status", 500) in (400, 401, 403) else HASTE.tries)


async def test_daily_is_left_alone_as_long_as_it_asks(vendors: Vendors, rest: DailyRest) -> None:
    break_with(vendors, kind="status", status=429, retry_after_secs=3600, times=None)
    with pytest.raises(DailyError) as caught:
        await rest.mint_token({})
    assert caught.value.headers == {"Retry-After": "3600"}
    assert vendors.desk.count("daily") == 1


async def test_an_answer_without_a_room_in_it_is_told(
    vendors: Vendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something else answers at DAILY_API_URL: here, a list where one room should be."""
    async with DailyRest(patience=HASTE) as rest:
        with pytest.raises(DailyError, match="DAILY_API_URL"):
            await rest.find_room("../rooms")


async def test_a_port_that_nobody_listens_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFHOOK_VENDORS", f"http://127.0.0.1:{free_port()}")
    async with DailyRest(patience=HASTE) as rest:
        with pytest.raises(OffhookError) as caught:
            await rest.create_room("offhook-1", {})
    assert caught.value.code == "daily_unreachable"


async def test_a_key_that_is_absent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OFFHOOK_VENDORS", raising=False)
    monkeypatch.delenv("DAILY_API_KEY", raising=False)
    async with DailyRest(patience=HASTE) as rest:
        with pytest.raises(MissingError, match="DAILY_API_KEY"):
            await rest.find_room("offhook-1")


async def test_a_taken_name_that_is_not_ours_cannot_be_told_from_ours(
    vendors: Vendors, rest: DailyRest
) -> None:
    """So a host never takes a name that anybody could guess; see `hosts.rooms`."""
    async with httpx.AsyncClient(trust_env=False) as http:
        await http.post(
            f"{vendors.url}/daily/v1/rooms",
            headers={"Authorization": "Bearer simulated"},
            json={"name": "offhook-1"},
        )
    assert (await rest.create_room("offhook-1", {})).name == "offhook-1"
