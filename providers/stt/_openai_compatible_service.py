"""The Pipecat service that uploads each stretch of speech to an API of OpenAI's shape."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, cast

from openai import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    DefaultAsyncHttpxClient,
    OpenAIError,
)
from pipecat.frames.frames import EndFrame, Frame, TranscriptionFrame
from pipecat.services.whisper.base_stt import BaseWhisperSTTService
from pipecat.utils.http import connection_limits
from pipecat.utils.time import time_now_iso8601

from providers.addresses import of_this_machine
from providers.reach import refuse_long_waits
from records.redact import redact

_RETRIES = 1


@dataclass(frozen=True)
class Api:
    """Where speech is sent, by which key, and how long an answer may take."""

    name: str
    """As errors call it."""
    url: str
    key: str = field(repr=False)
    give_up_secs: float


class TranscriptionService(BaseWhisperSTTService):
    """One request a stretch of speech, sent when the VAD stops; a failure costs that stretch.

    By itself Pipecat's waits 10 minutes for an answer, three times over, and for as long as the
    vendor's `Retry-After` says.
    """

    def __init__(self, api: Api, **arguments: Any) -> None:
        super().__init__(api_key=api.key, base_url=api.url, **arguments)
        self._api = api
        self._client = AsyncOpenAI(
            api_key=api.key,
            base_url=api.url,
            max_retries=_RETRIES,
            timeout=api.give_up_secs,
            http_client=DefaultAsyncHttpxClient(**_http_options(api.url)),
        )

    async def stop(self, frame: EndFrame) -> None:
        """Wait for the last words, not without end."""
        transcribing = cast("asyncio.Task[None] | None", self._segment_task)
        if transcribing:
            await self._segment_queue.put(None)
            done, _ = await asyncio.wait({transcribing}, timeout=self._api.give_up_secs + 1)
            if not done:
                await self._cancel_segment_task()
            self._segment_task = None
        await super().stop(frame)

    async def cleanup(self) -> None:
        """Close the connections."""
        await super().cleanup()
        await self._client.close()

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame, None]:
        """Transcribe a WAV file."""
        await self.start_processing_metrics()
        try:
            async with asyncio.timeout(self._api.give_up_secs):
                text = await self._text_of(audio)
        except (OpenAIError, ValueError, TimeoutError) as error:
            await self.push_error(f"{self._api.name}: {_plain(error, self._api)}", exception=error)
            return
        finally:
            await self.stop_processing_metrics()
        if text:
            await self._handle_transcription(text, True, self._settings.language)
            yield TranscriptionFrame(text, self._user_id, time_now_iso8601())

    async def _text_of(self, audio: bytes) -> str:
        settings = self._settings
        asked = {
            "language": settings.language,
            "prompt": settings.prompt,
            "temperature": settings.temperature,
        }
        more: Any = {name: value for name, value in asked.items() if value}
        create: Any = self._client.audio.transcriptions.create
        answer = await create(
            file=("speech.wav", audio, "audio/wav"),
            model=str(settings.model),
            response_format="json",
            **more,
        )
        text = getattr(answer, "text", None)
        if not isinstance(text, str):
            raise ValueError("the answer is no transcript")
        return text.strip()


def _http_options(url: str) -> dict[str, Any]:
    """Connections are kept between turns; a proxy of the environment is for the world outside."""
    return {
        "trust_env": not of_this_machine(url),
        "limits": connection_limits(max_keepalive_connections=4, keepalive_expiry=None),
        "event_hooks": {"response": [refuse_long_waits]},
    }


def _plain(error: Exception, api: Api) -> str:
    """The error in words."""
    if isinstance(error, TimeoutError | APITimeoutError):
        return f"no answer within {api.give_up_secs:g} s"
    if isinstance(error, APIConnectionError):
        return "the connection failed"
    if isinstance(error, APIStatusError) and error.status_code in (401, 403):
        return f"it refuses the key (HTTP {error.status_code})"
    if isinstance(error, APIStatusError):
        body: Any = error.body
        told = cast("dict[str, Any]", body).get("message") if isinstance(body, dict) else None
        # Some quote the key in what they say.
        words = redact(f": {told}") if told else ""
        return f"it refused (HTTP {error.status_code}){words}"
    return "the answer is no transcript"
