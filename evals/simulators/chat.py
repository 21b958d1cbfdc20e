"""The chat completions of Groq, OpenAI and Ollama: streamed or whole, with tool calls."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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

_ROLES = ("system", "developer", "user", "assistant", "tool")
_REASONS_BY_DEFAULT = ("gpt-5.", "gpt-6")
Body = Mapping[str, Any]
Delta = dict[str, Any]


@dataclass(frozen=True)
class Vendor:
    """One vendor of this protocol."""

    name: str
    root: str
    has_keys: bool = True

    @property
    def service(self) -> str:
        """What its faults are listed under."""
        return f"{self.name}-chat"


GROQ = Vendor("groq", "/groq/openai/v1")
OPENAI = Vendor("openai", "/openai/v1")
OLLAMA = Vendor("ollama", "/ollama/v1", has_keys=False)
OWN = Vendor("own", "/v1", has_keys=False)
"""A server of the operator's own, as `openai_compatible` expects one on port 8000."""


@dataclass(frozen=True)
class Complaint:
    """What a vendor says of a request that it does not take."""

    message: str
    status: int = 400
    code: str | None = None
    param: str | None = None

    def response(self) -> web.Response:
        """In the shape of OpenAI's API, which all of them keep."""
        error = {
            "message": self.message,
            "type": "invalid_request_error",
            "param": self.param,
            "code": self.code,
        }
        return web.json_response({"error": error}, status=self.status)


@dataclass(frozen=True)
class Answer:
    """What is answered, and how it is counted."""

    model: str
    words: list[str] = field(default_factory=list[str])
    tool: str = ""
    arguments: list[str] = field(default_factory=list[str])
    finish: str = "stop"
    asked_tokens: int = 0

    @property
    def usage(self) -> dict[str, Any]:
        """The tokens, as they are billed."""
        written = len(self.words) + len(self.arguments)
        return {
            "prompt_tokens": self.asked_tokens,
            "completion_tokens": written,
            "total_tokens": self.asked_tokens + written,
            "prompt_tokens_details": {"cached_tokens": 0},
        }


def routes(desk: Desk) -> list[web.RouteDef]:
    """Each vendor's chat and list of models, and what Ollama loads a model by."""
    found: list[web.RouteDef] = []
    for vendor in (GROQ, OPENAI, OLLAMA, OWN):
        found += _Service(desk, vendor).routes()

    async def load(request: web.Request) -> web.Response:
        """How Ollama loads a model and is told how long to keep it."""
        await desk.open(request, "ollama-load")
        body = await request.json()
        return web.json_response({"model": body["model"], "done": True, "done_reason": "load"})

    return [*found, web.post("/ollama/api/generate", load)]


class _Service:
    def __init__(self, desk: Desk, vendor: Vendor) -> None:
        self._desk = desk
        self._vendor = vendor

    def routes(self) -> list[web.RouteDef]:
        root = self._vendor.root
        return [web.post(f"{root}/chat/completions", self._chat), web.get(f"{root}/models", _list)]

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        course = await self._desk.open(request, self._vendor.service)
        complaint = _check_key(self._vendor, request) if self._vendor.has_keys else None
        body, unread = _parse(await request.text())
        complaint = complaint or unread or check(self._vendor, body)
        if complaint:
            return complaint.response()
        answer = self._answer(body, silent=course.silent)
        if not body.get("stream"):
            return web.json_response(_whole(answer))
        return await self._stream(course, answer, body)

    def _answer(self, body: Body, *, silent: bool) -> Answer:
        messages = cast("Sequence[Body]", body["messages"])
        asked, model = prompt_tokens(messages), str(body["model"])
        if silent:
            return Answer(model, asked_tokens=asked)
        limit = body.get("max_completion_tokens", body.get("max_tokens"))
        match decide(messages, body.get("tools") or (), self._desk.behaviour.wits.rules):
            case Say(text):
                words, cut = shorten(tokens(text), limit, body.get("stop") or ())
                finish = "length" if cut else "stop"
                return Answer(model, words, finish=finish, asked_tokens=asked)
            case Use() as call:
                arguments, cut = shorten_call(call.json, limit)
                finish = "length" if cut else "tool_calls"
                return Answer(model, [], call.name, arguments, finish, asked)

    async def _stream(self, course: Course, answer: Answer, body: Body) -> web.StreamResponse:
        async with Events(self._desk, course, self._vendor.service) as events:
            await events.token(_chunk(answer, {"role": "assistant", "content": ""}), tokens=0)
            for delta in _deltas(answer):
                await events.token(_chunk(answer, delta))
            await events.send(_chunk(answer, {}, finish=answer.finish))
            if (body.get("stream_options") or {}).get("include_usage"):
                await events.send({**_chunk(answer, {}), "choices": [], "usage": answer.usage})
            await events.send("[DONE]")
        return events.response


