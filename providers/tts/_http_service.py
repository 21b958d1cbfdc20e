"""The Pipecat service of a voice that speaks each sentence by one HTTP request."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field

import httpx
from pipecat.frames.frames import ErrorFrame, Frame
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TextAggregationMode, TTSService
from pipecat.utils.errors import ErrorCategory, classify_http_status_code

from providers.addresses import of_this_machine
from providers.tts._wav import WavError, read_wav
from records.redact import redact

_CONNECT_SECS = 2.0
_MAX_SILENT_REPLIES = 10
_MAX_REASON_LETTERS = 200
_RETRY_SECS = 0.25
_PASSING = (429, 500, 502, 503, 504)
"""Statuses that may be gone at the next try."""


@dataclass(frozen=True)
class HttpVoice:
    """Who speaks, and how long to wait for it."""

    title: str
    """What the voice is called where an error is told."""
    base_url: str
    settings: TTSSettings
    quiet_secs: float
    """How long nothing may come before the request is given up."""
    key: str | None = field(default=None, repr=False)
    """Sent as a bearer token."""


class HttpTtsService(TTSService):
    """Streams each sentence's audio as it comes, at the pipeline's rate.

    An interruption cancels the request under way, which closes its connection.
    """

    def __init__(self, voice: HttpVoice) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            text_aggregation_mode=TextAggregationMode.SENTENCE,
            push_start_frame=True,
            push_stop_frames=True,
            # A slow voice may take its time between two sentences; that ends no reply.
            stop_frame_timeout_s=3 * voice.quiet_secs,
            max_consecutive_zero_audio_contexts=_MAX_SILENT_REPLIES,
            settings=voice.settings,
        )
        self._title = voice.title
        self._http = httpx.AsyncClient(
            base_url=voice.base_url,
            timeout=httpx.Timeout(voice.quiet_secs, connect=_CONNECT_SECS),
            headers={"Authorization": f"Bearer {voice.key}"} if voice.key else None,
            trust_env=not of_this_machine(voice.base_url),  # else by a proxy
        )

    @abstractmethod
    def request(self, text: str) -> httpx.Request:
        """What asks for the sound of `text`."""

    def rate_hz(self, response: httpx.Response) -> int | None:
        """Rate of the raw int16 mono samples in the answer; None if it is a WAV."""
        return None

    def can_generate_metrics(self) -> bool:
        """Time to first byte and usage are reported."""
        return True

    async def cleanup(self) -> None:
        """Close the connections."""
        await super().cleanup()
        await self._http.aclose()

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Yield the audio of `text` at the pipeline's sample rate."""
        await self.start_tts_usage_metrics(text)
        try:
            response = await self._ask(text)
            try:
                if not response.is_success:
                    yield await self._refusal(response)
                    return
                rate_hz, audio = await self._samples(response)
                async for frame in self._stream_audio_frames_from_iterator(
                    audio, in_sample_rate=rate_hz, context_id=context_id
                ):
                    yield frame
            finally:
                await response.aclose()
        except (httpx.HTTPError, WavError) as error:
            words = f"{type(error).__name__} {error}".strip()
            text = f"{self._title} did not speak a sentence to its end: {words}"
            yield ErrorFrame(redact(text), exception=error)

    async def tts_process_generator(
        self, context_id: str, generator: AsyncGenerator[Frame | None, None]
    ) -> None:
        """Queue the frames; a sentence without a sound must still let the reply end at once."""
        await super().tts_process_generator(context_id, generator)
        self._is_yielding_frames_synchronously = True

    async def _ask(self, text: str) -> httpx.Response:
        """The answer; asked for once more where that may help, as nothing is heard yet."""
        try:
            response = await self._http.send(self.request(text), stream=True)
            if response.status_code not in _PASSING:
                return response
            await response.aclose()
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            pass
        await asyncio.sleep(_RETRY_SECS)
        return await self._http.send(self.request(text), stream=True)

    async def _samples(self, response: httpx.Response) -> tuple[int, AsyncIterator[bytes]]:
        rate_hz = self.rate_hz(response)
        if rate_hz is None:
            return await read_wav(response.aiter_bytes())
        return rate_hz, response.aiter_bytes()

    async def _refusal(self, response: httpx.Response) -> ErrorFrame:
        body = (await response.aread()).decode("utf-8", "replace")
        reason = redact(" ".join(body.split()))[:_MAX_REASON_LETTERS]
        status = response.status_code
        category = classify_http_status_code(status)
        if category is ErrorCategory.INVALID_REQUEST:
            category = None  # of the sentence, perhaps: the voice is not given up for it
        text = f"{self._title} refused a sentence with status {status}: {reason}"
        return ErrorFrame(text, category=category)
