"""The Pipecat service that speaks through a voice's own process."""

from __future__ import annotations

import httpx
from pipecat.services.settings import TTSSettings

from providers.tts._http_service import HttpTtsService, HttpVoice

_QUIET_SECS = 20.0


class VoiceTtsService(HttpTtsService):
    """Asks the sidecar, which ends its synthesis when the connection is closed."""

    def __init__(self, title: str, *, base_url: str, speed: float, speaker: str = "") -> None:
        settings = TTSSettings(model=title.lower(), voice=speaker or title.lower(), language=None)
        super().__init__(HttpVoice(title, base_url, settings, _QUIET_SECS))
        self._speed = speed
        self._speaker = speaker

    def request(self, text: str) -> httpx.Request:
        """What asks for the sound of `text`."""
        body = {"text": text, "speed": self._speed, "speaker": self._speaker}
        return self._http.build_request("POST", "/synthesize", json=body)

    def rate_hz(self, response: httpx.Response) -> int:
        """As the sidecar says."""
        return int(response.headers["X-Sample-Rate"])
