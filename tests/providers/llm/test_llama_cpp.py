from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    EagerEndOfTurnCancelFrame,
    Frame,
    FunctionCallResultFrame,
    LLMContextFrame,
    LLMTextFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.services.llm_service import LLMService
from pipecat.tests.utils import SleepFrame, run_test
from pydantic import ValidationError

from bots.toolkit import ToolReply, ToolResult, register
from providers.llm import _llama_cpp_service
from providers.llm.llama_cpp import LlamaCppLlm

pytestmark = pytest.mark.unit


class Site:
    def weights(self, name: str) -> Path:
        return Path("/weights") / name

    def url(self, sidecar: str) -> str:
        return "http://127.0.0.1:1"


class Server:
    """Answers each request with the next script, one chunk for each of its pieces."""

    def __init__(self, *scripts: Sequence[str], finish: str = "stop") -> None:
        self.asked: list[dict[str, Any]] = []
        self._scripts = list(scripts)
        self._finish = finish

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.asked.append(body)
        if not body.get("stream"):
            return httpx.Response(200, json={})
        pieces = [({"content": piece}, None) for piece in self._scripts.pop(0)]
        chunks = [*pieces, (dict[str, str](), self._finish)]
        return httpx.Response(200, text="".join(map(event, chunks)) + "data: [DONE]\n\n")


def event(chunk: tuple[dict[str, str], str | None]) -> str:
    choice = {"index": 0, "delta": chunk[0], "finish_reason": chunk[1]}
    kind = "chat.completion.chunk"
    data = {"id": "1", "object": kind, "created": 0, "model": "m", "choices": [choice]}
    return f"data: {json.dumps(data)}\n\n"


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Any:
    def around(server: Server) -> LLMService[Any]:
        def client(**_: Any) -> httpx.AsyncClient:
            return httpx.AsyncClient(transport=httpx.MockTransport(server))

        monkeypatch.setattr(_llama_cpp_service, "DefaultAsyncHttpxClient", client)
        return LlamaCppLlm().build(Site())

    return around


class Desk:
    """A bot with one tool."""

    def __init__(self, llm: LLMService[Any]) -> None:
        self.spoken: list[str] = []
        self.called: list[ToolResult] = []
        self.tools = register(llm, [self.price], speak=self._speak, on_called=self._on_called)

    async def price(self, treatment: str) -> ToolReply:
        """What a treatment costs."""
        return ToolReply(f"A {treatment} is 120 dollars.", {"dollars": 120})

    async def _speak(self, text: str) -> None:
        self.spoken.append(text)

    async def _on_called(self, result: ToolResult) -> None:
        self.called.append(result)


def context(words: str, tools: Any = None) -> LLMContext:
    messages: list[Any] = [{"role": "user", "content": words}]
    return LLMContext(messages, tools) if tools else LLMContext(messages)


def words(frames: Sequence[Frame]) -> str:
    return "".join(frame.text for frame in frames if isinstance(frame, LLMTextFrame))


CALL = ['{"', "price", '":{"treatment":"fil', 'ling"}}']


def test_it_names_its_weights_and_its_process() -> None:
    llm = LlamaCppLlm()
    [sidecar] = llm.sidecars(Site())
    assert llm.weights() == ("qwen2.5-coder-0.5b",)
    assert "/weights/qwen2.5-coder-0.5b/model.gguf" in sidecar.args
    assert sidecar.module == "providers.llm.llama_server"


def test_only_known_models_can_be_named() -> None:
    with pytest.raises(ValidationError, match="model"):
        LlamaCppLlm.model_validate({"model": "../../etc/passwd"})


def test_other_settings_need_another_process() -> None:
    names = {
        llm.sidecars(Site())[0].name
        for llm in (LlamaCppLlm(), LlamaCppLlm(ctx_tokens=8192), LlamaCppLlm(parallel=2))
    }
    assert len(names) == 3


async def test_without_tools_plain_words_are_streamed(build: Any) -> None:
    llm = build(server := Server(["What ", "happened ", "next?"]))
    down, _ = await run_test(llm, frames_to_send=[LLMContextFrame(context("Hi"))])
    assert words(down) == "What happened next?"
    assert (server.asked[0]["stop"], server.asked[0]["max_tokens"]) == (["\n"], 80)


async def test_with_tools_words_come_out_of_json(build: Any) -> None:
    llm = build(server := Server(['"', "Hello", " there", '."']))
    desk = Desk(llm)
    down, _ = await run_test(llm, frames_to_send=[LLMContextFrame(context("Hi", desk.tools))])
    assert words(down) == "Hello there."
    assert "tools" not in server.asked[0]
    assert server.asked[0]["response_format"]["type"] == "json_schema"


async def test_a_call_is_made_once_and_its_sentence_spoken(build: Any) -> None:
    llm = build(server := Server(CALL))
    desk = Desk(llm)
    frames = [LLMContextFrame(context("A filling?", desk.tools)), SleepFrame(0.2)]
    down, _ = await run_test(llm, frames_to_send=frames)
    [result] = [frame for frame in down if isinstance(frame, FunctionCallResultFrame)]
    assert desk.spoken == ["A filling is 120 dollars."]
    assert [(call.name, call.arguments, call.ok) for call in desk.called] == [
        ("price", {"treatment": "filling"}, True)
    ]
    assert result.properties and result.properties.run_llm is False
    assert len(server.asked) == 1


async def test_no_tool_is_called_before_the_turn_is_over(build: Any) -> None:
    llm = build(server := Server(CALL))
    desk = Desk(llm)
    early = LLMContextFrame(context("A filling", desk.tools), speculation=True)
    down, up = await run_test(llm, frames_to_send=[early, SleepFrame(0.2)])
    assert desk.called == []
    assert words(down) == ""
    assert any(isinstance(frame, EagerEndOfTurnCancelFrame) for frame in up)
    assert len(server.asked) == 1


async def test_the_call_found_early_is_not_asked_for_again(build: Any) -> None:
    llm = build(server := Server(CALL))
    desk = Desk(llm)
    frames = [
        LLMContextFrame(context("A filling", desk.tools), speculation=True),
        SleepFrame(0.2),
        UserStoppedSpeakingFrame(),
        LLMContextFrame(context("A filling?", desk.tools)),
        SleepFrame(0.2),
    ]
    await run_test(llm, frames_to_send=frames)
    assert desk.spoken == ["A filling is 120 dollars."]
    assert len(server.asked) == 1


async def test_what_was_told_is_read_ahead_while_it_is_spoken(build: Any) -> None:
    llm = build(server := Server(CALL))
    desk = Desk(llm)
    frames = [
        LLMContextFrame(context("A filling?", desk.tools)),
        SleepFrame(0.2),
        BotStartedSpeakingFrame(),
        SleepFrame(0.2),
    ]
    await run_test(llm, frames_to_send=frames)
    assert [body["max_tokens"] for body in server.asked] == [80, 0]


async def test_a_reply_that_is_cut_ends_with_a_sentence(build: Any) -> None:
    llm = build(Server(["One thing. ", "Another th"], finish="length"))
    down, _ = await run_test(llm, frames_to_send=[LLMContextFrame(context("Hi"))])
    assert words(down) == "One thing."


@pytest.mark.parametrize("answer", ['""', '{"price":{"treat', "   "])
async def test_an_answer_that_cannot_be_used_is_not_silence(build: Any, answer: str) -> None:
    llm = build(Server([answer], finish="length"))
    desk = Desk(llm)
    down, _ = await run_test(llm, frames_to_send=[LLMContextFrame(context("Hi", desk.tools))])
    assert words(down).startswith("Sorry")
    assert desk.called == []
