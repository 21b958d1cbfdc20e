from __future__ import annotations

from typing import Any

import pytest

from providers.llm._llama_cpp_request import conversation, key, reading

pytestmark = pytest.mark.unit

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "price",
        "description": "What a treatment costs.",
        "parameters": {"type": "object", "properties": {}, "required": []},
    },
}
HISTORY = [
    {"role": "system", "content": "You are Robin."},
    {"role": "user", "content": "Hello?"},
]


def asked(messages: list[dict[str, str]], tools: list[dict[str, Any]]) -> dict[str, Any]:
    return conversation(messages, tools, head=1, ctx_tokens=4096)


def test_with_tools_the_answer_is_json_and_the_likeliest() -> None:
    told = asked(HISTORY, [TOOL])
    assert told["response_format"]["type"] == "json_schema"
    assert told["temperature"] == 0
    assert "price" in told["messages"][0]["content"]


def test_without_tools_the_answer_is_one_line_of_text() -> None:
    told = asked(HISTORY, [])
    assert told["messages"] == HISTORY
    assert told["stop"] == ["\n"]
    assert "response_format" not in told


def test_a_talk_that_outgrows_the_window_loses_its_oldest_turns() -> None:
    words = [{"role": "user", "content": "word " * 100} for _ in range(100)]
    told = asked([HISTORY[0], *words], [])
    assert told["messages"][0] == HISTORY[0]
    assert sum(len(message["content"]) for message in told["messages"]) < 4096 * 3


def test_reading_ahead_writes_nothing() -> None:
    body = reading(asked(HISTORY, [TOOL]))
    assert (body["max_tokens"], body["add_generation_prompt"]) == (0, False)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("How much is a filling", "How much is a filling?", True),
        ("how much is a filling.", "How much is a Filling", True),
        ("How much is a filling", "How much is a crown", False),
    ],
)
def test_two_requests_are_the_same_but_for_punctuation(first: str, second: str, same: bool) -> None:
    keys = [
        key(asked([HISTORY[0], {"role": "user", "content": words}], [TOOL]))
        for words in (first, second)
    ]
    assert (keys[0] == keys[1]) is same
