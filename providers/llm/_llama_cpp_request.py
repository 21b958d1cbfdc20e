"""What is asked of llama.cpp: the same bytes for the same talk, so that its prompt cache holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from providers.llm._json_turn import as_json_turns, reply_schema
from providers.llm._sentences import fit

_CHARS_PER_TOKEN = 3
"""On the safe side: English has about four."""
_REPLY_TOKENS = 256
"""Kept free in the window for the reply and the template's own tokens."""

_NO_REFRAIN = {"repeat_penalty": 1.15, "repeat_last_n": 256}
"""Small models ask the same question again and again without it."""

Message = Mapping[str, Any]
Tool = Mapping[str, Any]


def conversation(
    messages: Sequence[Message], tools: Sequence[Tool], *, head: int, ctx_tokens: int
) -> dict[str, Any]:
    """The part of a request that says what is talked about and in which form to answer.

    Args:
        messages: The history, as the OpenAI API has it.
        tools: The tools, as the OpenAI API has them; without any, the answer is plain text.
        head: How many messages came before the talk: prompt, examples, greeting.
        ctx_tokens: The model's window.
    """
    max_chars = (ctx_tokens - _REPLY_TOKENS) * _CHARS_PER_TOKEN
    fitting = fit(messages, head=head, max_chars=max_chars)
    if not tools:
        return {"messages": [*fitting], "stop": ["\n"], **_NO_REFRAIN}
    schema = {"name": "answer", "schema": reply_schema(tools), "strict": True}
    return {
        "messages": as_json_turns(fitting, tools),
        "temperature": 0,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }


def reading(told: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a request that has `told["messages"]` read into the cache and no more."""
    return {"messages": told["messages"], "max_tokens": 0, "add_generation_prompt": False}


def key(told: Mapping[str, Any]) -> str:
    """What two requests share when they ask the same: punctuation and case aside."""
    *before, last = told["messages"]
    words = "".join(filter(str.isalnum, str(last["content"]).lower()))
    return repr((before, words))
