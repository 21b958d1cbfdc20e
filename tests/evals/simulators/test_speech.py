"""What a simulated voice says, in which order, and how it is stopped."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.test_utils import make_mocked_request

from evals.simulators._hum import Chunk
from evals.simulators._speech import Speech, beside, heard_to_the_end
from evals.simulators.behaviour import Behaviour, Fault, Latency, Voice
from evals.simulators.vendors import Course, CutError, Desk

pytestmark = pytest.mark.unit

RATE_HZ = 8000


def speech(fault: Fault | None = None) -> Speech:
    voice = Voice(ttfb=Latency(p50_ms=0), char_ms=50, speed=1000)
    course = Course(make_mocked_request("GET", "/"), fault)
    return Speech(Desk(Behaviour(voice=voice)), course, sample_rate_hz=RATE_HZ)


async def told(said: Speech) -> list[str]:
    return [e.letters if isinstance(e, Chunk) else e async for e in said.events()]


async def test_texts_are_said_in_turn() -> None:
    said = speech()
    said.say("one ")
    said.say("two")
    said.end()
    assert await told(said) == ["on", "e ", "said", "tw", "o", "said"]


async def test_it_can_be_asked_again_after_its_end() -> None:
    said = speech()
    for text in ("ab", "cd"):
        said.say(text)
        said.end()
        assert await told(said) == [text, "said"]


async def test_rubbish_is_said_once() -> None:
    said = speech(Fault(kind="malformed", after=1))
    said.say("abcdef")
    said.end()
    assert await told(said) == ["ab", "malformed", "ef", "said"]


async def test_silence_has_an_end() -> None:
    said = speech(Fault(kind="silent"))
    said.say("abcdef")
    said.end()
    assert await told(said) == ["said"]


async def test_what_goes_on_beside_ends_with_the_block() -> None:
    async with beside() as tasks:
        task = tasks.start(asyncio.sleep(60))
        await asyncio.sleep(0)
    assert task.cancelled()


async def test_a_cut_beside_ends_the_block_quietly() -> None:
    async def cut() -> None:
        raise CutError

    async with beside() as tasks:
        tasks.start(cut())
        await asyncio.sleep(60)


async def test_an_answer_that_is_not_heard_to_the_end_counts() -> None:
    desk = Desk()
    with pytest.raises(ConnectionResetError), heard_to_the_end(desk, "opentts"):
        raise ConnectionResetError
    assert desk.abandoned == {"opentts": 1}
