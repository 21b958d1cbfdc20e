"""What the caller's page may say and is told by Pipecat's own protocol: little, and no secrets."""

from __future__ import annotations

import asyncio

from loguru import logger
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputTransportMessageFrame,
    OutputTransportMessageUrgentFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.processors.frameworks.rtvi.models import (
    BotReady,
    Error,
    ErrorResponse,
    ErrorResponseData,
    Message,
    ServerResponse,
)
from pipecat.processors.frameworks.rtvi.processor import RTVIProcessor
from pydantic import BaseModel, ValidationError

from records.redact import redact

TAKEN = frozenset({"client-ready", "client-message", "disconnect-bot"})
"""What a caller may send. Pipecat would also fetch a URL for them (`send-file`), put words, results
and audio of any form into the conversation, and whatever its next version adds."""
PATIENCE_SECS = 5.0
"""How long news waits for a page to say that it is ready; a caller without a page never does."""
_MOST_HELD = 256
"""Then it is told all the same."""
_ANSWERS = (ErrorResponse, ServerResponse)


class Threshold:
    """Keeps what a page is told behind the `bot-ready` that a page of Pipecat's begins with. Pure.

    A call begins before its page has said that it is ready: a greeting that is heard at once would
    be told of to a page that does not yet listen.
    """

    def __init__(self) -> None:
        self._held: list[BaseModel] = []
        self._open = False

    def pass_on(self, model: BaseModel) -> list[BaseModel]:
        """What may be sent now, in order; a message, and what was held."""
        if isinstance(model, BotReady):
            return [model, *self.release()]
        if isinstance(model, Error):
            # A call that fails may not last until somebody is ready.
            return [*self.release(), model]
        if self._open or isinstance(model, _ANSWERS):
            return [model]
        self._held.append(model)
        return self.release() if len(self._held) == _MOST_HELD else []

    def release(self) -> list[BaseModel]:
        """What is held, in order; nothing is held from now on."""
        self._open = True
        held, self._held = self._held, []
        return held


class DiscreetRtvi(RTVIProcessor):
    """Pipecat's RTVI, of which a caller has a part, and whose errors quote no key.

    Args:
        output: Of the transport. Messages go there directly: they would overtake whatever is
            queued on the way, and cost each processor a wake-up.
    """

    def __init__(self, output: FrameProcessor) -> None:
        super().__init__()
        self._output = output
        self._threshold = Threshold()
        self._late: asyncio.Task[None] | None = None
        """Tells what is held if no page says that it is ready."""
        self._warned = False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Handle a frame; a message that is not taken is answered and goes no further."""
        if isinstance(frame, InputTransportMessageFrame) and not await self._takes(frame.message):
            return
        if isinstance(frame, EndFrame | CancelFrame):
            await self._release()
        await super().process_frame(frame, direction)

    async def push_frame(
        self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM
    ) -> None:
        """Pass a frame on; a message goes straight to the output."""
        if isinstance(frame, OutputTransportMessageUrgentFrame):
            await self._output.queue_frame(frame)
        else:
            await super().push_frame(frame, direction)

    async def push_transport_message(self, model: BaseModel, exclude_none: bool = True) -> None:
        """Send a message, in its turn; the text of an error is redacted."""
        if isinstance(model, Error):
            data = model.data.model_copy(update={"error": redact(model.data.error)})
            model = model.model_copy(update={"data": data})
        passed = self._threshold.pass_on(model)
        if not passed and not self._late:
            self._late = self.create_task(self._release_late())
        for one in passed:
            await super().push_transport_message(one, exclude_none)

    async def cleanup(self) -> None:
        """Wait for no page any more."""
        if self._late:
            await self.cancel_task(self._late)
        await super().cleanup()

    async def _release_late(self) -> None:
        await asyncio.sleep(PATIENCE_SECS)
        await self._release()

    async def _release(self) -> None:
        for one in self._threshold.release():
            await super().push_transport_message(one)

    async def _takes(self, sent: object) -> bool:
        try:
            message = Message.model_validate(sent)
        except ValidationError:
            # Not of this protocol: nobody waits for an answer.
            self._warn()
            return False
        if message.type in TAKEN:
            return True
        self._warn()
        refusal = ErrorResponseData(error="This server takes no message of that type.")
        await self.push_transport_message(ErrorResponse(id=message.id, data=refusal))
        return False

    def _warn(self) -> None:
        # Once, and without its content: what a caller sends must not fill the log.
        if not self._warned:
            logger.warning("The caller sent a message that is not taken; this is told once a call.")
            self._warned = True
