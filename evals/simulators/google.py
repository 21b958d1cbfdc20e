"""Google's Gemini API: `generateContent`, streamed or whole, with function calls."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from aiohttp import web

from evals.simulators._sse import Events
from evals.simulators._wits import Say, Use, decide, prompt_tokens, shorten, shorten_call, tokens
from evals.simulators.vendors import Course, Desk

_SERVICE = "google"
_KINDS = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
_SIGNATURE = "c2lnbmF0dXJl"
_ENDS_WITH_ANYONE = ("gemini-2.", "gemini-3-", "gemini-3.1-")
"""Models that go on with a model turn at the end of a request."""
Body = Mapping[str, Any]
Part = dict[str, Any]


def routes(desk: Desk) -> list[web.RouteDef]:
    """Both verbs of a model."""

    async def generate(request: web.Request) -> web.StreamResponse:
        course = await desk.open(request, _SERVICE)
        refusal = _check_key(request)
        if refusal:
            return refusal
        try:
            body: Body = json.loads(await request.text())
        except json.JSONDecodeError:
            return _refuse("Invalid JSON payload received.")
        model = request.match_info["model"]
        trouble = check(model, body)
        if trouble:
            return _refuse(trouble)
        parts, finish = _answer(desk, body, silent=course.silent)
        chunks = list(_chunks(model, body, parts, finish=finish))
        if request.match_info["verb"] == "streamGenerateContent":
            return await _stream(desk, course, chunks)
        whole = _candidate(model, parts) | {"usageMetadata": chunks[-1]["usageMetadata"]}
        whole["candidates"][0]["finishReason"] = finish
        return web.json_response(whole)

    path = r"/google/v1beta/models/{model:[^:/]+}:{verb:generateContent|streamGenerateContent}"
    return [web.post(path, generate)]


def check(model: str, body: Body) -> str:
    """What the API would not take about a request; empty if it would."""
    contents = cast("Sequence[Body]", body.get("contents") or ())
    if not contents:
        return "* GenerateContentRequest.contents: contents is not specified"
    before = ""
    for content in contents:
        if content.get("role", "user") not in ("user", "model"):
            return "Please use a valid role: user, model."
        kind = _kind(content)
        if kind == "call" and before not in ("user", "response"):
            return (
                "Please ensure that function call turn comes immediately after a user turn or "
                "after a function response turn."
            )
        if (kind == "response") != (before == "call"):
            return (
                "Please ensure that function response turn comes immediately after a function "
                "call turn."
            )
        before = kind
    if before in ("model", "call") and not model.startswith(_ENDS_WITH_ANYONE):
        return "Please ensure that the request ends with a user turn."
    return _check_signatures(model, contents)


def _check_signatures(model: str, contents: Sequence[Body]) -> str:
    """A Gemini 3 must be given back the signature of each call of the turn at hand."""
    said = [at for at, content in enumerate(contents) if _kind(content) == "user"]
    for content in contents[said[-1] if said else 0 :]:
        for part in content.get("parts") or ():
            if "functionCall" in part and not part.get("thoughtSignature"):
                return f"Function call is missing a thought_signature in {model}."
    return ""


def _kind(content: Body) -> str:
    parts = cast("Sequence[Body]", content.get("parts") or ())
    if any("functionCall" in part for part in parts):
        return "call"
    if any("functionResponse" in part for part in parts):
        return "response"
    return str(content.get("role", "user"))


def told(body: Body) -> list[dict[str, Any]]:
    """The conversation of a request, as the OpenAI API has it."""
    found: list[dict[str, Any]] = []
    for content in body["contents"]:
        for part in content.get("parts") or ():
            if "functionResponse" in part:
                result = json.dumps(part["functionResponse"].get("response"))
                found.append({"role": "tool", "content": result})
            elif part.get("text"):
                role = "assistant" if content.get("role") == "model" else "user"
                found.append({"role": role, "content": part["text"]})
    return found


def _answer(desk: Desk, body: Body, *, silent: bool) -> tuple[list[Part], str]:
    if silent:
        return [], "STOP"
    tools = [
        {"function": {"name": said["name"], "parameters": said.get("parameters")}}
        for tool in body.get("tools") or ()
        for said in tool.get("functionDeclarations") or ()
    ]
    settings: Body = body.get("generationConfig") or {}
    limit = settings.get("maxOutputTokens")
    match decide(told(body), tools, desk.behaviour.wits.rules):
        case Say(text):
            stops = cast("Sequence[str]", settings.get("stopSequences") or ())
            words, cut = shorten(tokens(text), limit, stops)
            return [{"text": word} for word in words], "MAX_TOKENS" if cut else "STOP"
        case Use(name, arguments) as use:
            if shorten_call(use.json, limit)[1]:
                return [], "MAX_TOKENS"
            call = {"name": name, "args": arguments, "id": "call_1"}
            return [{"functionCall": call, "thoughtSignature": _SIGNATURE}], "STOP"


def _chunks(
    model: str, body: Body, parts: Sequence[Part], *, finish: str
) -> Iterator[dict[str, Any]]:
    """The pieces of a streamed answer, the last with its reason to stop."""
    asked = prompt_tokens(told(body))
    for number, part in enumerate(parts or [{"text": ""}], 1):
        chunk = _candidate(model, [part])
        if number >= len(parts):
            chunk["candidates"][0]["finishReason"] = finish
        counts = {"promptTokenCount": asked, "candidatesTokenCount": number}
        yield chunk | {"usageMetadata": counts | {"totalTokenCount": asked + number}}


def _candidate(model: str, parts: Sequence[Part]) -> dict[str, Any]:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    return {"candidates": [candidate], "modelVersion": model, "responseId": "simulated"}


async def _stream(desk: Desk, course: Course, chunks: Sequence[Body]) -> web.StreamResponse:
    async with Events(desk, course, _SERVICE) as answer:
        for chunk in chunks:
            await answer.token(chunk)
    return answer.response


def _check_key(request: web.Request) -> web.Response | None:
    """A key that begins with `wrong` is one that the vendor does not know."""
    key = request.headers.get("x-goog-api-key", "")
    if not key:
        return _refuse("Method doesn't allow unregistered callers.", 403)
    if key.startswith("wrong"):
        return _refuse("API key not valid. Please pass a valid API key.")
    return None


def _refuse(message: str, status: int = 400) -> web.Response:
    error = {"code": status, "message": message, "status": _KINDS[status]}
    return web.json_response({"error": error}, status=status)
