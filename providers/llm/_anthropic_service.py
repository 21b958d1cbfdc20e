"""The Pipecat service in front of Anthropic, which fails in time and in plain words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, cast

from anthropic import (
    APIConnectionError,
    APITimeoutError,
    AsyncAnthropic,
    AsyncStream,
    DefaultAsyncHttpxClient,
)
from anthropic.types.beta import BetaRawMessageStreamEvent
from httpx2 import TransportError
from pipecat.services.anthropic.llm import AnthropicLLMService

from providers.llm._clients import RETRIES, Endpoint, http_options
from providers.llm._patience import (
    PatientLlm,
    Progress,
    UselessAnswerError,
    in_time,
    silence,
)
from providers.llm._preconnect import PreconnectedLlm

_NOBODY = {"role": "user", "content": "."}
"""Before a greeting: the API wants the first word to be the caller's."""


class AnthropicService(PreconnectedLlm, AnthropicLLMService):
    """Streams answers; a silence, a break and an empty answer are errors that name the vendor."""

    def __init__(
        self, endpoint: Endpoint, settings: AnthropicLLMService.Settings, config: PatientLlm
    ) -> None:
        super().__init__(
            name="anthropic-llm",
            api_key=endpoint.key,
            client=AsyncAnthropic(
                api_key=endpoint.key,
                base_url=endpoint.url,
                max_retries=RETRIES,
                http_client=DefaultAsyncHttpxClient(**http_options(endpoint.url)),
            ),
            settings=settings,
            retry_on_timeout=config.retry_on_timeout,
            retry_timeout_secs=config.retry_timeout_ms / 1000,
        )
        self._vendor = endpoint.vendor
        self._config = config

    async def cleanup(self) -> None:
        """Leave no connection behind."""
        await super().cleanup()
        await self._client.close()

    async def _knock(self) -> None:
        await self._client.with_options(max_retries=0).models.list(limit=1)

    async def _create_message_stream(
        self, api_call: Any, params: dict[str, Any]
    ) -> AsyncIterator[BetaRawMessageStreamEvent]:
        if params["messages"] and params["messages"][0]["role"] != "user":
            params["messages"] = [_NOBODY, *params["messages"]]
        if params.get("tools"):
            # Of several calls in one answer, Pipecat makes the last and loses the others.
            params["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": True}
        begin_secs = self._config.begin_secs
        try:
            async with asyncio.timeout(begin_secs):
                stream = cast(
                    AsyncStream[BetaRawMessageStreamEvent],
                    await super()._create_message_stream(api_call, params),
                )
        except (TimeoutError, APITimeoutError) as error:
            raise silence(self._vendor, begin_secs) from error
        except APIConnectionError as error:
            raise Progress(self._vendor).lost() from error
        return self._watch(stream)

    async def _watch(
        self, stream: AsyncStream[BetaRawMessageStreamEvent]
    ) -> AsyncGenerator[BetaRawMessageStreamEvent]:
        progress = Progress(self._vendor, begun=True)
        timed = in_time(aiter(stream), secs=self._config.give_up_ms / 1000, vendor=self._vendor)
        try:
            async with stream, aclosing(timed) as events:
                async for event in events:
                    _note(progress, event)
                    yield event
        except (APIConnectionError, TransportError) as error:
            raise progress.lost() from error
        except json.JSONDecodeError as error:
            raise UselessAnswerError(f"{self._vendor} sent what is not JSON.") from error
        progress.check()


def _note(progress: Progress, event: BetaRawMessageStreamEvent) -> None:
    if event.type == "content_block_delta":
        progress.spoke |= event.delta.type == "text_delta" and bool(event.delta.text)
    elif event.type == "content_block_start":
        progress.called |= event.content_block.type == "tool_use"
    elif event.type == "message_delta":
        progress.ended = event.delta.stop_reason or progress.ended
