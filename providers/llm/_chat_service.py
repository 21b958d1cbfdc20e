"""The Pipecat service in front of OpenAI-like APIs, which fails in time and in plain words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

from openai import (
    APIConnectionError,
    APITimeoutError,
    AsyncOpenAI,
    AsyncStream,
    DefaultAsyncHttpxClient,
)
from openai.types.chat import ChatCompletionChunk
from pipecat.adapters.llm.services.open_ai_adapter import OpenAILLMInvocationParams
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.services.openai.llm import OpenAILLMService

from providers.llm._chat import ChatLlm
from providers.llm._clients import RETRIES, Endpoint, http_options
from providers.llm._patience import (
    Progress,
    UselessAnswerError,
    given,
    in_time,
    silence,
)
from providers.llm._preconnect import PreconnectedLlm


class ChatService(PreconnectedLlm, OpenAILLMService):
    """Streams answers; a silence, a break and an empty answer are errors that name the vendor."""

    def __init__(self, endpoint: Endpoint, config: ChatLlm) -> None:
        super().__init__(
            name=f"{config.provider}-llm",
            api_key=endpoint.key,
            base_url=endpoint.url,
            settings=_settings(config),
            retry_on_timeout=config.retry_on_timeout,
            retry_timeout_secs=config.retry_timeout_ms / 1000,
        )
        self.supports_developer_role = config.knows_developer
        self._vendor = endpoint.vendor
        self._config = config
        # The client imports half of itself at its first use, which no caller should wait for.
        _ = self._client.chat.completions

    def create_client(
        self, api_key: Any = None, base_url: Any = None, *_: Any, **__: Any
    ) -> AsyncOpenAI:
        """Make the client that all requests go through."""
        return AsyncOpenAI(
            api_key=api_key,
            base_url=base_url,
            max_retries=RETRIES,
            http_client=DefaultAsyncHttpxClient(**http_options(base_url)),
        )

    def build_chat_completion_params(
        self, params_from_context: OpenAILLMInvocationParams
    ) -> dict[str, Any]:
        """Say whether tools may be called in parallel, which is asked only where there are some.

        The messages go by as they are: OpenAI's client looks each up in its types again for every
        request, which takes longer the longer a call lasts.
        """
        params = cast("dict[str, Any]", super().build_chat_completion_params(params_from_context))
        body: dict[str, Any] = {"messages": params["messages"]}
        if params.get("tools"):
            body["parallel_tool_calls"] = self._config.parallel_tool_calls
        return params | {"messages": [], "extra_body": body | params["extra_body"]}

    async def get_chat_completions(self, context: LLMContext) -> Any:
        """Stream the answer.

        Raises:
            SilenceError: It did not begin in time.
            LostError: The vendor could not be reached.
        """
        begin_secs = self._config.begin_secs
        try:
            async with asyncio.timeout(begin_secs):
                stream = await super().get_chat_completions(context)
        except (TimeoutError, APITimeoutError) as error:
            raise silence(self._vendor, begin_secs) from error
        except APIConnectionError as error:
            raise Progress(self._vendor).lost() from error
        return self._watch(stream)

    async def cleanup(self) -> None:
        """Leave no connection behind."""
        await super().cleanup()
        await self._client.close()

    async def _knock(self) -> None:
        # Some have no list of models.
        await self._client.with_options(max_retries=0).get("/models", cast_to=object)

    async def _watch(
        self, stream: AsyncStream[ChatCompletionChunk]
    ) -> AsyncGenerator[ChatCompletionChunk]:
        progress = Progress(self._vendor, begun=True)
        secs = self._config.give_up_ms / 1000
        try:
            async with (
                stream,
                aclosing(in_time(aiter(stream), secs=secs, vendor=self._vendor)) as chunks,
            ):
                async for chunk in chunks:
                    _note(progress, chunk)
                    for part in one_call_each(chunk):
                        yield part
        except APIConnectionError as error:
            raise progress.lost() from error
        except json.JSONDecodeError as error:
            raise UselessAnswerError(f"{self._vendor} sent what is not JSON.") from error
        progress.check()


def _settings(config: ChatLlm) -> OpenAILLMService.Settings:
    common = {
        "temperature": config.temperature,
        "top_p": config.top_p,
        "seed": config.seed,
        config.limit_field: config.max_tokens,
    }
    # As `extra_body`, since the client takes only what OpenAI's API knows as an argument.
    body = {"stop": list(config.stop) or None, **config.fields()}
    return OpenAILLMService.Settings(
        model=config.model,
        extra={"extra_body": given(body) | config.request},
        **given(common),
    )


def _note(progress: Progress, chunk: ChatCompletionChunk) -> None:
    for choice in chunk.choices or ():
        progress.spoke |= bool(choice.delta and choice.delta.content)
        progress.called |= bool(choice.delta and choice.delta.tool_calls)
        progress.ended = choice.finish_reason or progress.ended


def one_call_each(chunk: ChatCompletionChunk) -> list[ChatCompletionChunk]:
    """`chunk`, once for each tool call in it: Pipecat reads the first of a chunk and no more."""
    calls = chunk.choices[0].delta.tool_calls if chunk.choices and chunk.choices[0].delta else None
    if not calls or len(calls) < 2:
        return [chunk]
    parts = [chunk.model_copy(deep=True) for _ in calls]
    for part, call in zip(parts, calls, strict=True):
        part.choices[0].delta.tool_calls = [call]
    return parts
