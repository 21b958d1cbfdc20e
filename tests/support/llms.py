"""Each model provider in a pipeline of its own, in front of the simulated vendors."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pipecat.frames.frames import (
    ErrorFrame,
    LLMFullResponseEndFrame,
    LLMRunFrame,
    LLMTextFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.services.llm_service import LLMService

from bots.toolkit import ToolFunction, ToolReply, ToolResult, register
from evals.simulators.behaviour import Behaviour, Fault, Latency, Rule, Wits
from evals.simulators.vendors import Vendors
from providers.kinds import LlmConfig
from providers.llm.anthropic import AnthropicLlm
from providers.llm.google import GoogleLlm
from providers.llm.groq import GroqLlm
from providers.llm.ollama import OllamaLlm
from providers.llm.openai import OpenAiLlm
from providers.llm.openai_compatible import OpenAiCompatibleLlm
from tests.support.pipes import Flow, Tap, flowing

Body = dict[str, Any]


class Site:
    """Needs neither weights nor processes."""

    def weights(self, name: str) -> Path:
        raise AssertionError(name)

    def url(self, sidecar: str) -> str:
        raise AssertionError(sidecar)


@dataclass(frozen=True)
class Provider:
    """One provider, and the simulated service it talks to."""

    kind: Callable[..., LlmConfig]
    service: str
    path: str
    key_env: str | None = None
    has_own_server: bool = False

    def config(self, vendors: Vendors, **settings: Any) -> LlmConfig:
        """With `OFFHOOK_VENDORS` set, clouds find the simulated vendors by themselves."""
        own = {"base_url": f"{vendors.url}{self.path}"} if self.has_own_server else {}
        return self.kind(**own, **settings)


PROVIDERS = {
    "groq": Provider(GroqLlm, "groq-chat", "/groq/openai/v1", "GROQ_API_KEY"),
    "openai": Provider(OpenAiLlm, "openai-chat", "/openai/v1", "OPENAI_API_KEY"),
    "anthropic": Provider(AnthropicLlm, "anthropic", "/anthropic", "ANTHROPIC_API_KEY"),
    "google": Provider(GoogleLlm, "google", "/google", "GOOGLE_API_KEY"),
    "ollama": Provider(OllamaLlm, "ollama-chat", "/ollama/v1", has_own_server=True),
    "openai_compatible": Provider(
        OpenAiCompatibleLlm, "ollama-chat", "/ollama/v1", has_own_server=True
    ),
}
EACH = [pytest.param(provider, id=name) for name, provider in PROVIDERS.items()]


@dataclass
class Talk:
    """A model at work, and all that it says and does."""

    flow: Flow
    context: LLMContext
    above: Tap
    below: Tap
    called: list[ToolResult] = field(default_factory=list[ToolResult])

    @property
    def words(self) -> list[str]:
        return [frame.text for frame in self.below.of(LLMTextFrame)]

    @property
    def said(self) -> str:
        return "".join(self.words)

    @property
    def errors(self) -> list[ErrorFrame]:
        return self.above.of(ErrorFrame)

    async def ask(self, answers: int = 1) -> None:
        """Have the model answer, and wait until so many answers in all are over."""
        await self.flow.send(LLMRunFrame())
        await self.below.wait(LLMFullResponseEndFrame, answers)


@asynccontextmanager
async def talking(
    llm: LLMService[Any],
    *messages: Body,
    prompt: str = "You answer the phone.",
    tools: Sequence[ToolFunction] = (),
) -> AsyncGenerator[Talk]:
    """A pipeline around `llm`, as a call has it, that has come to `messages`."""
    called: list[ToolResult] = []

    async def on_called(result: ToolResult) -> None:
        called.append(result)

    llm.append_system_instruction(prompt)
    said: Any = list(messages)
    schema = register(llm, tools, speak=None, on_called=on_called) if tools else None
    context = LLMContext(said, schema) if schema else LLMContext(said)
    user, assistant = LLMContextAggregatorPair(context)
    above, below = Tap(), Tap()
    metrics = {"enable_metrics": True, "enable_usage_metrics": True}
    async with flowing(user, above, llm, below, assistant, **metrics) as flow:
        yield Talk(flow, context, above, below, called)


def caller(words: str) -> Body:
    return {"role": "user", "content": words}


def bodies(vendors: Vendors, service: str) -> list[Body]:
    """What that service was asked, in turn."""
    return [json.loads(seen.body) for seen in vendors.desk.seen if seen.service == service]


async def asked(
    vendors: Vendors, name: str, *, tools: Sequence[ToolFunction] = (), **settings: Any
) -> Body:
    """The body of the request that a provider with those settings makes."""
    provider = PROVIDERS[name]
    llm = provider.config(vendors, **settings).build(Site())
    async with talking(llm, caller("Hello?"), tools=tools) as talk:
        await talk.ask()
    assert talk.errors == []
    return bodies(vendors, provider.service)[0]


async def price(treatment: str) -> ToolReply:
    """What a treatment costs."""
    return ToolReply(f"A {treatment} is 120 dollars.", {"dollars": 120})


def saying(text: str, *, service: str = "", faults: Sequence[Fault] = (), **wits: Any) -> Behaviour:
    """Vendors that answer at once, always the same."""
    quick = Latency(p50_ms=0)
    rate = {"tokens_per_sec": 2000.0, **wits}
    return Behaviour(
        wits=Wits(ttft=quick, rules=(Rule(say=text),), **rate),
        faults={service: tuple(faults)} if faults else {},
    )
