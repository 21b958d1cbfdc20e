"""What the caller's page is told by Pipecat's own protocol, without secrets."""

from __future__ import annotations

from pipecat.processors.frameworks.rtvi.models import Error
from pipecat.processors.frameworks.rtvi.processor import RTVIProcessor
from pydantic import BaseModel

from records.redact import redact


class DiscreetRtvi(RTVIProcessor):
    """Pipecat's RTVI, in whose error messages no vendor can quote a key back."""

    async def push_transport_message(self, model: BaseModel, exclude_none: bool = True) -> None:
        """Send a message; the text of an error is redacted."""
        if isinstance(model, Error):
            data = model.data.model_copy(update={"error": redact(model.data.error)})
            model = model.model_copy(update={"data": data})
        await super().push_transport_message(model, exclude_none)
