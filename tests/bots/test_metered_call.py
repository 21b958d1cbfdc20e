"""What is told of a call's use is what the vendors saw of it, and is priced."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from bots.plan import plan_call
from bots.usage import Tariff
from evals.call import CallOptions, NoAnswerError, run_call
from evals.corpus import librivox
from evals.simulators._wits import prompt_tokens
from evals.simulators.behaviour import Behaviour, Latency, Wits
from evals.simulators.vendors import Desk, Vendors
from pipelines.config import PRESETS
from providers.models import ModelStore

pytestmark = pytest.mark.integration


async def call(folder: Path, desk: Desk, *, clips: int, turn: str) -> list[dict[str, Any]]:
    """What was told of its use in a call in front of the simulated vendors."""
    desk.behave(Behaviour(wits=Wits(ttft=Latency(p50_ms=50))))
    preset = folder / "mine.toml"
    text = (PRESETS / "cloud.toml").read_text("utf-8")
    preset.write_text(text.replace("[turn]\n", f"[turn]\n{turn}\n"))
    options = CallOptions(
        bot="receptionist",
        preset=preset,
        wavs=tuple(clip.path for clip in librivox()[1 : 1 + clips]),
        out=None,
        data_dir=folder,
        answer_secs=12.0,
    )
    with contextlib.suppress(NoAnswerError):
        await run_call(options, ModelStore(offline=True, env=os.environ))
    [record] = await asyncio.to_thread(lambda: list((folder / "calls").iterdir()))
    lines = (await asyncio.to_thread((record / "events.jsonl").read_text)).splitlines()
    assert json.loads(lines[-1])["kind"] == "call_ended"
    return [event for event in map(json.loads, lines) if event["kind"] == "used"]


def completed(desk: Desk) -> int:
    """The prompts' tokens, as the model counts them for those that it answers to the end."""
    bodies = [json.loads(it.body) for it in desk.seen if it.service == "groq-chat" and it.body]
    return sum(prompt_tokens(body["messages"]) for body in bodies)


async def test_what_is_told_is_what_the_vendors_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Vendors() as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        told = await call(tmp_path, vendors.desk, clips=1, turn="speculate = false")
    desk, last = vendors.desk, told[-1]
    assert desk.abandoned["groq-chat"] == 0
    assert last["untold"] == 0
    assert last["prompt_tokens"] == completed(desk) > 0
    assert last["completion_tokens"] == desk.spent["tokens"] > 0
    assert last["characters"] == desk.spent["characters"] > 0
    assert last["stt_secs"] == pytest.approx(desk.spent["audio_ms"] / 1000, abs=0.1)
    assert last["stt_secs"] > 5
    prices = Tariff.of(plan_call(pipeline="cloud"))
    assert prices.llm
    assert prices.tts
    assert prices.stt
    assert last["llm_usd"] == pytest.approx(
        last["prompt_tokens"] * prices.llm.million_input_usd / 1e6
        + last["completion_tokens"] * prices.llm.million_output_usd / 1e6
    )
    assert last["tts_usd"] == pytest.approx(
        last["characters"] * prices.tts.thousand_characters_usd / 1000
    )
    assert last["stt_usd"] == pytest.approx(last["stt_secs"] * prices.stt.minute_usd / 60, rel=1e-3)


async def test_early_answers_are_in_the_totals_and_those_broken_off_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Vendors() as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        told = await call(tmp_path, vendors.desk, clips=1, turn="regret_ratio = 3.0")
    desk, last = vendors.desk, told[-1]
    asked = sum(it.service == "groq-chat" and bool(it.body) for it in desk.seen)
    assert asked > 1
    assert last["untold"] == desk.abandoned["groq-chat"]
    assert last["completion_tokens"] <= desk.spent["tokens"]
    assert last["characters"] == desk.spent["characters"]
    assert last["prompt_tokens"] > 0
