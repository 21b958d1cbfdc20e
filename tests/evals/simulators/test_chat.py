from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from evals.simulators.behaviour import Behaviour, Latency, Rule, Wits
from evals.simulators.chat import GROQ, OLLAMA, OPENAI, Vendor, check
from evals.simulators.vendors import Vendors

pytestmark = pytest.mark.integration

RULES = (
    Rule(heard="filling", tool="price", arguments={"treatment": "filling"}),
    Rule(say="We open at nine."),
)
PRICE = {
    "type": "function",
    "function": {
        "name": "price",
        "parameters": {"type": "object", "properties": {"treatment": {"type": "string"}}},
    },
}
EACH = [pytest.param(vendor, id=vendor.name) for vendor in (GROQ, OPENAI, OLLAMA)]


def body(words: str = "Hello?", **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": words}], **fields}


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    wits = Wits(ttft=Latency(p50_ms=0), tokens_per_sec=5000, rules=RULES)
    async with (
        Vendors(Behaviour(wits=wits)) as vendors,
        httpx.AsyncClient(
            base_url=vendors.url, headers={"Authorization": "Bearer any"}, trust_env=False
        ) as client,
    ):
        yield client


async def stream(client: httpx.AsyncClient, vendor: Vendor, **fields: Any) -> list[dict[str, Any]]:
    answer = await client.post(f"{vendor.root}/chat/completions", json=body(stream=True, **fields))
    events = [event.removeprefix("data: ") for event in answer.text.strip().split("\n\n")]
    assert events.pop() == "[DONE]"
    return [json.loads(event) for event in events]


@pytest.mark.parametrize("vendor", EACH)
async def test_words_are_streamed(client: httpx.AsyncClient, vendor: Vendor) -> None:
    chunks = await stream(client, vendor)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert [delta["content"] for delta in deltas[1:-1]] == ["We", " open", " at", " nine."]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[-2:]] == [None, "stop"]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}


@pytest.mark.parametrize("vendor", EACH)
async def test_a_tool_call_is_streamed_in_pieces(client: httpx.AsyncClient, vendor: Vendor) -> None:
    messages = [{"role": "user", "content": "A filling?"}]
    chunks = await stream(client, vendor, tools=[PRICE], messages=messages)
    calls = [
        call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())
    ]
    assert (calls[0]["id"], calls[0]["function"]["name"]) == ("call_1", "price")
    assert len(calls) > 2
    arguments = "".join(call["function"]["arguments"] for call in calls)
    assert json.loads(arguments) == {"treatment": "filling"}
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_usage_comes_last_if_it_is_asked_for(client: httpx.AsyncClient) -> None:
    chunks = await stream(client, OPENAI, stream_options={"include_usage": True})
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 4


async def test_a_whole_answer(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/openai/v1/chat/completions", json=body())).json()
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "We open at nine."}
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + 4


async def test_a_whole_tool_call(client: httpx.AsyncClient) -> None:
    asked = body("A filling?", tools=[PRICE])
    answer = (await client.post("/groq/openai/v1/chat/completions", json=asked)).json()
    [call] = answer["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"treatment": "filling"}
    assert answer["choices"][0]["finish_reason"] == "tool_calls"


async def test_a_limit_cuts(client: httpx.AsyncClient) -> None:
    asked = body(max_completion_tokens=2)
    answer = (await client.post("/openai/v1/chat/completions", json=asked)).json()
    choice = answer["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("We open", "length")


@pytest.mark.parametrize("vendor", EACH)
async def test_the_models_are_listed(client: httpx.AsyncClient, vendor: Vendor) -> None:
    listed = (await client.get(f"{vendor.root}/models")).json()
    assert [model["object"] for model in listed["data"]] == ["model"]


@pytest.mark.parametrize(
    ("vendor", "header", "words"),
    [
        (GROQ, "", "Invalid API Key"),
        (GROQ, "Bearer wrong-key", "Invalid API Key"),
        (OPENAI, "any", "Incorrect API key provided"),
        (OPENAI, "Bearer wrong-key-0123456789", "wrong-ke"),
    ],
)
async def test_without_a_key_nothing_is_said(
    client: httpx.AsyncClient, vendor: Vendor, header: str, words: str
) -> None:
    path, headers = f"{vendor.root}/chat/completions", {"Authorization": header}
    answer = await client.post(path, json=body(), headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (401, "invalid_api_key")
    assert words in error["message"]
    assert "0123456789" not in error["message"]


@pytest.mark.parametrize("text", ["{", "[]", '"hello"'])
async def test_what_is_not_a_request(client: httpx.AsyncClient, text: str) -> None:
    answer = await client.post("/groq/openai/v1/chat/completions", content=text)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


CALL = {"role": "assistant", "tool_calls": [{"id": "c1"}]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "done"}
USER = {"role": "user", "content": "x"}


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "at least one message"),
        ([{"role": "narrator", "content": "x"}], "Invalid value: 'narrator'"),
        ([USER, RESULT], "must be a response to a preceding"),
        ([USER, CALL, USER], "did not have one: c1"),
        ([USER, CALL], "did not have one: c1"),
        ([USER, CALL, RESULT, RESULT], "must be a response to a preceding"),
    ],
)
def test_messages_that_no_vendor_takes(messages: list[Any], words: str) -> None:
    complaint = check(GROQ, {"model": "m", "messages": messages})
    assert complaint
    assert complaint.status == 400
    assert words in complaint.message


def test_messages_that_every_vendor_takes() -> None:
    messages = [USER, CALL, RESULT, {"role": "assistant", "content": "x"}, USER]
    assert check(GROQ, {"model": "m", "messages": messages}) is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"model": "gpt-6-luna", "max_tokens": 9}, "max_tokens"),
        ({"model": "gpt-6-luna", "tools": [PRICE]}, "reasoning_effort"),
        ({"model": "gpt-6-luna", "tools": [PRICE], "reasoning_effort": "low"}, "reasoning_effort"),
    ],
)
def test_what_openai_alone_refuses(fields: dict[str, Any], param: str) -> None:
    complaint = check(OPENAI, body(**fields))
    assert complaint
    assert complaint.param == param
    assert check(GROQ, body(**fields)) is None


def test_a_model_must_be_named_and_be_there() -> None:
    nameless, unknown = check(GROQ, body(model="")), check(GROQ, body(model="no-such"))
    assert nameless
    assert nameless.status == 400
    assert unknown
    assert unknown.status == 404


async def test_ollama_loads_a_model(client: httpx.AsyncClient) -> None:
    answer = await client.post("/ollama/api/generate", json={"model": "m", "keep_alive": 60})
    assert answer.json() == {"model": "m", "done": True, "done_reason": "load"}
