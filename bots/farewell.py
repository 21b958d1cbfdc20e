"""How a call ends that neither of the two has ended: at a good moment, with a sentence."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from pipecat.frames.frames import AggregatedTextFrame, Frame, TTSTextFrame
from pipecat.processors.frame_processor import FrameProcessor

from records.events import CallerStarted, CallerStopped, CallEvent, ReplyEnded, ReplyStarted

MOMENT_SECS = 2.5
"""How long the two may go on with what they are saying."""
FAREWELL_SECS = 8.0
"""How long the whole of it may take, the wait for the moment included."""
TAIL_SECS = 0.3
"""What was sent last is on its way, or in the caller's buffer, for so long."""
_KNOWN_LETTERS = 12
"""By so many a sentence is recognised, whatever the voice makes of its marks and numbers."""

Say = Callable[[str], Awaitable[None]]


class Floor:
    """Who speaks, as the call's events tell it."""

    def __init__(self) -> None:
        self._bot = False
        self._caller = False
        self._between = False

    @property
    def free(self) -> bool:
        """Whether somebody may begin: nobody speaks, or the bot is between two sentences."""
        return not self._caller and (not self._bot or self._between)

    def heed(self, event: CallEvent) -> None:
        """Something happened."""
        if isinstance(event, ReplyStarted | ReplyEnded):
            self._bot = isinstance(event, ReplyStarted)
            self._between = False
        elif isinstance(event, CallerStarted | CallerStopped):
            self._caller = isinstance(event, CallerStarted)

    def next_sentence(self) -> None:
        """The bot is done with a sentence and begins another."""
        self._between = True

    def go_on(self) -> None:
        """The gap that was is over."""
        self._between = False


class Farewell:
    """Waits for the moment, says the sentence, and returns when it was heard.

    Args:
        sentence: What is said; nothing if empty.
        say: Silences the bot, whatever it is at, and speaks so that nothing interrupts it.
    """

    def __init__(self, sentence: str, say: Say) -> None:
        self._sentence = sentence
        self._say = say
        self._floor = Floor()
        self._free = asyncio.Event()
        self._said = asyncio.Event()

    def watch(self, mouth: FrameProcessor) -> None:
        """Tell a sentence's beginning from what the transport's output passes on."""

        async def passed(_: FrameProcessor, frame: Frame) -> None:
            if isinstance(frame, AggregatedTextFrame) and not isinstance(frame, TTSTextFrame):
                self._floor.next_sentence()
                self._look()

        mouth.add_event_handler("on_before_push_frame", passed)

    def heed(self, event: CallEvent) -> None:
        """Something happened in the call."""
        self._floor.heed(event)
        self._look()
        if isinstance(event, ReplyEnded) and is_said(self._sentence, event.spoken + event.cut):
            self._said.set()

    async def take_leave(self) -> None:
        """Returns within `FAREWELL_SECS`, whatever the voice, the model and the caller do."""
        try:
            async with asyncio.timeout(FAREWELL_SECS):
                await self._take_leave()
        except TimeoutError:
            return

    async def _take_leave(self) -> None:
        self._floor.go_on()
        self._look()
        await _within(MOMENT_SECS, self._free)
        if self._sentence:
            await self._say(self._sentence)
            await self._said.wait()
            await asyncio.sleep(TAIL_SECS)

    def _look(self) -> None:
        if self._floor.free:
            self._free.set()
        else:
            self._free.clear()


def is_said(sentence: str, reply: str) -> bool:
    """Whether a reply holds the sentence, as far as its first letters tell; never an empty one."""
    known = _letters(sentence)[:_KNOWN_LETTERS]
    return bool(known) and known in _letters(reply)


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.lower())


async def _within(secs: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(secs):
            await event.wait()
    except TimeoutError:
        return
