from __future__ import annotations

import asyncio

import httpx
import pytest

from evals.simulators.behaviour import Behaviour, Fault, Latency, Rule, Wits
from evals.simulators.vendors import Vendors

pytestmark = pytest.mark.integration

ASK = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hello?"}]}


def wits(words: int, tokens_per_sec: float) -> Wits:
    rules = (Rule(say="word " * words),)
    return Wits(ttft=Latency(p50_ms=0), tokens_per_sec=tokens_per_sec, rules=rules)


async def test_the_first_token_is_due_with_the_opening() -> None:
    async with (
        Vendors(Behaviour(wits=wits(2, 0.01))) as vendors,
        httpx.AsyncClient(base_url=vendors.url, trust_env=False) as client,
        asyncio.timeout(30),
        client.stream("POST", "/ollama/v1/chat/completions", json=ASK) as answer,
    ):
        # The second token comes after a minute and a half.
        async for line in answer.aiter_lines():
            if '"word"' in line or '"word ' in line:
                return
    raise AssertionError("no token")


async def test_who_leaves_early_is_counted() -> None:
    async with (
        Vendors(Behaviour(wits=wits(1000, 50))) as vendors,
        httpx.AsyncClient(base_url=vendors.url, trust_env=False) as client,
    ):
        async with client.stream("POST", "/ollama/v1/chat/completions", json=ASK) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            async for _ in answer.aiter_lines():
                break
        async with asyncio.timeout(20):
            # The simulated vendor tells nobody; it counts.
            while not vendors.desk.abandoned["ollama-chat"]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_who_stays_is_not() -> None:
    async with (
        Vendors(Behaviour(wits=wits(3, 1000))) as vendors,
        httpx.AsyncClient(base_url=vendors.url, trust_env=False) as client,
    ):
        answer = await client.post("/ollama/v1/chat/completions", json=ASK)
        assert answer.text.endswith("data: [DONE]\n\n")
        assert vendors.desk.abandoned.total() == 0


@pytest.mark.parametrize("path", ["/ollama/v1/chat/completions", "/anthropic/v1/messages"])
async def test_rubbish_comes_where_it_shall(path: str) -> None:
    faults = {name: (Fault(kind="malformed", after=2),) for name in ("ollama-chat", "anthropic")}
    headers = {"x-api-key": "any", "anthropic-version": "2023-06-01"}
    async with (
        Vendors(Behaviour(wits=wits(3, 1000), faults=faults)) as vendors,
        httpx.AsyncClient(base_url=vendors.url, trust_env=False) as client,
    ):
        body = ASK | {"max_tokens": 99}
        events = (await client.post(path, json=body, headers=headers)).text.split("\n\n")
    assert ["<html>" in event for event in events[:4]] == [False, False, True, False]
