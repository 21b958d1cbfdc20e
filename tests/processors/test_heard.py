"""What the model reads of an interrupted reply is what was heard of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import InterruptionFrame
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.filters.identity_filter import IdentityFilter

from processors.heard import HeardTruth, mend

pytestmark = pytest.mark.unit

WORDS = ["we", "are", "open", "from", "nine", "to", "five", "on", "monday"]
CALL: list[Any] = [
    {"role": "assistant", "content": "Let me look."},
    {"role": "assistant", "tool_calls": [{"id": "1", "type": "function"}], "content": ""},
    {"role": "tool", "tool_call_id": "1", "content": "9-17"},
]

replies = st.lists(st.sampled_from(WORDS), min_size=1, max_size=20)


def bot(text: str) -> Any:
    return {"role": "assistant", "content": text}


def user(text: str) -> Any:
    return {"role": "user", "content": text}


@given(reply=replies, heard=st.integers(0, 20), known=st.integers(0, 20), called=st.booleans())
def test_however_much_was_written_the_words_heard_remain(
    reply: list[str], heard: int, known: int, called: bool
) -> None:
    before = CALL if called else []
    written = [bot(" ".join(reply[:known]))] if known else []
    words = " ".join(reply[:heard])
    mended = mend([*before, *written], heard=words, cut=" ".join(reply[heard:]))
    assert mended == [*before, *([bot(words)] if heard else [])]


@given(reply=replies, heard=st.integers(0, 20), split=st.integers(1, 19))
def test_a_reply_in_two_messages_becomes_one(reply: list[str], heard: int, split: int) -> None:
    parts = [bot(" ".join(part)) for part in (reply[:split], reply[split:]) if part]
    words = " ".join(reply[:heard])
    mended = mend(parts, heard=words, cut=" ".join(reply[heard:]))
    assert mended == ([bot(words)] if heard else [])


def test_what_was_said_before_stays() -> None:
    mended = mend([bot("Are you still there?"), bot("It costs")], heard="It", cut="costs $80.")
    assert mended == [bot("Are you still there?"), bot("It")]


def test_a_voice_that_tells_other_words_is_understood() -> None:
    written = [bot("It costs eighty dollars or")]
    heard = "It costs $80"
    assert mend(written, heard=heard, cut="or ninety with the rest.") == [bot(heard)]


class Conversation:
    """A context, and what keeps it true."""

    def __init__(self, *messages: Any) -> None:
        self.context = LLMContext(list(messages))
        self.aggregator: Any = IdentityFilter()
        self.truth = HeardTruth(self.context, self.aggregator)

    def asks(self, text: str) -> None:
        self.context.add_message(user(text))
        self.truth.reply_started()

    async def interrupts(self, written: str) -> None:
        """The interruption reaches the aggregator, which writes what it knows."""
        if written:
            self.context.add_message(bot(written))
        frame = InterruptionFrame()
        await self.aggregator._call_event_handler("on_after_process_frame", frame)

    @property
    def said(self) -> list[Any]:
        return list(self.context.messages)


@pytest.mark.parametrize("written", ["", "We are", "We are open from nine"])
@pytest.mark.parametrize("told_first", [True, False])
async def test_it_does_not_matter_who_is_first(written: str, told_first: bool) -> None:
    talk = Conversation(user("hi"), bot("Hello."))
    talk.asks("when?")
    if told_first:
        talk.truth.reply_ended("We are open", "from nine", interrupted=True)
        await talk.interrupts(written)
    else:
        await talk.interrupts(written)
        talk.truth.reply_ended("We are open", "from nine", interrupted=True)
    assert talk.said == [user("hi"), bot("Hello."), user("when?"), bot("We are open")]


async def test_a_reply_that_was_not_interrupted_is_left_alone() -> None:
    talk = Conversation()
    talk.asks("when?")
    talk.context.add_message(bot("We are open."))
    talk.truth.reply_ended("We are", "", interrupted=False)
    await talk.interrupts("")
    assert talk.said == [user("when?"), bot("We are open.")]


async def test_a_caller_who_was_faster_comes_after_what_they_heard() -> None:
    talk = Conversation()
    talk.asks("when?")
    talk.context.add_message(user("stop"))
    await talk.interrupts("")
    talk.truth.reply_ended("We are", "open", interrupted=True)
    assert talk.said == [user("when?"), bot("We are"), user("stop")]


async def test_an_interrupted_greeting_leaves_the_examples_alone() -> None:
    talk = Conversation(user("hi"), bot("Hello there, I am Robin."))
    talk.truth.reply_started()
    talk.truth.reply_ended("Hello there", "I am Robin.", interrupted=True)
    assert talk.said == [user("hi"), bot("Hello there, I am Robin."), bot("Hello there")]
