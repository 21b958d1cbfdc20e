from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.simulators._wits import (
    Say,
    Use,
    decide,
    pieces,
    prompt_tokens,
    retell,
    shorten,
    shorten_call,
    text_of,
    tokens,
)
from evals.simulators.behaviour import Rule, Wits

pytestmark = pytest.mark.unit

RULES = (
    Rule(heard=r"\bopen\b", tool="opening_hours", arguments={"day": "monday"}),
    Rule(heard="bye", say="Good-bye!"),
    Rule(say="You said: {heard}"),
)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def tool(name: str, properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


HOURS = tool("opening_hours", {"day": {"type": "string"}})


@pytest.mark.parametrize(
    ("heard", "answer"),
    [
        ("When are you OPEN on Monday?", Use("opening_hours", {"day": "monday"})),
        ("Good bye.", Say("Good-bye!")),
        ("Hello there", Say("You said: Hello there")),
    ],
)
def test_the_first_rule_that_matches_is_used(heard: str, answer: Say | Use) -> None:
    assert decide([user("open"), user(heard)], [HOURS], RULES) == answer


@pytest.mark.parametrize(
    "offered",
    [
        pytest.param([], id="no tool"),
        pytest.param([tool("price", {"day": {"type": "string"}})], id="another"),
        pytest.param([tool("opening_hours", {"date": {"type": "string"}})], id="unknown argument"),
        pytest.param([tool("opening_hours", {"day": {"type": "integer"}})], id="type"),
        pytest.param([tool("opening_hours", {"day": {"enum": ["friday"]}})], id="value"),
        pytest.param(
            [tool("opening_hours", {"day": {}, "year": {}}, ("year",))], id="argument missing"
        ),
    ],
)
def test_a_tool_that_is_not_offered_so_is_not_called(offered: list[dict[str, Any]]) -> None:
    assert decide([user("open?")], offered, RULES) == Say("You said: open?")


def test_a_tools_result_is_retold() -> None:
    result = {"role": "tool", "tool_call_id": "1", "content": '{"say": "At nine."}'}
    assert decide([user("open?"), result], [HOURS], RULES) == Say("At nine.")


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ('{"say": "At nine.", "other words": "x y"}', "At nine."),
        ('{"day": "monday", "text": "We open at nine."}', "We open at nine."),
        ('{"ok": true}', '{"ok": true}'),
        ('"done"', "done"),
        ("COMPLETED", "COMPLETED"),
    ],
)
def test_what_is_retold(result: str, told: str) -> None:
    assert retell(result) == told


def test_before_the_caller_says_anything() -> None:
    assert decide([{"role": "system", "content": "x"}], [], RULES) == Say("You said: nothing")
    assert isinstance(decide([user("x")], [], ()), Say)


def test_the_shipped_rules_answer_whatever_is_heard() -> None:
    assert isinstance(decide([user("Anything.")], [], Wits().rules), Say)


def test_words_in_parts() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert text_of({"role": "user", "content": parts}) == "one two"
    assert prompt_tokens([user("one two"), {"role": "assistant", "content": None}]) == 8


@given(st.text(alphabet="ab .\n"))
def test_tokens_make_up_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text.rstrip()


@given(st.dictionaries(st.text(), st.text()))
def test_pieces_make_up_the_arguments(arguments: dict[str, str]) -> None:
    assert json.loads("".join(pieces(json.dumps(arguments)))) == arguments


@pytest.mark.parametrize(
    ("limit", "stops", "kept"),
    [
        (None, (), (["one", " two", " three"], False)),
        (2, (), (["one", " two"], True)),
        (3, (), (["one", " two", " three"], False)),
        (None, (" th", "two"), (["one"], False)),
        (1, (" three",), (["one"], True)),
    ],
)
def test_a_reply_ends_at_its_limit_or_stop(
    limit: int | None, stops: tuple[str, ...], kept: tuple[list[str], bool]
) -> None:
    assert shorten(["one", " two", " three"], limit, stops) == kept


@pytest.mark.parametrize(
    ("limit", "kept"),
    [
        (None, (['{"day":', ' "x"}'], False)),
        (1, (['{"day":'], True)),
        (2, (['{"day":', ' "x"}'], False)),
    ],
)
def test_a_call_is_cut_at_its_limit(limit: int | None, kept: tuple[list[str], bool]) -> None:
    assert shorten_call('{"day": "x"}', limit) == kept
