"""What every model behind a network does alike, each before its simulated vendor."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk
from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    LLMRunFrame,
    LLMTextFrame,
    MetricsFrame,
)
from pipecat.metrics.metrics import LLMUsageMetricsData, TTFBMetricsData
from pipecat.processors.frame_processor import FrameDirection

from bots.bot import load_bot
from evals.simulators.behaviour import Behaviour, Latency, Rule, Wits
from evals.simulators.vendors import Vendors
from providers.llm._chat_service import one_call_each
from tests.support.llms import EACH, Provider, Site, bodies, caller, price, saying, talking

pytestmark = pytest.mark.integration

SENTENCE = "We open at nine, and on Fridays we close at two."
GREETING = {"role": "assistant", "content": "Good morning."}


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    async with Vendors(saying(SENTENCE)) as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        yield vendors


def calling(tool: str, arguments: dict[str, str]) -> Behaviour:
    rules = (Rule(tool=tool, arguments=arguments),)
    return Behaviour(wits=Wits(ttft=Latency(p50_ms=0), tokens_per_sec=2000, rules=rules))


@pytest.mark.parametrize("provider", EACH)
async def test_words_come_as_they_are_written(vendors: Vendors, provider: Provider) -> None:
    # A call builds its services in a thread.
    llm = await asyncio.to_thread(provider.config(vendors).build, Site())
    async with talking(llm, caller("When do you open?")) as talk:
        await talk.ask()
    assert talk.errors == []
    assert talk.said == SENTENCE
    assert len(talk.words) == len(SENTENCE.split())


@pytest.mark.parametrize("provider", EACH)
async def test_a_tool_is_called_and_its_result_told(vendors: Vendors, provider: Provider) -> None:
    vendors.desk.behave(calling("price", {"treatment": "filling"}))
    llm = provider.config(vendors).build(Site())
    async with talking(llm, caller("A filling?"), tools=[price]) as talk:
        await talk.ask(answers=2)
    assert talk.errors == []
    assert [(call.name, call.arguments, call.ok) for call in talk.called] == [
        ("price", {"treatment": "filling"}, True)
    ]
    assert talk.said == "A filling is 120 dollars."


@pytest.mark.parametrize("provider", EACH)
async def test_the_receptionist_begins_as_she_is(
    vendors: Vendors, provider: Provider, tmp_path: Path
) -> None:
    """Examples with calls of tools, a greeting, then the caller; the vendor's rules all kept."""
    vendors.desk.behave(calling("opening_hours", {"day": "monday"}))
    bot = load_bot("receptionist")
    prompt, *opening = bot.opening(tmp_path).messages
    said = [*opening, caller("Are you open on Monday?")]
    llm = provider.config(vendors).build(Site())
    tools = bot.tools(tmp_path)
    async with talking(llm, *said, prompt=prompt["content"], tools=tools) as talk:
        await talk.ask(answers=2)
    assert talk.errors == []
    assert [call.arguments for call in talk.called] == [{"day": "monday"}]
    assert talk.said == talk.called[0].say


@pytest.mark.parametrize("provider", EACH)
async def test_a_bot_may_have_the_first_word(vendors: Vendors, provider: Provider) -> None:
    llm = provider.config(vendors).build(Site())
    async with talking(llm, GREETING, caller("Hello?")) as talk:
        await talk.ask()
    assert (talk.said, talk.errors) == (SENTENCE, [])


@pytest.mark.parametrize("provider", EACH)
async def test_a_model_that_shall_speak_first_does(vendors: Vendors, provider: Provider) -> None:
    llm = provider.config(vendors).build(Site())
    async with talking(llm, caller("Hello?"), GREETING) as talk:
        await talk.ask()
    assert (talk.said, talk.errors) == (SENTENCE, [])


@pytest.mark.parametrize("provider", EACH)
async def test_who_interrupts_hangs_up_on_the_vendor(vendors: Vendors, provider: Provider) -> None:
    vendors.desk.behave(saying("and so on " * 500, tokens_per_sec=50))
    llm = provider.config(vendors, max_tokens=10_000).build(Site())
    async with talking(llm, caller("Tell me all.")) as talk:
        await talk.flow.send(LLMRunFrame())
        await talk.below.wait(LLMTextFrame, 3)
        await talk.flow.send(InterruptionFrame())
        async with asyncio.timeout(20):
            # The simulated vendor tells nobody; it counts.
            while not vendors.desk.abandoned[provider.service]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert talk.errors == []
    assert len(talk.words) < 500


