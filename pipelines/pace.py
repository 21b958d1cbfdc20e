"""How fast a caller may send, whichever way they come."""

from __future__ import annotations

import asyncio

from loguru import logger

AHEAD_SECS = 2.0
"""How far ahead of the clock a caller may send: what a network holds back and then lets go."""
_MESSAGE_SECS = 0.02
"""What a message counts for: fifty a second, as many as chunks of audio."""


class Ahead:
    """How far what was taken of a stream is ahead of the clock; time missed is not made up for."""

    def __init__(self) -> None:
        self._full_secs = 0.0
        """When the clock will have caught up."""

    def take(self, secs: float, *, now_secs: float) -> bool:
        """Take that much of the stream, unless it is too far ahead already."""
        caught_up_secs = max(self._full_secs, now_secs)
        if caught_up_secs - now_secs >= AHEAD_SECS:
            return False
        self._full_secs = caught_up_secs + secs
        return True


class Pace:
    """What one caller may send: nothing behind this has a bound, so real time is one.

    The first excess is told in the log.
    """

    def __init__(self) -> None:
        self._audio, self._messages = Ahead(), Ahead()
        self._warned = False

    def takes_audio(self, secs: float) -> bool:
        """Whether so much more audio is not too early."""
        return self._fits(self._audio, secs)

    def takes_message(self) -> bool:
        """Whether one more message is not too many."""
        return self._fits(self._messages, _MESSAGE_SECS)

    def _fits(self, stream: Ahead, secs: float) -> bool:
        fits = stream.take(secs, now_secs=asyncio.get_running_loop().time())
        if not fits and not self._warned:
            self._warned = True
            logger.warning("The caller sends faster than real time; what is too early is dropped.")
        return fits
