"""A call in a process of its own: what its record says it used is what the server counts."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.calling import Caller
from tests.support.processes import until
from tests.support.serving import serving

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def figures(http: httpx.Client) -> dict[tuple[str, str], float]:
    """What was counted of the pipeline `simulated`, by name and by `kind` or `part`."""
    return {
        (sample.name, sample.labels.get("kind", sample.labels.get("part", ""))): sample.value
        for family in text_string_to_metric_families(http.get("/metrics").text)
        for sample in family.samples
        if sample.labels.get("pipeline") == "simulated"
    }


def last_used(folder: Path) -> dict[str, Any]:
    [path] = (folder / "calls").glob("*/events.jsonl")
    events = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [event for event in events if event["kind"] == "used"][-1]


async def test_what_the_record_says_is_what_is_counted(tmp_path: Path) -> None:
    arguments = ("--pipeline", "simulated", "--warm", "0")
    with serving(tmp_path, *arguments) as served, served.client() as http:
        session = http.post("/start", json={}).json()["sessionId"]
        caller = Caller()
        try:
            await caller.call(http, session)
            async with asyncio.timeout(90):
                await caller.turn_told.wait()
            http.delete(f"/sessions/{session}")
            await asyncio.to_thread(until, lambda: http.get("/healthz").json()["calls"] == 0)
        finally:
            await caller.leave()
        counted = figures(http)
    used = last_used(tmp_path)
    assert used["completion_tokens"] > 0
    assert used["characters"] > 0
    assert used["stt_secs"] > 0
    assert counted["offhook_llm_tokens_total", "prompt"] == used["prompt_tokens"]
    assert counted["offhook_llm_tokens_total", "completion"] == used["completion_tokens"]
    assert counted["offhook_tts_characters_total", ""] == used["characters"]
    assert counted["offhook_stt_seconds_total", ""] == pytest.approx(used["stt_secs"])
    assert [counted["offhook_cost_usd_total", part] for part in ("llm", "tts", "stt")] == [0, 0, 0]