@pytest.mark.parametrize("provider", EACH)
async def test_who_interrupts_between_two_words_hangs_up_as_well(
    vendors: Vendors, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reads from the vendor then, and no collection of garbage shall be needed."""
    vendors.desk.behave(saying("and so on " * 500, tokens_per_sec=50))
    llm = provider.config(vendors, max_tokens=10_000).build(Site())
    passing_on, push = asyncio.Event(), llm.push_frame

    async def push_slowly(frame: Frame, *direction: FrameDirection) -> None:
        if isinstance(frame, LLMTextFrame):
            passing_on.set()
            await asyncio.Event().wait()
        await push(frame, *direction)

    monkeypatch.setattr(llm, "push_frame", push_slowly)
    gc.disable()
    try:
        async with talking(llm, caller("Tell me all.")) as talk, asyncio.timeout(20):
            await talk.flow.send(LLMRunFrame())
            await passing_on.wait()
            await talk.flow.send(InterruptionFrame())
            while not vendors.desk.abandoned[provider.service]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            assert talk.errors == []
    finally:
        gc.enable()


@pytest.mark.parametrize("provider", EACH)
async def test_tokens_and_the_first_byte_are_measured(vendors: Vendors, provider: Provider) -> None:
    llm = provider.config(vendors).build(Site())
    async with talking(llm, caller("Hello?")) as talk:
        await talk.ask()
        await talk.below.wait(MetricsFrame, 2)
    data: list[Any] = [item for frame in talk.below.of(MetricsFrame) for item in frame.data]
    usage = [item.value for item in data if isinstance(item, LLMUsageMetricsData)]
    assert [count.completion_tokens for count in usage] == [len(SENTENCE.split())]
    assert usage[0].prompt_tokens > 0
    assert any(isinstance(item, TTFBMetricsData) and item.value > 0 for item in data)


@pytest.mark.parametrize("provider", EACH)
async def test_a_limit_and_a_stop_reach_the_vendor(vendors: Vendors, provider: Provider) -> None:
    vendors.desk.behave(saying("one two three. four " + "five " * 50))
    llm = provider.config(vendors, max_tokens=16, stop=("four",)).build(Site())
    async with talking(llm, caller("Count.")) as talk:
        await talk.ask()
    assert talk.said == "one two three."
    assert "16" in vendors.desk.seen[0].body


@pytest.mark.parametrize("provider", EACH)
async def test_a_tool_call_that_the_limit_cuts_is_an_error(
    vendors: Vendors, provider: Provider
) -> None:
    """And neither a silence nor a call with half its arguments."""
    vendors.desk.behave(calling("price", {"treatment": "filling " * 30}))
    llm = provider.config(vendors, max_tokens=16).build(Site())
    async with talking(llm, caller("A filling?"), tools=[price]) as talk:
        await talk.ask()
    [error] = talk.errors
    assert "within a tool call" in error.error or "nothing (MAX_TOKENS)" in error.error
    assert talk.called == []


@pytest.mark.parametrize("provider", EACH)
async def test_a_field_of_the_vendors_can_be_added(vendors: Vendors, provider: Provider) -> None:
    llm = provider.config(vendors, request={"metadata": {"user_id": "7"}}).build(Site())
    async with talking(llm, caller("Hello?")) as talk:
        await talk.ask()
    assert talk.errors == []
    assert bodies(vendors, provider.service)[0]["metadata"] == {"user_id": "7"}


def test_calls_that_come_together_are_taken_apart() -> None:
    calls = [
        {"index": index, "id": f"call_{index}", "function": {"name": name, "arguments": "{}"}}
        for index, name in enumerate(("price", "opening_hours"))
    ]
    choice = {"index": 0, "delta": {"tool_calls": calls}, "finish_reason": None}
    kind = "chat.completion.chunk"
    chunk = ChatCompletionChunk.model_validate(
        {"id": "1", "object": kind, "created": 0, "model": "m", "choices": [choice]}
    )
    found = [part.choices[0].delta.tool_calls for part in one_call_each(chunk)]
    names = [[call.function and call.function.name for call in part or ()] for part in found]
    assert names == [["price"], ["opening_hours"]]
