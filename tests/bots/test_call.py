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
from evals.call import CallOptions, NoAnswerError, run_call
from evals.corpus import librivox
from evals.simulators.behaviour import Behaviour, Fault
from evals.simulators.vendors import Vendors
from pipelines.config import PRESETS
from providers.models import ModelStore

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
    vendors.desk.behave(Behaviour(faults={"groq-chat": (Fault(kind="status", status=429),)}))
    found = await events(tmp_path)
    [turn] = told(found, "turn")
    assert turn["answered"].startswith("You said: hello there.")
    assert told(found, "failed") == []


async def test_a_turn_that_the_model_fails_gets_an_apology(
    vendors: Vendors, tmp_path: Path
) -> None:
    fault = Fault(kind="status", status=503, times=None)
    vendors.desk.behave(Behaviour(faults={"groq-chat": (fault,)}))
    found = await events(tmp_path)
    assert APOLOGY in told(found, "reply_ended")[1]["spoken"]
    assert {failure["code"] for failure in told(found, "failed")} == {"server"}


async def test_a_turn_that_the_recogniser_fails_gets_an_apology(
    vendors: Vendors, tmp_path: Path
) -> None:
    fault = Fault(kind="status", status=500, times=None)
    vendors.desk.behave(Behaviour(faults={"groq-transcribe": (fault,)}))
    found = await events(tmp_path, stt="groq_whisper")
    assert told(found, "failed")
    assert APOLOGY in told(found, "reply_ended")[1]["spoken"]
