"""The Pipecat service of Deepgram Aura, impatient with a dead line."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from pipecat.frames.frames import Frame
from pipecat.services.deepgram.tts import DeepgramTTSService

from providers.tts._socket import PromptSocket


class DeepgramService(PromptSocket, DeepgramTTSService):
    """Counts the letters too, which Pipecat's own does not."""

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Send `text`; its sound comes by the socket."""
        await self.start_tts_usage_metrics(text)
        async for frame in super().run_tts(text, context_id):  # pyright: ignore[reportUnknownVariableType]
            yield frame
