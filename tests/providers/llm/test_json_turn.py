from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.llm._json_turn import (
    Call,
    JsonTurn,
    Say,
    as_json_turns,
    describe_tools,
    reply_schema,
)

pytestmark = pytest.mark.unit

PRICE: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "price",
        "description": "What a treatment costs.",
        "parameters": {
            "type": "object",
            "properties": {"treatment": {"type": "string"}},
            "required": ["treatment"],
        },
    },
}
SPACES = str.maketrans(dict.fromkeys("\n\r\t", " ") | dict.fromkeys("\b\f", ""))


def called(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    call = {"id": "1", "type": "function"}
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": None, "tool_calls": [call | {"function": function}]}


def read(pieces: list[str]) -> list[Say | Call]:
    """What a turn yields, neighbouring words joined."""
    turn, found = JsonTurn(), list[Say | Call]()
    for part in (part for piece in pieces for part in turn.feed(piece)):
        last = found[-1] if found else None
        if isinstance(part, Say) and isinstance(last, Say):
            found[-1] = Say(last.text + part.text)
        else:
            found.append(part)
    return found


def cut(text: str, places: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[start:end] for start, end in pairwise(edges)]


@given(st.text(min_size=1), st.lists(st.integers(min_value=0)), st.booleans())
def test_words_come_out_however_the_stream_is_cut(
    words: str, places: list[int], ascii_only: bool
) -> None:
    answer = json.dumps(words, ensure_ascii=ascii_only)
    spoken = words.translate(SPACES)
    assert read(cut(answer, places)) == ([Say(spoken)] if spoken else [])


@given(
    st.dictionaries(st.text(), st.text() | st.integers() | st.none()),
    st.lists(st.integers(min_value=0)),
)
def test_a_call_comes_out_once_however_the_stream_is_cut(
    arguments: dict[str, Any], places: list[int]
) -> None:
    [call] = read(cut(json.dumps({"price": arguments}), places))
    assert isinstance(call, Call)
    assert (call.name, json.loads(call.arguments)) == ("price", arguments)


@given(st.text(), st.lists(st.integers(min_value=0)))
def test_nothing_that_a_model_writes_breaks_it(text: str, places: list[int]) -> None:
    read(cut(text, places))


@pytest.mark.parametrize(
    ("answer", "spoken"),
    [
        (r'"a \"b\" \\ c"', 'a "b" \\ c'),
        (r'"one\ntwo"', "one two"),
        (r'"caf\u00e9"', "café"),
        (r'"\ud83d\ude00!"', "😀!"),
        (r'"\ud83d!"', "!"),
        (r'"\ud83d\n!"', " !"),
        (r'"\uzzzz!"', "!"),
        ('  "Hello"  ', "Hello"),
        ('"Hello" and more', "Hello"),
        ("Hello without quotes", "Hello without quotes"),
    ],
)
def test_escapes_become_what_is_heard(answer: str, spoken: str) -> None:
    assert read([answer]) == [Say(spoken)]


def test_the_first_word_is_spoken_before_the_answer_is_complete() -> None:
    assert read(['"', "We open"]) == [Say("We open")]


def test_a_call_waits_for_its_last_brace() -> None:
    assert read(['{"price": {"treatment": "fill']) == []


def test_the_schema_allows_words_or_one_call() -> None:
    words, price = reply_schema([PRICE])["anyOf"]
    assert words == {"type": "string"}
    assert price["required"] == ["price"]
    assert price["properties"]["price"]["required"] == ["treatment"]
    assert price["additionalProperties"] is False


def test_the_model_is_told_each_tool_by_name_arguments_and_purpose() -> None:
    told = describe_tools([PRICE])
    assert '{"price": {"treatment": ...}}  What a treatment costs.' in told


def test_a_history_is_rewritten_into_the_form_of_the_answers() -> None:
    history = [
        {"role": "system", "content": "You are Robin."},
        {"role": "user", "content": "A filling?"},
        called("price", {"treatment": "filling"}),
        {"role": "tool", "tool_call_id": "1", "content": '{"say": "120 dollars.", "dollars": 120}'},
        {"role": "assistant", "content": "120 dollars."},
        {"role": "user", "content": [{"type": "text", "text": "Thanks"}]},
        {"role": "assistant", "content": "You're welcome."},
    ]
    prompt, *turns = as_json_turns(history, [PRICE])
    assert prompt["content"].startswith("You are Robin.\n\n")
    assert [(turn["role"], turn["content"]) for turn in turns] == [
        ("user", "A filling?"),
        ("assistant", '{"price":{"treatment":"filling"}}'),
        ("system", "120 dollars."),
        ("user", "Thanks"),
        ("assistant", '"You\'re welcome."'),
    ]


@pytest.mark.parametrize("result", ["done", "IN_PROGRESS", "[1]", '"text"', '{"other": 1}'])
def test_a_result_without_a_sentence_leaves_no_trace(result: str) -> None:
    history = [
        called("price", {}),
        {"role": "tool", "content": result},
        {"role": "assistant", "content": "Hm."},
    ]
    assert [turn["content"] for turn in as_json_turns(history, [PRICE])] == [
        '{"price":{}}',
        '"Hm."',
    ]


def test_what_was_said_before_does_not_change_when_more_is_said() -> None:
    history = [
        {"role": "system", "content": "Prompt."},
        {"role": "user", "content": "Hi"},
        called("price", {"treatment": "crown"}),
        {"role": "tool", "content": '{"say": "700 dollars."}'},
    ]
    before = as_json_turns(history, [PRICE])
    spoken = {"role": "assistant", "content": "700 dol"}
    after = as_json_turns([*history, spoken, {"role": "user", "content": "What?"}], [PRICE])
    assert after[: len(before)] == before
