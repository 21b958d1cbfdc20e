"""The Pipecat service of OpenTTS."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from providers.tts._http_service import HttpTtsService, HttpVoice


class OpenTtsService(HttpTtsService):
    """Asks for a WAV of each sentence.

    Args:
        voice: Who speaks.
        query: The request's, but for the text.
    """

    def __init__(self, voice: HttpVoice, *, query: Mapping[str, str]) -> None:
        super().__init__(voice)
        self._query = query

    def request(self, text: str) -> httpx.Request:
        """What asks for the sound of `text`."""
        return self._http.build_request("GET", "/api/tts", params={**self._query, "text": text})
