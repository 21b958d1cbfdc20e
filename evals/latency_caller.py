"""A caller who speaks over every answer; plays on the call's own clock and notes what it did."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
from pipecat.frames.frames import (
    Frame,
    LLMFullResponseStartFrame,
    OutputAudioRawFrame,
)

if TYPE_CHECKING:
    from pipelines.headless import HeadlessTransport

GREETING_SECS = 30.0
NO_ANSWER_SECS = 6.0
"""Then the caller goes on without an answer."""
HEARD_MS = (800, 1400)
"""How much of a reply is heard before it is spoken over."""
_AUDIBLE = 100.0
"""Level of a chunk, of 32768; the simulated voice is 500 at its quietest."""
_SOUND_AFTER_MS = 1000
_LISTEN_SECS = 2.0
"""After a sound: what has not resumed by then has stopped."""
_LAST_SECS = 1.5
_NAP_SECS = 0.05


class Listener:
    """Hears the bot, where its sound leaves the output transport."""

    def __init__(self, transport: HeadlessTransport) -> None:
        self.replies_at: list[float] = []
        """When each reply's first frame reached the output, by the loop's clock, in seconds."""
        self._audible_ms = 0.0
        self._wanted_ms = 0.0
        self._enough = asyncio.Event()
        transport.output().add_event_handler("on_after_push_frame", self._pushed)
        transport.output().add_event_handler("on_before_process_frame", self._reached)

    async def until_heard(self, ms: float, *, timeout_secs: float) -> bool:
        """Wait until so much more of the bot has been heard; False if it takes too long."""
        self._audible_ms, self._wanted_ms = 0.0, ms
        self._enough.clear()
        try:
            async with asyncio.timeout(timeout_secs):
                await self._enough.wait()
        except TimeoutError:
            return False
        return True

    async def _pushed(self, _: Any, frame: Frame) -> None:
        if not isinstance(frame, OutputAudioRawFrame):
            return
        samples = np.frombuffer(frame.audio, "<i2").astype(np.float32)
        if np.sqrt(np.square(samples).mean()) < _AUDIBLE:
            return
        self._audible_ms += 1000 * frame.num_frames / frame.sample_rate
        if self._audible_ms >= self._wanted_ms:
            self._enough.set()

    async def _reached(self, _: Any, frame: Frame) -> None:
        if isinstance(frame, LLMFullResponseStartFrame):
            self.replies_at.append(asyncio.get_running_loop().time())


@dataclass
class Caller:
    """Plays a script to the bot in real time.

    Args:
        transport: The call.
        seed: Of how long it listens before it speaks again.
    """

    transport: HeadlessTransport
    seed: int = 0
    said_at: list[float] = field(default_factory=list[float])
    """When each clip was queued to be played, by the loop's clock, in seconds."""
    late_ms: list[float] = field(default_factory=list[float])
    """By how much each short sleep of `watch` was too long."""

    def __post_init__(self) -> None:
        self.listener = Listener(self.transport)
        self._random = Random(self.seed)

    async def watch(self) -> None:
        """Note how late this process is woken, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _NAP_SECS
            await asyncio.sleep(_NAP_SECS)
            self.late_ms.append((loop.time() - due) * 1000)

    async def greeted(self) -> bool:
        """Wait until some of the greeting is heard; False if there is none."""
        return await self.listener.until_heard(HEARD_MS[0], timeout_secs=GREETING_SECS)

    async def talk(self, turns: Sequence[bytes]) -> None:
        """Say each turn over the answer to the one before; then hang up."""
        for turn in turns:
            await self._play(turn)
            wanted_ms = self._random.uniform(*HEARD_MS)
            await self.listener.until_heard(wanted_ms, timeout_secs=NO_ANSWER_SECS)
        await asyncio.sleep(_LAST_SECS)
        await self.transport.hang_up()

    async def disturb(self, ask: bytes, sounds: Sequence[bytes]) -> None:
        """Ask before each sound, and make it while the answer is heard; then hang up."""
        for sound in sounds:
            await self._play(ask)
            await self.listener.until_heard(_SOUND_AFTER_MS, timeout_secs=NO_ANSWER_SECS)
            await self._play(sound)
            await asyncio.sleep(_LISTEN_SECS)
        await self.transport.hang_up()

    async def _play(self, clip: bytes) -> None:
        self.said_at.append(asyncio.get_running_loop().time())
        await self.transport.say([clip])