def check(vendor: Vendor, body: Body) -> Complaint | None:
    """What `vendor` would not take about a request."""
    messages = body.get("messages")
    if not body.get("model"):
        return Complaint("you must provide a model parameter")
    if "no-such" in str(body["model"]):
        text = f"The model `{body['model']}` does not exist or you do not have access to it."
        return Complaint(text, 404, "model_not_found")
    if not isinstance(messages, list) or not messages:
        return Complaint("'messages' must be a list with at least one message", param="messages")
    return _check_messages(cast("list[Body]", messages)) or _check_options(vendor, body)


def _check_messages(messages: Sequence[Body]) -> Complaint | None:
    waiting: set[str] = set()
    for number, message in enumerate(messages):
        role, param = message.get("role"), f"messages[{number}].role"
        if role not in _ROLES:
            wanted = ", ".join(f"'{name}'" for name in _ROLES)
            return Complaint(
                f"Invalid value: '{role}'. Supported values are: {wanted}.", 400, param
            )
        if role == "tool":
            if message.get("tool_call_id") not in waiting:
                return Complaint(
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceding message with 'tool_calls'.",
                    param=param,
                )
            waiting.discard(str(message["tool_call_id"]))
            continue
        if waiting:
            return Complaint(_unanswered(waiting), param=param)
        waiting = {str(call["id"]) for call in message.get("tool_calls") or ()}
    return Complaint(_unanswered(waiting), param="messages") if waiting else None


def _unanswered(waiting: set[str]) -> str:
    return (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        f"each 'tool_call_id'. The following did not have one: {', '.join(sorted(waiting))}"
    )


def _check_options(vendor: Vendor, body: Body) -> Complaint | None:
    if vendor is not OPENAI:
        return None
    if "parallel_tool_calls" in body and not body.get("tools"):
        text = "Invalid value for 'parallel_tool_calls': only allowed when 'tools' are specified."
        return Complaint(text, param="parallel_tool_calls")
    if not str(body["model"]).startswith(_REASONS_BY_DEFAULT):
        return None
    if "max_tokens" in body:
        text = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        return Complaint(text, 400, "unsupported_parameter", "max_tokens")
    if body.get("tools") and body.get("reasoning_effort") != "none":
        text = (
            f"Function tools with reasoning_effort are not supported for {body['model']} in "
            "/v1/chat/completions. Use /v1/responses or set reasoning_effort to 'none'."
        )
        return Complaint(text, param="reasoning_effort")
    return None


def _check_key(vendor: Vendor, request: web.Request) -> Complaint | None:
    """A key that begins with `wrong` is one that the vendor does not know."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Bearer" and key and not key.startswith("wrong"):
        return None
    if vendor is GROQ:
        return Complaint("Invalid API Key", 401, "invalid_api_key")
    # OpenAI shows the key's ends.
    shown = f"{key[:8]}{'*' * max(0, len(key) - 12)}{key[-4:]}"
    return Complaint(f"Incorrect API key provided: {shown}.", 401, "invalid_api_key")


def _parse(text: str) -> tuple[Body, Complaint | None]:
    try:
        value: object = json.loads(text)
    except json.JSONDecodeError:
        value = None
    if isinstance(value, dict):
        return cast("Body", value), None
    return {}, Complaint("We could not parse the JSON body of your request.")


def _deltas(answer: Answer) -> Iterator[Delta]:
    """What the answer's chunks carry, in turn."""
    if answer.tool:
        function = {"name": answer.tool, "arguments": ""}
        opening = {"index": 0, "id": "call_1", "type": "function", "function": function}
        yield {"tool_calls": [opening]}
        for piece in answer.arguments:
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
    for word in answer.words:
        yield {"content": word}


def _chunk(answer: Answer, delta: Delta, finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-simulated",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": answer.model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def _whole(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(answer.words) or None}
    if answer.tool:
        function = {"name": answer.tool, "arguments": "".join(answer.arguments)}
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
    return {
        "id": "chatcmpl-simulated",
        "object": "chat.completion",
        "created": 0,
        "model": answer.model,
        "choices": [{"index": 0, "message": message, "finish_reason": answer.finish}],
        "usage": answer.usage,
    }


async def _list(_: web.Request) -> web.Response:
    model = {"id": "simulated", "object": "model", "created": 0, "owned_by": "offhook"}
    return web.json_response({"object": "list", "data": [model]})
