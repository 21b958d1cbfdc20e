"""The Pipecat service of ElevenLabs, impatient with a dead line."""

from __future__ import annotations

from typing import Any

from pipecat.services.elevenlabs.tts import ElevenLabsTTSService

from providers.tts._socket import PromptSocket


class ElevenLabsService(PromptSocket, ElevenLabsTTSService):
    """A context a reply, and the time of each letter.

    Args:
        latency_level: From 0, none, to 4, all that ElevenLabs can do for latency.
        arguments: Those of Pipecat's service.
    """

    def __init__(self, *, latency_level: int | None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._latency_level = latency_level

    def _build_websocket_url(self) -> str:
        url = super()._build_websocket_url()
        level = self._latency_level
        return url if level is None else f"{url}&optimize_streaming_latency={level}"
