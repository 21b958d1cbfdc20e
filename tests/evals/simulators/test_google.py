from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest

from evals.simulators.behaviour import Behaviour, Latency, Rule, Wits
from evals.simulators.google import check, told
from evals.simulators.vendors import Vendors

pytestmark = pytest.mark.integration

RULES = (
    Rule(heard="filling", tool="price", arguments={"treatment": "filling"}),
    Rule(say="We open at nine."),
)
SCHEMA = {"type": "OBJECT", "properties": {"treatment": {"type": "STRING"}}}
TOOLS = [{"functionDeclarations": [{"name": "price", "parameters": SCHEMA}]}]
MODEL = "gemini-3.6-flash"
STREAM = f"/google/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
WHOLE = f"/google/v1beta/models/{MODEL}:generateContent"


def turn(role: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "parts": list(parts)}


def user(text: str) -> dict[str, Any]:
    return turn("user", {"text": text})


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    wits = Wits(ttft=Latency(p50_ms=0), tokens_per_sec=5000, rules=RULES)
    async with (
        Vendors(Behaviour(wits=wits)) as vendors,
        httpx.AsyncClient(
            base_url=vendors.url, headers={"x-goog-api-key": "any"}, trust_env=False
        ) as client,
    ):
        yield client


async def chunks(client: httpx.AsyncClient, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.post(STREAM, json=body)
    events = answer.text.strip().split("\n\n")
    return [json.loads(event.removeprefix("data: ")) for event in events]


async def test_words_are_streamed(client: httpx.AsyncClient) -> None:
    found = await chunks(client, {"contents": [user("Hello?")]})
    candidates = [chunk["candidates"][0] for chunk in found]
    words = [candidate["content"]["parts"][0]["text"] for candidate in candidates]
    assert words == ["We", " open", " at", " nine."]
    assert [candidate.get("finishReason") for candidate in candidates] == [None, None, None, "STOP"]
    assert found[-1]["usageMetadata"]["candidatesTokenCount"] == 4


async def test_a_function_call_is_signed(client: httpx.AsyncClient) -> None:
    [chunk] = await chunks(client, {"contents": [user("A filling?")], "tools": TOOLS})
    [part] = chunk["candidates"][0]["content"]["parts"]
    assert part["functionCall"]["args"] == {"treatment": "filling"}
    assert part["thoughtSignature"]


async def test_a_whole_answer(client: httpx.AsyncClient) -> None:
    settings = {"maxOutputTokens": 2}
    body = {"contents": [user("Hello?")], "generationConfig": settings}
    answer = (await client.post(WHOLE, json=body)).json()
    [candidate] = answer["candidates"]
    assert [part["text"] for part in candidate["content"]["parts"]] == ["We", " open"]
    assert candidate["finishReason"] == "MAX_TOKENS"


@pytest.mark.parametrize(
    ("key", "status", "kind"),
    [("", 403, "PERMISSION_DENIED"), ("wrong-key", 400, "INVALID_ARGUMENT")],
)
async def test_a_key_is_wanted(client: httpx.AsyncClient, key: str, status: int, kind: str) -> None:
    headers = {"x-goog-api-key": key}
    answer = await client.post(STREAM, json={"contents": [user("x")]}, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["status"]) == (status, status, kind)


async def test_what_is_not_json(client: httpx.AsyncClient) -> None:
    answer = await client.post(STREAM, content="{")
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


CALL = turn("model", {"functionCall": {"name": "x"}, "thoughtSignature": "c2ln"})
UNSIGNED = turn("model", {"functionCall": {"name": "x"}})
RESULT = turn("user", {"functionResponse": {"name": "x", "response": {"say": "done"}}})
SAID = turn("model", {"text": "x"})


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ([], "contents is not specified"),
        ([turn("assistant", {"text": "x"})], "valid role"),
        ([CALL, RESULT], "function call turn"),
        ([user("x"), SAID, CALL, RESULT], "function call turn"),
        ([user("x"), RESULT], "function response turn"),
        ([user("x"), CALL, user("y")], "function response turn"),
        ([user("x"), SAID], "ends with a user turn"),
        ([user("x"), UNSIGNED, RESULT], "thought_signature"),
    ],
)
def test_what_the_api_refuses(contents: list[Any], words: str) -> None:
    assert words in check(MODEL, {"contents": contents})


@pytest.mark.parametrize(
    "contents",
    [
        [user("x"), CALL, RESULT],
        [user("x"), CALL, RESULT, CALL, RESULT],
        [user("x"), UNSIGNED, RESULT, user("y")],
        [user("x"), CALL, RESULT, user("y"), SAID, user("z")],
    ],
)
def test_what_it_takes(contents: list[Any]) -> None:
    assert check(MODEL, {"contents": contents}) == ""


def test_the_talk_as_openai_has_it() -> None:
    assert told({"contents": [user("x"), CALL, RESULT, SAID]}) == [
        {"role": "user", "content": "x"},
        {"role": "tool", "content": '{"say": "done"}'},
        {"role": "assistant", "content": "x"},
    ]
