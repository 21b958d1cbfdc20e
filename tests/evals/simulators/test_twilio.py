"""The simulated Twilio keeps calls and refuses as the real one does."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from pipecat.frames.frames import EndFrame
from pipecat.serializers.twilio import TwilioFrameSerializer

from evals.simulators.behaviour import Behaviour, Fault
from evals.simulators.vendors import Vendors

pytestmark = pytest.mark.integration

ACCOUNT = f"AC{'0' * 32}"
DIAL = {"To": "+4930123456", "From": "+4930654321", "Url": "https://offhook.example/phone"}


@pytest.fixture
async def vendors() -> AsyncGenerator[Vendors]:
    async with Vendors() as served:
        yield served


@pytest.fixture
async def twilio(vendors: Vendors) -> AsyncGenerator[httpx.AsyncClient]:
    url = f"{vendors.url}/twilio/2010-04-01/Accounts/{ACCOUNT}"
    async with httpx.AsyncClient(base_url=url, auth=(ACCOUNT, "token"), trust_env=False) as http:
        yield http


async def dial(twilio: httpx.AsyncClient) -> str:
    answer = await twilio.post("/Calls.json", data=DIAL)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["sid"])


async def status(twilio: httpx.AsyncClient, sid: str) -> str:
    return str((await twilio.get(f"/Calls/{sid}.json")).json()["status"])


async def test_a_call_is_made_and_ended(twilio: httpx.AsyncClient) -> None:
    sid = await dial(twilio)
    assert await status(twilio, sid) == "queued"
    ended = await twilio.post(f"/Calls/{sid}.json", data={"Status": "completed"})
    assert (ended.status_code, ended.json()["status"]) == (200, "completed")
    again = await twilio.post(f"/Calls/{sid}.json", data={"Status": "completed"})
    assert (again.status_code, again.json()["code"]) == (400, 21220)
    listed = (await twilio.get("/Calls.json")).json()["calls"]
    assert [call["sid"] for call in listed] == [sid]


# Pipecat gives aiohttp the account in a way that aiohttp would rather be told otherwise.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_pipecats_serializer_hangs_up(vendors: Vendors, twilio: httpx.AsyncClient) -> None:
    sid = await dial(twilio)
    serializer = TwilioFrameSerializer(
        stream_sid="MZ1",
        call_sid=sid,
        account_sid=ACCOUNT,
        auth_token="token",
        base_url=f"{vendors.url}/twilio",
    )
    await serializer.serialize(EndFrame())
    assert await status(twilio, sid) == "completed"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"To": None}, 21201),
        ({"From": None}, 21213),
        ({"To": "12345"}, 21211),
        ({"From": "me"}, 21212),
        ({"Url": None}, 21205),
        ({"Url": "ftp://offhook.example"}, 21205),
    ],
)
async def test_a_bad_call_is_refused(
    twilio: httpx.AsyncClient, change: dict[str, Any], code: int
) -> None:
    form = {name: value for name, value in (DIAL | change).items() if value is not None}
    answer = await twilio.post("/Calls.json", data=form)
    body = answer.json()
    assert (answer.status_code, body["code"], body["status"]) == (400, code, 400)
    assert body["more_info"].endswith(str(code))


async def test_a_call_that_is_not_is_not_found(twilio: httpx.AsyncClient) -> None:
    answer = await twilio.get("/Calls/CA0.json")
    assert (answer.status_code, answer.json()["code"]) == (404, 20404)


async def test_a_status_that_is_none_is_refused(twilio: httpx.AsyncClient) -> None:
    sid = await dial(twilio)
    answer = await twilio.post(f"/Calls/{sid}.json", data={"Status": "in-progress"})
    assert answer.status_code == 400
    redirected = await twilio.post(f"/Calls/{sid}.json", data={"Url": DIAL["Url"]})
    assert redirected.json()["code"] == 21220


@pytest.mark.parametrize("auth", [None, (ACCOUNT, ""), (f"AC{'1' * 32}", "token")])
async def test_who_does_not_say_who_they_are_is_refused(vendors: Vendors, auth: Any) -> None:
    url = f"{vendors.url}/twilio/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(url, data=DIAL, auth=auth)
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)


async def test_a_fault_strikes(vendors: Vendors, twilio: httpx.AsyncClient) -> None:
    fault = Fault(kind="status", status=429, retry_after_secs=3)
    vendors.desk.behave(Behaviour(faults={"twilio": (fault,)}))
    answer = await twilio.post("/Calls.json", data=DIAL)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    await dial(twilio)
