"""Simulated wits: what is answered, by rules; pure, and in the form of the OpenAI API."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from evals.simulators.behaviour import Rule

Message = Mapping[str, Any]
Tool = Mapping[str, Any]

_WORDLESS = "nothing"
"""What is heard where the caller has said nothing yet."""
_ANSWERLESS = "I have no answer to that."
_PIECE_CHARS = 7


@dataclass(frozen=True)
class Say:
    """Words."""

    text: str


@dataclass(frozen=True)
class Use:
    """A tool call."""

    name: str
    arguments: dict[str, str]

    @property
    def json(self) -> str:
        """The arguments as they go over the wire."""
        return json.dumps(self.arguments)


def decide(messages: Sequence[Message], tools: Sequence[Tool], rules: Sequence[Rule]) -> Say | Use:
    """Answer the last of `messages`: a tool's result is retold, words are looked up in `rules`.

    A rule whose tool is not offered, or not with its arguments, is passed over.
    """
    if messages and messages[-1]["role"] == "tool":
        return Say(retell(text_of(messages[-1])))
    spoken = [text_of(message) for message in messages if message["role"] == "user"]
    heard = (spoken[-1] if spoken else "").strip() or _WORDLESS
    offered = {tool["function"]["name"]: tool["function"].get("parameters") for tool in tools}
    for rule in rules:
        if not re.search(rule.heard, heard, re.IGNORECASE):
            continue
        if not rule.tool:
            return Say(rule.say.replace("{heard}", heard))
        if rule.tool in offered and _accepts(offered[rule.tool] or {}, rule.arguments):
            return Use(rule.tool, rule.arguments)
    return Say(_ANSWERLESS)


def retell(result: str) -> str:
    """The sentence in a tool's result; the result itself where there is none."""
    try:
        value: object = json.loads(result)
    except json.JSONDecodeError:
        return result
    if not isinstance(value, dict):
        return str(value)
    table = cast("dict[str, object]", value)
    sentences = [text for text in table.values() if isinstance(text, str) and " " in text]
    said = table.get("say")
    return said if isinstance(said, str) and said else next(iter(sentences), result)


def text_of(message: Message) -> str:
    """The words of a message, whose content may be in parts."""
    content: Any = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(str(part.get("text", "")) for part in content)


def tokens(text: str) -> list[str]:
    """`text` in tokens: a word is one, and begins with the space before it."""
    return re.findall(r"\s*\S+", text)


def pieces(arguments: str) -> list[str]:
    """A tool call's arguments as they are streamed, cut anywhere."""
    return [arguments[at : at + _PIECE_CHARS] for at in range(0, len(arguments), _PIECE_CHARS)]


def shorten_call(arguments: str, limit: int | None) -> tuple[list[str], bool]:
    """The pieces of `arguments` up to the limit, and whether it cut them."""
    every = pieces(arguments)
    return every[:limit], limit is not None and len(every) > limit


def prompt_tokens(messages: Sequence[Message]) -> int:
    """About how many tokens a prompt has."""
    return sum(len(tokens(text_of(message))) + 3 for message in messages)


def shorten(words: list[str], limit: int | None, stops: Sequence[str]) -> tuple[list[str], bool]:
    """`words` up to the limit or the first stop sequence, and whether the limit cut them."""
    text = "".join(words)
    ends = [text.index(stop) for stop in stops if stop in text]
    kept = tokens(text[: min(ends)]) if ends else words
    return (kept[:limit], True) if limit is not None and len(kept) > limit else (kept, False)


def _accepts(parameters: Mapping[str, Any], arguments: Mapping[str, str]) -> bool:
    """Whether a tool of those `parameters` (a JSON schema) can be called so."""
    properties = cast("Mapping[str, Mapping[str, Any]]", parameters.get("properties") or {})
    required = cast("Sequence[str]", parameters.get("required") or ())
    return set(required) <= set(arguments) <= set(properties) and all(
        str(properties[name].get("type", "string")).lower() == "string"
        and value in properties[name].get("enum", [value])
        for name, value in arguments.items()
    )
