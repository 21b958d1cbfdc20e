"""Anthropic's Messages API: streamed or whole, with tool use."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from aiohttp import web

from evals.simulators._sse import Events
from evals.simulators._wits import (
    Say,
    Use,
    decide,
    prompt_tokens,
    shorten,
    shorten_call,
    tokens,
)
from evals.simulators.vendors import Course, Desk

_SERVICE = "anthropic"
_KINDS = {401: "authentication_error", 404: "not_found_error"}
_ENDS_WITH_ANYONE = ("claude-3", "claude-haiku-4-5", "claude-sonnet-4-5")
"""Models that go on with an assistant message at the end of a request."""
_TAKES_NO_SAMPLING = ("claude-haiku-5", "claude-sonnet-5", "claude-opus-5", "claude-fable-5")
Body = Mapping[str, Any]
Block = dict[str, Any]


def routes(desk: Desk) -> list[web.RouteDef]:
    """The one endpoint."""

    async def messages(request: web.Request) -> web.StreamResponse:
        course = await desk.open(request, _SERVICE)
        refusal = _check_headers(request)
        if refusal:
            return refusal
        try:
            body: Body = json.loads(await request.text())
        except json.JSONDecodeError:
            return _refuse("The request body is not valid JSON")
        trouble = check(body)
        if trouble:
            return _refuse(trouble)
        blocks, stop = _answer(desk, body, silent=course.silent)
        if body.get("stream"):
            return await _stream(desk, course, _events(body, blocks, stop))
        return web.json_response(_message(body) | {"content": blocks, "stop_reason": stop})

    return [web.post("/anthropic/v1/messages", messages)]


def check(body: Body) -> str:
    """What the API would not take about a request; empty if it would."""
    messages = cast("Sequence[Body]", body.get("messages") or ())
    model = str(body.get("model") or "")
    for name in ("model", "max_tokens", "messages"):
        if not body.get(name):
            return f"{name}: Field required"
    if messages[0].get("role") != "user":
        return 'messages: first message must use the "user" role'
    if messages[-1].get("role") == "assistant" and not model.startswith(_ENDS_WITH_ANYONE):
        return "This model does not support assistant message prefill."
    if body.get("tool_choice") and not body.get("tools"):
        return "tool_choice may only be specified while providing tools."
    if "temperature" in body and model.startswith(_TAKES_NO_SAMPLING):
        return f"temperature: not supported by {model}"
    ends: list[Body] = [*messages[1:], {}]
    troubles = [_check_pair(message, after) for message, after in zip(messages, ends, strict=True)]
    return next((trouble for trouble in troubles if trouble), "")


def _check_pair(message: Body, following: Body) -> str:
    """Each use of a tool must be answered at once, before any words."""
    if message.get("role") not in ("user", "assistant"):
        return f"messages: Unexpected role {message.get('role')!r}."
    used = [block["id"] for block in _blocks(message) if block["type"] == "tool_use"]
    answers = [block for block in _blocks(following) if block["type"] == "tool_result"]
    answered = {block["tool_use_id"] for block in answers}
    missing = [name for name in used if name not in answered]
    if missing:
        return (
            "`tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(missing)}."
        )
    if answered - set(used):
        return f"unexpected `tool_use_id` found in `tool_result` blocks: {answered - set(used)}."
    return ""


def told(body: Body) -> list[dict[str, Any]]:
    """The conversation of a request, as the OpenAI API has it."""
    found: list[dict[str, Any]] = []
    for message in body["messages"]:
        for block in _blocks(message):
            kind = block["type"]
            if kind == "text":
                found.append({"role": message["role"], "content": block["text"]})
            elif kind == "tool_result":
                text = _result(block.get("content") or "")
                found.append({"role": "tool", "content": text})
    return found


def _answer(desk: Desk, body: Body, *, silent: bool) -> tuple[list[Block], str]:
    if silent:
        return [], "end_turn"
    tools = [
        {"function": {"name": tool["name"], "parameters": tool["input_schema"]}}
        for tool in body.get("tools") or ()
    ]
    match decide(told(body), tools, desk.behaviour.wits.rules):
        case Say(text):
            stops = body.get("stop_sequences") or ()
            words, cut = shorten(tokens(text), body["max_tokens"], stops)
            return [{"type": "text", "text": "".join(words)}], "max_tokens" if cut else "end_turn"
        case Use(name, arguments) as use:
            used = {"type": "tool_use", "id": "toolu_1", "name": name, "input": arguments}
            _, cut = shorten_call(use.json, body["max_tokens"])
            return [used], "max_tokens" if cut else "tool_use"


def _events(body: Body, blocks: Sequence[Block], stop: str) -> Iterator[Block]:
    """The events of a streamed answer."""
    yield {"type": "message_start", "message": _message(body) | {"content": []}}
    yield {"type": "ping"}
    written = 0
    for index, block in enumerate(blocks):
        empty: Block = {"text": ""} if block["type"] == "text" else {"input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": block | empty}
        for delta in _deltas(block, body["max_tokens"]):
            written += 1
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": stop, "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": written}}
    yield {"type": "message_stop"}


def _deltas(block: Block, limit: int) -> Iterator[Block]:
    if block["type"] == "text":
        for word in tokens(block["text"]):
            yield {"type": "text_delta", "text": word}
        return
    arguments, _ = shorten_call(json.dumps(block["input"]), limit)
    for piece in ("", *arguments):
        yield {"type": "input_json_delta", "partial_json": piece}


async def _stream(desk: Desk, course: Course, events: Iterator[Block]) -> web.StreamResponse:
    async with Events(desk, course, _SERVICE) as answer:
        for event in events:
            send = answer.token if event["type"] == "content_block_delta" else answer.send
            await send(event, event=event["type"])
    return answer.response


def _message(body: Body) -> dict[str, Any]:
    return {
        "id": "msg_simulated",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": prompt_tokens(told(body)),
            "output_tokens": 1,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


def _blocks(message: Body) -> list[Block]:
    content: Any = message.get("content") or []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _result(content: Any) -> str:
    if isinstance(content, str):
        return content
    return " ".join(str(part.get("text", "")) for part in content)


def _check_headers(request: web.Request) -> web.Response | None:
    """A key that begins with `wrong` is one that the vendor does not know."""
    key = request.headers.get("x-api-key", "")
    if not key:
        return _refuse("x-api-key header is required", 401)
    if key.startswith("wrong"):
        return _refuse("invalid x-api-key", 401)
    if not request.headers.get("anthropic-version"):
        return _refuse("anthropic-version: header is required")
    return None


def _refuse(message: str, status: int = 400) -> web.Response:
    error = {"type": _KINDS.get(status, "invalid_request_error"), "message": message}
    body = {"type": "error", "error": error, "request_id": "req_simulated"}
    return web.json_response(body, status=status)
