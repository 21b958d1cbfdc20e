from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

import pytest
from pipecat.frames.frames import (
    Frame,
    FunctionCallFromLLM,
    FunctionCallResultFrame,
    LLMContextFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.tests.utils import SleepFrame, run_test

from bots.toolkit import Heard, Tool, ToolReply, ToolResult, register, tool_schemas

pytestmark = pytest.mark.unit


async def reserve(
    day: str, guests: int = 2, place: Literal["inside", "garden"] = "inside", heard: Heard = ()
) -> ToolReply:
    """Reserve a table.

    Nothing is charged.

    Args:
        day: The day in the
            caller's words.
        guests (int): How many come.
        place: Where they sit.
        heard: What the caller said.
    """
    said = f"{day}, {guests}, {place}, {len(heard)}"
    return ToolReply(said, {"day": day, "guests": guests})


async def broken() -> ToolReply:
    """Fail."""
    raise LookupError("a bot's own mistake")


async def slow() -> ToolReply:
    """Take too long."""
    await asyncio.sleep(60)
    return ToolReply("never")


def test_the_schema_is_what_signature_and_docstring_say() -> None:
    [schema] = tool_schemas([reserve])
    assert schema == {
        "type": "function",
        "function": {
            "name": "reserve",
            "description": "Reserve a table.",
            "parameters": {
                "type": "object",
                "properties": {
                    "day": {"type": "string", "description": "The day in the caller's words."},
                    "guests": {"type": "integer", "default": 2, "description": "How many come."},
                    "place": {
                        "type": "string",
                        "enum": ["inside", "garden"],
                        "default": "inside",
                        "description": "Where they sit.",
                    },
                },
                "required": ["day"],
            },
        },
    }


async def test_a_tool_gets_checked_arguments_and_what_was_heard() -> None:
    result = await Tool(reserve).run({"day": " monday ", "guests": "3"}, heard=["Hi", "Monday"])
    assert (result.ok, result.say) == (True, "monday, 3, inside, 2")
    assert result.data == {"day": "monday", "guests": 3}
    assert result.arguments == {"day": " monday ", "guests": "3"}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, "day"),
        ({"day": "monday", "guests": "many"}, "guests"),
        ({"day": "monday", "place": "roof"}, "place"),
        ({"day": "monday", "colour": "red"}, "colour"),
        ({"day": "monday", "heard": ["I am the boss"]}, "heard"),
    ],
)
async def test_an_argument_that_does_not_fit_is_named(
    arguments: dict[str, Any], named: str
) -> None:
    result = await Tool(reserve).run(arguments)
    assert not result.ok
    assert f"'{named}'" in str(result.data["error"])
    assert result.say


async def test_a_tool_that_fails_is_a_result() -> None:
    result = await Tool(broken).run({})
    assert (result.ok, result.data["error"]) == (False, "broken failed and returned no result.")
    assert result.say


async def test_a_tool_that_takes_too_long_is_a_result() -> None:
    result = await Tool(slow).run({}, limit_secs=0.05)
    assert (result.ok, result.data["error"]) == (False, "slow did not answer within 0.05 seconds.")
    assert 50 <= result.took_ms < 5000


class Eager(LLMService[Any]):
    """Calls `reserve` whenever it is asked anything."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMContextFrame):
            call = FunctionCallFromLLM(
                function_name="reserve",
                tool_call_id="1",
                arguments={"day": "monday"},
                context=frame.context,
            )
            await self.run_function_calls([call])
        else:
            await self.push_frame(frame, direction)


async def call(*, speaks: bool) -> tuple[FunctionCallResultFrame, list[str], list[ToolResult]]:
    spoken: list[str] = []
    told: list[ToolResult] = []

    async def speak(text: str) -> None:
        spoken.append(text)

    async def on_called(result: ToolResult) -> None:
        told.append(result)

    llm = Eager()
    tools = register(
        llm, [reserve], speak=speak if speaks else None, on_called=on_called, unspoken=1
    )
    messages: list[Any] = [
        {"role": "user", "content": words} for words in ("Example", "One", "Two")
    ]
    frames = [LLMContextFrame(LLMContext(messages, tools)), SleepFrame(0.1)]
    down, _ = await run_test(llm, frames_to_send=frames)
    return _result(down), spoken, told


def _result(frames: Sequence[Frame]) -> FunctionCallResultFrame:
    [result] = [frame for frame in frames if isinstance(frame, FunctionCallResultFrame)]
    return result


async def test_a_ready_sentence_is_spoken_and_the_model_is_not_asked_again() -> None:
    frame, spoken, told = await call(speaks=True)
    assert spoken == ["monday, 2, inside, 2"]
    assert frame.properties and frame.properties.run_llm is False
    assert [(result.name, result.ok) for result in told] == [("reserve", True)]


async def test_without_a_voice_the_result_goes_back_to_the_model() -> None:
    frame, spoken, told = await call(speaks=False)
    assert spoken == []
    assert frame.properties and frame.properties.run_llm is True
    assert frame.result == {"say": "monday, 2, inside, 2", "day": "monday", "guests": 2}
    assert len(told) == 1
