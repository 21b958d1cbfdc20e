"""The Pipecat service of OpenAI's `/audio/speech`, with any voice at any rate.

Pipecat's own takes OpenAI's voices alone, and answers at 24 kHz alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx
from pydantic import JsonValue

from providers.tts._http_service import HttpTtsService, HttpVoice


class OpenAiCompatibleTtsService(HttpTtsService):
    """Posts each sentence.

    Args:
        voice: Who speaks.
        fields: The request's, but for the text.
        rate_hz: Rate of the raw samples that come; None for a WAV.
    """

    def __init__(
        self, voice: HttpVoice, *, fields: Mapping[str, JsonValue], rate_hz: int | None
    ) -> None:
        super().__init__(voice)
        self._fields = fields
        self._rate_hz = rate_hz

    def request(self, text: str) -> httpx.Request:
        """What asks for the sound of `text`."""
        return self._http.build_request(
            "POST", "/audio/speech", json={**self._fields, "input": text}
        )

    def rate_hz(self, response: httpx.Response) -> int | None:
        """As the configuration says."""
        return self._rate_hz
