"""What whoever looks after a call has its bot say, beside what the model thinks of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from errors import OffhookError

Say = Callable[[str], Awaitable[None]]


class NotTalkingError(OffhookError):
    """The bot can say nothing now: the caller has not come yet, or the call is ending."""

    code = "not_joined"
    status = 409


def not_joined() -> NotTalkingError:
    """What is said while nobody would hear it."""
    return NotTalkingError("The caller has not joined yet; try again when they have.")


def ending() -> NotTalkingError:
    """What is said when the call takes no more words."""
    return NotTalkingError("The call is ending; nothing more is said in it.", code="ending")


class Sayings:
    """The way in for a sentence: opened by the call when its caller has come, closed for good."""

    def __init__(self) -> None:
        self._say: Say | None = None
        self._closed = False

    def open(self, say: Say) -> None:
        """The caller has come; each sentence is given to `say`."""
        self._say = say

    def close(self) -> None:
        """The call is ending."""
        self._closed = True

    async def say(self, text: str) -> None:
        """Have it said, after what the bot is saying.

        Raises:
            NotTalkingError: The caller is not there yet, or the call is ending.
        """
        if self._closed:
            raise ending()
        if self._say is None:
            raise not_joined()
        await self._say(text)
