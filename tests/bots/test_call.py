"""A call in which a vendor fails: the caller gets an answer, or is told that there is none."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from bots.bot import load_bot
from bots.call import Stages, Surroundings, run
from bots.plan import plan_call
from evals.call import CallOptions, NoAnswerError, run_call
from evals.corpus import librivox
from evals.simulators.behaviour import Behaviour, Fault
from evals.simulators.vendors import Vendors
from hosts.site import FixedSite
from pipelines.config import PRESETS
from pipelines.headless import HeadlessTransport
from providers.models import ModelStore
from records.record import FolderStore

pytestmark = pytest.mark.integration

APOLOGY = load_bot("receptionist").settings.apology


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    async with Vendors() as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        yield vendors


async def events(folder: Path, *, stt: str = "deepgram") -> list[dict[str, Any]]:
    """What happened in a call in which one sentence was said."""
    preset = folder / "mine.toml"
    text = (PRESETS / "cloud.toml").read_text("utf-8")
    preset.write_text(text.replace('provider = "deepgram"', f'provider = "{stt}"'))
    options = CallOptions(
        bot="receptionist",
        preset=preset,
        wavs=(librivox()[1].path,),
        out=None,
        data_dir=folder,
        answer_secs=12.0,
    )
    with contextlib.suppress(NoAnswerError):
        await run_call(options, ModelStore(offline=True, env=os.environ))
    [call] = await asyncio.to_thread(lambda: list((folder / "calls").iterdir()))
    lines = await asyncio.to_thread((call / "events.jsonl").read_text)
    return [json.loads(line) for line in lines.splitlines()]


def told(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in found if event["kind"] == kind]


async def test_a_guess_that_failed_costs_the_caller_nothing(
    vendors: Vendors, tmp_path: Path
) -> None:
    # A status after which the vendor's own client does not ask again.
    fault = Fault(kind="status", status=402)
    vendors.desk.behave(Behaviour(faults={"groq-chat": (fault,)}))
    found = await events(tmp_path)
    [turn] = told(found, "turn")
    assert turn["answered"].startswith("You said: hello there.")
    assert told(found, "failed") == []
    assert [(it["provider"], it["code"]) for it in told(found, "retried")] == [("groq", "quota")]


async def test_a_turn_that_the_model_fails_gets_an_apology(
    vendors: Vendors, tmp_path: Path
) -> None:
    fault = Fault(kind="status", status=503, times=None)
    vendors.desk.behave(Behaviour(faults={"groq-chat": (fault,)}))
    found = await events(tmp_path)
    assert APOLOGY in told(found, "reply_ended")[1]["spoken"]
    assert {(it["provider"], it["code"]) for it in told(found, "failed")} == {("groq", "server")}


async def test_a_turn_that_the_recogniser_fails_gets_an_apology(
    vendors: Vendors, tmp_path: Path
) -> None:
    fault = Fault(kind="status", status=500, times=None)
    vendors.desk.behave(Behaviour(faults={"groq-transcribe": (fault,)}))
    found = await events(tmp_path, stt="groq_whisper")
    assert {failure["provider"] for failure in told(found, "failed")} == {"groq_whisper"}
    assert APOLOGY in told(found, "reply_ended")[1]["spoken"]


@pytest.mark.parametrize("hung_up", [True, False])
async def test_a_pipeline_that_is_never_built_keeps_no_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hung_up: bool
) -> None:
    monkeypatch.setattr("bots.call.BUILD_SECS", 0.2)
    loop = asyncio.get_running_loop()
    around = Surroundings(
        site=FixedSite({"weights": {}, "urls": {}}),
        records=FolderStore(tmp_path),
        state_dir=tmp_path,
        over=loop.create_future(),
    )
    if hung_up:
        around.over.set_result("caller_hung_up")
    plan = plan_call(pipeline="simulated", transport="headless")
    never: asyncio.Future[Stages] = loop.create_future()
    reason = await run(plan, HeadlessTransport(), around, stages=never)
    assert reason == ("caller_hung_up" if hung_up else "provider_failed")
    assert FolderStore(tmp_path).read(plan.id).reason == reason
    assert never.cancelled()
