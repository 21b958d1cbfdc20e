"""A conversation with tools, in JSON, for models whose native tool calls do not work.

The model answers with one JSON value: a string is spoken, an object of one key is a tool call.

    "We open at nine."
    {"price": {"treatment": "filling"}}

A string costs one token before the first word. Everything here is pure and synchronous.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

_SPACES = {"b": "", "f": "", "n": " ", "r": " ", "t": " "}
_UNICODE_ESCAPE_CHARS = 6
_HIGH_SURROGATES = ("d8", "d9", "da", "db")


@dataclass(frozen=True)
class Say:
    """The next words to speak."""

    text: str


@dataclass(frozen=True)
class Call:
    """A tool call."""

    name: str
    arguments: str
    """A JSON object."""


def reply_schema(tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The JSON schema of an answer: a string, or one of `tools` (as the OpenAI API has them)."""
    return {"anyOf": [{"type": "string"}, *(_call_schema(tool["function"]) for tool in tools)]}


def _call_schema(function: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {**function["parameters"], "additionalProperties": False}
    return {
        "type": "object",
        "properties": {function["name"]: parameters},
        "required": [function["name"]],
        "additionalProperties": False,
    }


def describe_tools(tools: Sequence[Mapping[str, Any]]) -> str:
    """What the model is told about `tools`, to follow the system prompt."""
    lines = ["Answer with one JSON string to speak, or with one of these to look it up:"]
    for tool in tools:
        function = tool["function"]
        arguments = ", ".join(f'"{name}": ...' for name in function["parameters"]["properties"])
        lines.append(f'{{"{function["name"]}": {{{arguments}}}}}  {function["description"]}')
    return "\n".join(lines)


def as_json_turns(
    messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]
) -> list[dict[str, str]]:
    """Rewrite a history (as the OpenAI API has it) into the form that the model answers in.

    What a tool had the caller told comes as a system message in place of the assistant's words:
    a model that reads itself state prices goes on to make them up.
    """
    turns: list[dict[str, str]] = []
    told = ""
    for message in messages:
        role, text = message["role"], _text(message)
        if role == "tool":
            told = _sentence(text)
            turns += [{"role": "system", "content": told}] if told else []
        elif role == "assistant":
            calls = [_call(call["function"]) for call in message.get("tool_calls") or ()]
            words = [_compact(text)] if text and not told else []
            turns += [{"role": "assistant", "content": answer} for answer in [*calls, *words]]
            told = ""
        elif role == "system" and not turns:
            turns.append({"role": "system", "content": f"{text}\n\n{describe_tools(tools)}"})
        else:
            turns.append({"role": "user", "content": text})
            told = ""
    return turns


def _sentence(result: str) -> str:
    """The sentence in a tool's result, if it holds one."""
    try:
        value: object = json.loads(result)
    except json.JSONDecodeError:
        return ""
    return str(cast("dict[str, object]", value).get("say", "")) if isinstance(value, dict) else ""


def _call(function: Mapping[str, Any]) -> str:
    return _compact({function["name"]: json.loads(function["arguments"] or "{}")})


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class JsonTurn:
    """Turns an answer that streams in, cut anywhere, into words to speak or a tool call."""

    def __init__(self) -> None:
        self._pending = ""
        self._kind = ""
        self._done = False

    def feed(self, delta: str) -> list[Say | Call]:
        """Take the next piece of the answer; return what it completes."""
        self._pending += delta
        if not self._kind:
            self._pending = self._pending.lstrip()
            self._kind = self._pending[:1]
            self._pending = self._pending.removeprefix('"')
        if self._done or not self._kind:
            return []
        return self._call() if self._kind == "{" else self._say()

    def _call(self) -> list[Say | Call]:
        try:
            value = json.loads(self._pending)
        except json.JSONDecodeError:
            return []
        self._done = True
        return [Call(name, _compact(arguments)) for name, arguments in value.items()]

    def _say(self) -> list[Say | Call]:
        words: list[str] = []
        while not self._done and (character := self._character()) is not None:
            words.append(character)
        text = "".join(words)
        return [Say(text)] if text else []

    def _character(self) -> str | None:
        """Take one character off the pending text; None if what is left is not complete."""
        head = self._pending[:1]
        if head == '"':
            self._done = True
            return ""
        size = _escape_size(self._pending) if head == "\\" else 1
        if not head or len(self._pending) < size:
            return None
        taken, self._pending = self._pending[:size], self._pending[size:]
        return _unescape(taken) if head == "\\" else taken


def _escape_size(text: str) -> int:
    """Characters of the escape that `text` begins with; a surrogate pair counts as one."""
    if text[1:2] != "u":
        return 2
    if text[2:4].lower() not in _HIGH_SURROGATES:
        return _UNICODE_ESCAPE_CHARS
    follows = text[_UNICODE_ESCAPE_CHARS : _UNICODE_ESCAPE_CHARS + 2]
    return _UNICODE_ESCAPE_CHARS * (2 if follows in ("", "\\", "\\u") else 1)


def _unescape(escape: str) -> str:
    if escape[1] != "u":
        return _SPACES.get(escape[1], escape[1])
    try:
        character: str = json.loads(f'"{escape}"')
    except json.JSONDecodeError:
        return ""
    # Half a surrogate pair has no sound and cannot be encoded.
    return character.encode("utf-8", "ignore").decode("utf-8")
