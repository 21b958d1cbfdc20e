"""The Pipecat service in front of Gemini, which fails in time and in plain words."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any

import google.genai as genai
import httpx
from google.genai.errors import UnknownApiResponseError
from google.genai.types import (
    Content,
    GenerateContentResponse,
    HttpOptions,
    HttpRetryOptions,
    Part,
)
from pipecat.adapters.llm.services.gemini_adapter import (
    GeminiLLMAdapter,
    GeminiLLMInvocationParams,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.services.google.llm import GoogleLLMService

from providers.llm._clients import RETRIES, Endpoint, trusts_proxies
from providers.llm._patience import PatientLlm, Progress, UselessAnswerError
from providers.llm._preconnect import PreconnectedLlm

_RETRY = HttpRetryOptions(attempts=1 + RETRIES, initial_delay=0.3, max_delay=1.0, jitter=0.2)
"""The SDK's own is a second and more, and waits for a minute at most."""
_STREAM = ":streamGenerateContent"


class _Adapter(GeminiLLMAdapter):
    """Puts a caller before a bot that greets: the API wants the first word to be theirs."""

    async def get_llm_invocation_params(
        self, context: LLMContext, **options: Any
    ) -> GeminiLLMInvocationParams:
        params = await super().get_llm_invocation_params(context, **options)
        if params["messages"] and params["messages"][0].role == "model":
            params["messages"].insert(0, Content(role="user", parts=[Part(text=".")]))
        return params


class GoogleService(PreconnectedLlm, GoogleLLMService):
    """Streams answers; a silence, a break and an empty answer are errors that name the vendor."""

    adapter_class = _Adapter

    def __init__(
        self, endpoint: Endpoint, settings: GoogleLLMService.Settings, config: PatientLlm
    ) -> None:
        self._answers: list[httpx.Response] = []
        self._http = httpx.AsyncClient(
            trust_env=trusts_proxies(endpoint.url),
            limits=httpx.Limits(keepalive_expiry=None),
            event_hooks={"response": [self._remember]},
        )
        self._models_url = f"{endpoint.url}/v1beta/models"
        self._vendor = endpoint.vendor
        super().__init__(
            name="google-llm",
            api_key=endpoint.key,
            settings=settings,
            http_options=HttpOptions(
                base_url=endpoint.url,
                extra_body=config.request or None,
                httpx_async_client=self._http,
                retry_options=_RETRY,
            ),
            stream_idle_timeout_secs=config.give_up_ms / 1000,
            retry_on_timeout=config.retry_on_timeout,
            retry_timeout_secs=config.retry_timeout_ms / 1000,
        )

    def create_client(self) -> None:
        """Make the client, whatever the environment says of Vertex."""
        self._client = genai.Client(
            vertexai=False, api_key=self._api_key, http_options=self._http_options
        )

    async def cleanup(self) -> None:
        """Leave no connection behind."""
        await super().cleanup()
        await self._http.aclose()

    async def _knock(self) -> None:
        key = {"x-goog-api-key": self._api_key}
        await self._http.get(self._models_url, params={"pageSize": 1}, headers=key)

    async def _process_context(self, context: LLMContext) -> None:
        try:
            await super()._process_context(context)
        finally:
            # Who is interrupted between two words leaves the SDK's generators as they are, and
            # they hold on to the answer: it would come, and be billed, to its end.
            while self._answers:
                with suppress(httpx.HTTPError, OSError):
                    await self._answers.pop().aclose()

    async def _remember(self, response: httpx.Response) -> None:
        if response.request.url.path.endswith(_STREAM):
            self._answers.append(response)

    async def _stream_content(self, context: LLMContext) -> AsyncIterator[GenerateContentResponse]:
        return self._watch(context)

    async def _watch(self, context: LLMContext) -> AsyncGenerator[GenerateContentResponse]:
        progress = Progress(self._vendor)
        for attempt in range(1 + RETRIES):
            try:
                async for chunk in await super()._stream_content(context):
                    progress.begun = True
                    _note(progress, chunk)
                    yield chunk
                break
            except UnknownApiResponseError as error:
                raise UselessAnswerError(f"{self._vendor} sent what is not JSON.") from error
            except httpx.TransportError as error:
                # The SDK does not try a connection again that was closed while it was idle.
                if progress.begun or attempt == RETRIES:
                    raise progress.lost() from error
        progress.check()


def _note(progress: Progress, chunk: GenerateContentResponse) -> None:
    if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
        progress.ended = chunk.prompt_feedback.block_reason.name
    for candidate in chunk.candidates or ():
        for part in (candidate.content.parts if candidate.content else None) or ():
            progress.spoke |= bool(part.text) and not part.thought
            progress.called |= part.function_call is not None
        if candidate.finish_reason:
            progress.ended = candidate.finish_reason.name
