"""After an interruption: what stays in the model's context is what was heard, to the word."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, cast

from pipecat.frames.frames import Frame, InterruptionFrame
from pipecat.processors.aggregators.llm_context import LLMContext, LLMSpecificMessage
from pipecat.processors.frame_processor import FrameProcessor

from processors.backchannel import plain

if TYPE_CHECKING:
    from pipecat.processors.aggregators.llm_context import LLMContextMessage

_ALIKE = 0.6
"""Of the words of a message and those of the reply: a voice may tell "$80" as "eighty dollars"."""


def mend(messages: Sequence[LLMContextMessage], *, heard: str, cut: str) -> list[LLMContextMessage]:
    """The messages since the caller last spoke, with the interrupted reply as it was heard.

    Whatever of the reply stands at their end, too much or too little, is replaced by the words
    that were heard; if there are none, by nothing. Tools' calls and results, and what was said
    before them, stay.

    Args:
        messages: After the caller's last one.
        heard: The reply's words that were heard.
        cut: Those that were not.
    """
    kept = list(messages)
    tail = len(kept)
    while tail and _spoken(kept[tail - 1]) is not None:
        tail -= 1
    reply = plain(f"{heard} {cut}")
    for start in range(tail, len(kept)):
        if _begins(reply, " ".join(_spoken(message) or "" for message in kept[start:])):
            del kept[start:]
            break
    if heard.strip():
        kept.append({"role": "assistant", "content": heard.strip()})
    return kept


def _spoken(message: LLMContextMessage) -> str | None:
    """What the bot says in that message; None if that is not what it is for."""
    if isinstance(message, LLMSpecificMessage):
        return None
    fields = cast("dict[str, Any]", message)
    content = fields.get("content")
    if fields.get("role") != "assistant" or fields.get("tool_calls"):
        return None
    return content if isinstance(content, str) else None


def _begins(reply: list[str], text: str) -> bool:
    """Whether those words are how the reply begins, or all of it."""
    words = plain(text)
    if not words:
        return True
    return SequenceMatcher(None, words, reply[: len(words)]).ratio() >= _ALIKE


class HeardTruth:
    """Keeps the context true to what was heard.

    Tell it of each reply's beginning and end. Pipecat's aggregator writes what it knows of a reply
    when the interruption reaches it, shortly before or after its end is told: the context is
    mended then and then.

    Args:
        context: The conversation.
        aggregator: The assistant's, which writes to it.
    """

    def __init__(self, context: LLMContext, aggregator: FrameProcessor) -> None:
        self._context = context
        self._first = len(context.messages)
        self._anchor: LLMContextMessage | None = None
        self._reply: tuple[str, str] | None = None
        self._written: LLMContextMessage | None = None
        aggregator.add_event_handler("on_after_process_frame", self._processed)

    def reply_started(self) -> None:
        """The bot is heard: what it says answers the last message."""
        self._reply = self._written = None
        self._anchor = self._last_asked()

    def reply_ended(self, heard: str, cut: str, *, interrupted: bool) -> None:
        """The bot is silent: the words of its reply that were heard, and that were not."""
        self._reply = (heard, cut) if interrupted else None
        self._mend()

    async def _processed(self, _: FrameProcessor, frame: Frame) -> None:
        if isinstance(frame, InterruptionFrame):
            self._mend()

    def _mend(self) -> None:
        if self._reply is None:
            return
        heard, cut = self._reply
        messages = [said for said in self._context.messages if said is not self._written]
        start = self._after_anchor(messages)
        end = next((at for at in range(start, len(messages)) if _asks(messages[at])), len(messages))
        mended = mend(messages[start:end], heard=heard, cut=cut)
        self._written = mended[-1] if heard else None
        self._context.set_messages([*messages[:start], *mended, *messages[end:]])

    def _last_asked(self) -> LLMContextMessage | None:
        asked = [message for message in self._context.messages[self._first :] if _asks(message)]
        return asked[-1] if asked else None

    def _after_anchor(self, messages: list[LLMContextMessage]) -> int:
        for at, message in enumerate(messages):
            if message is self._anchor:
                return at + 1
        return min(self._first, len(messages))


def _asks(message: LLMContextMessage) -> bool:
    """Whether it is the caller's, or asks in the caller's place."""
    return not isinstance(message, LLMSpecificMessage) and message["role"] in ("user", "developer")
