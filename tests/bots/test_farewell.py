"""The bot takes its leave at a good moment, and within a bound whatever happens."""

from __future__ import annotations

import asyncio

import pytest

import bots.farewell
from bots.farewell import Farewell, Floor, is_said
from records.events import CallerStarted, CallerStopped, CallEvent, ReplyEnded, ReplyStarted

pytestmark = pytest.mark.unit

SENTENCE = "I am sorry, I have to end this call now. Good-bye."
BOT_ON, CALLER_OFF = ReplyStarted(at_ms=0), CallerStopped(at_ms=0)
CALLER_ON = CallerStarted(at_ms=0, interrupts=False)


def bot_off(spoken: str = "", cut: str = "") -> ReplyEnded:
    return ReplyEnded(at_ms=0, spoken=spoken, cut=cut, interrupted=bool(cut))


@pytest.mark.parametrize(
    ("events", "free"),
    [
        ([], True),
        ([BOT_ON], False),
        ([BOT_ON, bot_off()], True),
        ([CALLER_ON], False),
        ([CALLER_ON, CALLER_OFF], True),
        ([BOT_ON, CALLER_ON, bot_off()], False),
        ([BOT_ON, CALLER_ON, CALLER_OFF], False),
    ],
)
def test_the_floor_is_free_when_nobody_speaks(events: list[CallEvent], free: bool) -> None:
    floor = Floor()
    for event in events:
        floor.heed(event)
    assert floor.free == free


def test_the_floor_is_free_between_two_sentences() -> None:
    floor = Floor()
    floor.heed(BOT_ON)
    floor.next_sentence()
    assert floor.free
    floor.go_on()
    assert not floor.free
    floor.next_sentence()
    floor.heed(CALLER_ON)
    assert not floor.free


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (SENTENCE, True),
        ("i am sorry i have to", True),
        ("Well. I am sorry, I have to end", True),
        ("I am sorry", False),
        ("", False),
    ],
)
def test_a_sentence_is_known_by_its_beginning(reply: str, said: bool) -> None:
    assert is_said(SENTENCE, reply) == said
    assert not is_said("", reply)


class Voice:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[str] = asyncio.Queue()

    async def say(self, text: str) -> None:
        self.said.put_nowait(text)


@pytest.fixture
def voice(monkeypatch: pytest.MonkeyPatch) -> Voice:
    monkeypatch.setattr(bots.farewell, "TAIL_SECS", 0.0)
    return Voice()


async def test_it_returns_when_the_sentence_was_heard(voice: Voice) -> None:
    farewell = Farewell(SENTENCE, voice.say)
    leaving = asyncio.ensure_future(farewell.take_leave())
    assert await voice.said.get() == SENTENCE
    # What was cut off for it ends first.
    farewell.heed(bot_off("The weather"))
    await asyncio.sleep(0)
    assert not leaving.done()
    farewell.heed(bot_off(SENTENCE))
    await leaving


async def test_it_waits_for_the_end_of_a_sentence(voice: Voice) -> None:
    farewell = Farewell(SENTENCE, voice.say)
    farewell.heed(BOT_ON)
    leaving = asyncio.ensure_future(farewell.take_leave())
    await asyncio.sleep(0.05)
    assert voice.said.empty()
    farewell.heed(bot_off())
    assert await voice.said.get() == SENTENCE
    farewell.heed(bot_off(SENTENCE[:20], SENTENCE[20:]))
    await leaving


async def test_a_bot_without_a_sentence_leaves_in_silence(voice: Voice) -> None:
    await Farewell("", voice.say).take_leave()
    assert voice.said.empty()


async def test_it_does_not_wait_for_ever_for_the_moment(
    voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bots.farewell, "MOMENT_SECS", 0.05)
    farewell = Farewell(SENTENCE, voice.say)
    farewell.heed(CALLER_ON)
    leaving = asyncio.ensure_future(farewell.take_leave())
    assert await voice.said.get() == SENTENCE
    farewell.heed(bot_off(SENTENCE))
    await leaving


async def test_a_voice_that_fails_keeps_nobody(
    voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bots.farewell, "FAREWELL_SECS", 0.1)
    await Farewell(SENTENCE, voice.say).take_leave()
    assert await voice.said.get() == SENTENCE
