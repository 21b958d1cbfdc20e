"""What the caller's page may say and is told by Pipecat's own protocol: little, and no secrets."""

from __future__ import annotations

from loguru import logger
from pipecat.frames.frames import (
    Frame,
    InputTransportMessageFrame,
    OutputTransportMessageUrgentFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.processors.frameworks.rtvi.models import (
    Error,
    ErrorResponse,
    ErrorResponseData,
    Message,
)
from pipecat.processors.frameworks.rtvi.processor import RTVIProcessor
from pydantic import BaseModel, ValidationError

from records.redact import redact

TAKEN = frozenset({"client-ready", "client-message", "disconnect-bot"})
"""What a caller may send. Pipecat would also fetch a URL for them (`send-file`), put words, results
and audio of any form into the conversation, and whatever its next version adds."""


class DiscreetRtvi(RTVIProcessor):
    """Pipecat's RTVI, of which a caller has a part, and whose errors quote no key.

    Args:
        output: Of the transport. Messages go there directly: they would overtake whatever is
            queued on the way, and cost each processor a wake-up.
    """

    def __init__(self, output: FrameProcessor) -> None:
        super().__init__()
        self._output = output
        self._warned = False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Handle a frame; a message that is not taken is answered and goes no further."""
        if isinstance(frame, InputTransportMessageFrame) and not await self._takes(frame.message):
            return
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
        """Send a message; the text of an error is redacted."""
        if isinstance(model, Error):
            data = model.data.model_copy(update={"error": redact(model.data.error)})
            model = model.model_copy(update={"data": data})
        await super().push_transport_message(model, exclude_none)

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
