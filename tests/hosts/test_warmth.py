"""What is done before there is a call: its connections are there, and nobody is bothered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

import hosts.warmth as warmths
from bots.greeting import FOLDER
from bots.plan import CallPlan, plan_call
from evals.simulators.vendors import Vendors
from hosts.requests import Order, Prebuild
from hosts.warmth import Warmth
from tests.support.callers import Caller
from tests.support.serving import serving
from tests.support.vendors import vendors_beside
from tests.support.waiting import until

pytestmark = pytest.mark.integration

SITE: dict[str, Any] = {"weights": {}, "urls": {}}
MODELS = "/groq/openai/v1/models"
VOICE = "/cartesia/tts/websocket"


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    async with Vendors() as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        yield vendors


def warmth(plan: CallPlan, records: Path | None = None) -> Warmth:
    return Warmth(Prebuild(plan=plan.to_json(), site=SITE, records=records))


def ports(vendors: Vendors, path: str) -> list[int]:
    """The connection of each request to that path."""
    return [port for asked, port in vendors.desk.came if asked == path]


async def test_the_connections_that_may_idle_are_opened_and_nothing_is_billed(
    vendors: Vendors,
) -> None:
    warm = warmth(plan_call(pipeline="cloud"))
    await warm.stages
    await until(lambda: ports(vendors, MODELS) and ports(vendors, VOICE))
    warm.leave_off()
    assert {path for path, _ in vendors.desk.came} == {MODELS, VOICE}
    assert not vendors.desk.spent
    stages = warm.stages.result()
    await stages.llm.cleanup()
    await stages.tts.cleanup()


async def test_what_the_vendor_closed_is_opened_again_until_a_call_begins(
    vendors: Vendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warmths, "AGAIN_SECS", 0.1)
    warm = warmth(plan_call(pipeline="cloud-deepgram"))
    await until(lambda: len(set(ports(vendors, MODELS))) == 1)
    vendors.drop()
    await until(lambda: len(set(ports(vendors, MODELS))) > 1)
    warm.leave_off()
    await asyncio.sleep(0.1)
    came = len(vendors.desk.came)
    await asyncio.sleep(0.5)
    assert len(vendors.desk.came) == came
    await warm.stages.result().llm.cleanup()


async def test_a_pipeline_of_this_machine_asks_nobody(vendors: Vendors, tmp_path: Path) -> None:
    plan = plan_call(bot="interviewer", pipeline="simulated")
    warm = warmth(plan, tmp_path / "calls")
    await until(lambda: list((tmp_path / FOLDER).glob("*.wav")))
    assert vendors.desk.came == []
    order: dict[str, Any] = {
        "session": "a",
        "ticket": {},
        "records": tmp_path,
        "state_dir": tmp_path,
    }
    assert warm.fits(Order(plan=plan.to_json(), site=SITE, **order))
    other = plan_call(bot="receptionist", pipeline="simulated")
    assert not warm.fits(Order(plan=other.to_json(), site=SITE, **order))
    warm.leave_off()


async def test_a_call_uses_the_connections_that_waited_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with vendors_beside() as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        options = ("--pipeline", "cloud", "--warm", "1")
        with serving(tmp_path, *options) as server:
            kept = tmp_path / FOLDER
            await until(lambda: ports(vendors, MODELS) and list(kept.glob("*.wav")))
            (ahead,) = ports(vendors, MODELS)
            caller = Caller()
            async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
                session = (await http.post("/start", json={})).json()["sessionId"]
                offer = {"sdp": await caller.offer(), "type": "offer"}
                answer = await http.post(f"/sessions/{session}/api/offer", json=offer)
                await caller.take(answer.json())
                try:
                    # What gets warm for the next call has a connection of its own.
                    await until(lambda: ports(vendors, MODELS).count(ahead) > 1)
                finally:
                    await caller.leave()
