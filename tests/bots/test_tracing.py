"""A call is traced by Pipecat itself, where there is a collector, from the process it runs in."""

from __future__ import annotations

import asyncio
import os
import sys
from importlib.machinery import ModuleSpec

import pytest

import bots.tracing
from bots.plan import plan_call
from errors import MissingError
from evals.simulators.vendors import Vendors
from records.tracing import ENDPOINT, WORDS
from tests.support.collector import Collector, collecting, told
from tests.support.serving import free_port

pytestmark = pytest.mark.integration

SAID = "my name is Ada"
COMMAND = ("-m", "tests.support.traced_call", SAID)


async def asked(**environ: str) -> tuple[Collector, str]:
    """What a collector has of a forked process that asked a model once; the call's id."""
    async with Vendors() as vendors, collecting() as collector:
        where = {ENDPOINT: collector.url, "OFFHOOK_VENDORS": vendors.url, "NO_PROXY": "*"}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *COMMAND,
            env=os.environ | where | environ,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
    call_id, threads, code = out.decode().split()[-3:]
    assert (threads, code) == ("1", "0")
    return collector, call_id


async def test_a_forked_call_sends_its_spans_without_words() -> None:
    collector, call_id = await asked()
    assert collector.services == {bots.tracing.SERVICE}
    [conversation], [wits] = collector.named("conversation"), collector.named("llm")
    assert told(conversation) == {
        "conversation.id": call_id,
        "conversation.type": "voice",
        "offhook.bot": "receptionist",
        "offhook.pipeline": "cloud",
        "offhook.transport": "headless",
    }
    assert wits.trace_id == conversation.trace_id
    assert told(wits)["metrics.ttfb"] > 0
    assert SAID.encode() not in collector.raw
    assert b"You said" not in collector.raw


async def test_words_are_in_the_spans_of_an_operator_who_wants_them() -> None:
    collector, _ = await asked(**{WORDS: "1"})
    [wits] = collector.named("llm")
    assert SAID in told(wits)["input"]
    assert told(wits)["output"].startswith("You said")


async def test_a_collector_that_is_away_costs_a_call_nothing() -> None:
    """It asks its model and ends as it would have."""
    await asked(**{ENDPOINT: f"http://127.0.0.1:{free_port()}"})


def test_nothing_is_traced_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENDPOINT, raising=False)
    bots.tracing.check()
    assert bots.tracing.worker_options(plan_call(pipeline="simulated")) == {}


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(name: str) -> ModuleSpec | None:
        return None if "otlp" in name else ModuleSpec(name, None)

    monkeypatch.setattr(bots.tracing, "find_spec", found)
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:4318")
    with pytest.raises(MissingError, match=r"offhook\[otel\]") as missing:
        bots.tracing.check()
    assert missing.value.field == ENDPOINT
