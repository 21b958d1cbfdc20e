from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from evals.simulators.anthropic import check, told
from evals.simulators.behaviour import Behaviour, Latency, Rule, Wits
from evals.simulators.vendors import Vendors

pytestmark = pytest.mark.integration

RULES = (
    Rule(heard="filling", tool="price", arguments={"treatment": "filling"}),
    Rule(say="We open at nine."),
)
PRICE = {
    "name": "price",
    "input_schema": {"type": "object", "properties": {"treatment": {"type": "string"}}},
}
HEADERS = {"x-api-key": "any", "anthropic-version": "2023-06-01"}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def body(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    said = list(messages) or [user("Hello?")]
    return {"model": "claude-haiku-5-5", "max_tokens": 100, "messages": said, **fields}


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    wits = Wits(ttft=Latency(p50_ms=0), tokens_per_sec=5000, rules=RULES)
    async with (
        Vendors(Behaviour(wits=wits)) as vendors,
        httpx.AsyncClient(base_url=vendors.url, trust_env=False) as client,
    ):
        yield client


async def ask(
    client: httpx.AsyncClient, said: dict[str, Any], headers: dict[str, str] = HEADERS
) -> httpx.Response:
    return await client.post("/anthropic/v1/messages", json=said, headers=headers)


async def events(client: httpx.AsyncClient, said: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await ask(client, said | {"stream": True})
    found: list[dict[str, Any]] = []
    for event in answer.text.strip().split("\n\n"):
        name, _, data = event.partition("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


async def test_words_are_streamed(client: httpx.AsyncClient) -> None:
    found = await events(client, body())
    assert [event["type"] for event in found] == [
        "message_start",
        "ping",
        "content_block_start",
        *["content_block_delta"] * 4,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    words = [event["delta"]["text"] for event in found if event["type"] == "content_block_delta"]
    assert "".join(words) == "We open at nine."
    assert found[-2]["delta"]["stop_reason"] == "end_turn"
    assert found[-2]["usage"]["output_tokens"] == 4


async def test_a_use_of_a_tool_is_streamed_in_pieces(client: httpx.AsyncClient) -> None:
    found = await events(client, body(user("A filling?"), tools=[PRICE]))
    block = next(event for event in found if event["type"] == "content_block_start")
    assert block["content_block"]["name"] == "price"
    assert block["content_block"]["input"] == {}
    pieces = [
        event["delta"]["partial_json"] for event in found if event["type"] == "content_block_delta"
    ]
    assert json.loads("".join(pieces)) == {"treatment": "filling"}
    assert found[-2]["delta"]["stop_reason"] == "tool_use"


async def test_a_whole_answer(client: httpx.AsyncClient) -> None:
    answer = (await ask(client, body())).json()
    assert answer["content"] == [{"type": "text", "text": "We open at nine."}]
    assert (answer["type"], answer["stop_reason"]) == ("message", "end_turn")


async def test_a_limit_cuts(client: httpx.AsyncClient) -> None:
    answer = (await ask(client, body(max_tokens=2))).json()
    assert (answer["content"][0]["text"], answer["stop_reason"]) == ("We open", "max_tokens")


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({}, 401, "authentication_error"),
        (HEADERS | {"x-api-key": "wrong-key"}, 401, "authentication_error"),
        ({"x-api-key": "any"}, 400, "invalid_request_error"),
    ],
)
async def test_headers_are_wanted(
    client: httpx.AsyncClient, headers: dict[str, str], status: int, kind: str
) -> None:
    answer = await ask(client, body(), headers)
    assert (answer.status_code, answer.json()["type"]) == (status, "error")
    assert answer.json()["error"]["type"] == kind


async def test_what_is_not_json(client: httpx.AsyncClient) -> None:
    answer = await client.post("/anthropic/v1/messages", content="{", headers=HEADERS)
    assert (answer.status_code, answer.json()["type"]) == (400, "error")


USED: dict[str, Any] = {"type": "tool_use", "id": "t1", "name": "x", "input": {}}
USE = {"role": "assistant", "content": [USED]}
RESULT = user([{"type": "tool_result", "tool_use_id": "t1", "content": "done"}])
GREETING = {"role": "assistant", "content": "Good morning."}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"model": "m", "messages": [user("x")]}, "max_tokens"),
        (body(GREETING, user("x")), "first message"),
        (body(user("x"), GREETING), "prefill"),
        (body(user("x"), {"role": "system", "content": "x"}, user("x")), "role"),
        (body(user("x"), USE, user("y")), "t1"),
        (body(user("x"), RESULT), "unexpected `tool_use_id`"),
        (body(tool_choice={"type": "auto"}), "tool_choice"),
        (body(temperature=0.3), "temperature"),
    ],
)
def test_what_the_api_refuses(said: dict[str, Any], words: str) -> None:
    assert words in check(said)


@pytest.mark.parametrize(
    "said",
    [
        body(user("x"), USE, RESULT),
        body(user("x"), GREETING, model="claude-haiku-4-5"),
        body(temperature=0.3, model="claude-haiku-4-5"),
    ],
)
def test_what_it_takes(said: dict[str, Any]) -> None:
    assert check(said) == ""


def test_the_talk_as_openai_has_it() -> None:
    assert told(body(user("x"), USE, RESULT)) == [
        {"role": "user", "content": "x"},
        {"role": "tool", "content": "done"},
    ]
