"""The Pipecat service that speaks through the Piper sidecar."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx
from pipecat.frames.frames import ErrorFrame, Frame
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TextAggregationMode, TTSService

_CONNECT_TRIES = 3
_READ_SECS = 20.0
_QUIET_SECS = 20.0
_MAX_SILENT_REPLIES = 10


class PiperTtsService(TTSService):
    """Streams each sentence's audio as the sidecar synthesises it.

    An interruption cancels the request under way, which closes its connection, which ends the
    synthesis.
    """

    def __init__(self, *, base_url: str, voice: str, speed: float) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            text_aggregation_mode=TextAggregationMode.SENTENCE,
            push_start_frame=True,
            push_stop_frames=True,
            # A model on the CPU may take its time between two sentences; that is no fault of ours.
            stop_frame_timeout_s=_QUIET_SECS,
            max_consecutive_zero_audio_contexts=_MAX_SILENT_REPLIES,
            settings=TTSSettings(model="piper", voice=voice, language=None),
        )
        self._speed = speed
        self._client = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(_READ_SECS, connect=2.0),
            transport=httpx.AsyncHTTPTransport(retries=_CONNECT_TRIES),
            trust_env=False,
        )

    def can_generate_metrics(self) -> bool:
        """Time to first byte and usage are reported."""
        return True

    async def cleanup(self) -> None:
        """Close the connections."""
        await super().cleanup()
        await self._client.aclose()

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Yield the audio of `text` at the pipeline's sample rate."""
        await self.start_tts_usage_metrics(text)
        body = {"text": text, "speed": self._speed}
        try:
            async with self._client.stream("POST", "/synthesize", json=body) as response:
                if not response.is_success:
                    yield ErrorFrame(f"Piper refused a sentence with status {response.status_code}")
                    return
                async for frame in self._stream_audio_frames_from_iterator(
                    response.aiter_raw(),
                    in_sample_rate=int(response.headers["X-Sample-Rate"]),
                    context_id=context_id,
                ):
                    yield frame
        except httpx.HTTPError as error:
            yield ErrorFrame(f"Piper did not answer: {type(error).__name__} {error}")

    async def tts_process_generator(
        self, context_id: str, generator: AsyncGenerator[Frame | None, None]
    ) -> None:
        """Queue the frames; a sentence without a sound must still let the reply end at once."""
        await super().tts_process_generator(context_id, generator)
        self._is_yielding_frames_synchronously = True
