"""The Pipecat service in front of llama.cpp: the stock OpenAI one, with JSON turns for tools."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast

from loguru import logger
from openai import AsyncOpenAI, AsyncStream, DefaultAsyncHttpxClient, OpenAIError
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import (
    Choice,
    ChoiceDelta,
    ChoiceDeltaToolCall,
    ChoiceDeltaToolCallFunction,
)
from pipecat.adapters.llm.services.open_ai_adapter import OpenAILLMInvocationParams
from pipecat.frames.frames import BotStartedSpeakingFrame, CancelFrame, EndFrame, Frame
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.openai.llm import OpenAILLMService

from providers.llm._json_turn import Call, JsonTurn, Say
from providers.llm._llama_cpp_request import conversation, key, reading
from providers.llm._sentences import Sentences

_LOST = "Sorry, I did not get that. Could you say it again?"
"""Spoken for an answer that came out empty or broken: silence is worse."""


class LlamaCppLlmService(OpenAILLMService):
    """Streams words and tool calls out of a model that can only be made to write JSON."""

    supports_developer_role = False

    def __init__(
        self, *, url: str, model: str, temperature: float, max_tokens: int, ctx_tokens: int
    ) -> None:
        super().__init__(
            api_key="none",
            base_url=f"{url}/v1",
            settings=OpenAILLMService.Settings(
                model=model, temperature=temperature, max_tokens=max_tokens
            ),
        )
        # No proxy setting of the environment may turn requests away from loopback.
        self._client = AsyncOpenAI(
            api_key="none",
            base_url=f"{url}/v1",
            max_retries=0,
            http_client=DefaultAsyncHttpxClient(trust_env=False),
        )
        self._ctx_tokens = ctx_tokens
        self._head: int | None = None
        self._called: tuple[str, Call] | None = None
        self._unread: LLMContext | None = None
        self._reader: asyncio.Task[None] | None = None
        self._answering = False

    def build_chat_completion_params(
        self, params_from_context: OpenAILLMInvocationParams
    ) -> dict[str, Any]:
        """Say the conversation in the form that the model understands."""
        params = cast("dict[str, Any]", super().build_chat_completion_params(params_from_context))
        messages, tools = params.pop("messages"), params.pop("tools", None)
        params.pop("tool_choice", None)
        if self._head is None:
            self._head = len(messages) - 1
        told = conversation(messages, tools or (), head=self._head, ctx_tokens=self._ctx_tokens)
        # As `extra_body`, since the client takes only what OpenAI's API knows as an argument.
        return params | {"messages": told.pop("messages"), "extra_body": told}

    async def get_chat_completions(self, context: LLMContext) -> Any:
        """Stream the answer as words and tool calls."""
        self._log_llm_response(context)
        await self._stop_reading()
        params = await self._params(context)
        asked = key(params)
        if self._called and self._called[0] == asked:
            # Asked while the turn might have gone on, which no tool may be called from.
            return self._again(self._called[1], context)
        return self._answer(params, context)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Read what a tool had the caller told while it is being spoken."""
        await super().process_frame(frame, direction)
        if isinstance(frame, BotStartedSpeakingFrame) and self._unread:
            context, self._unread = self._unread, None
            await self._stop_reading()
            self._reader = self.create_task(self._read(context))
        elif isinstance(frame, EndFrame | CancelFrame):
            await self._stop_reading()

    async def read_ahead(self, context: LLMContext, words: str) -> None:
        """Read what the caller has said so far into the cache, while they speak.

        The last word is left out: the recogniser may yet change it. One reading at a time, and
        none while an answer is written.
        """
        settled = words.rpartition(" ")[0]
        if not settled or self._answering or (self._reader and not self._reader.done()):
            return
        so_far: Any = {"role": "user", "content": settled}
        ahead = LLMContext([*context.get_messages(), so_far], context.tools)
        self._reader = self.create_task(self._read(ahead))

    async def cleanup(self) -> None:
        """Leave no connection behind."""
        await super().cleanup()
        await self._client.close()

    async def _params(self, context: LLMContext) -> dict[str, Any]:
        said = await self.get_llm_adapter().get_llm_invocation_params(
            context,
            system_instruction=self._settings.system_instruction or None,
            convert_developer_to_user=True,
        )
        return self.build_chat_completion_params(said)

    async def _answer(
        self, params: Mapping[str, Any], context: LLMContext
    ) -> AsyncGenerator[ChatCompletionChunk, None]:
        self._answering = True
        turn = JsonTurn() if "response_format" in params["extra_body"] else None
        sentences, length_limit, answered = Sentences(), False, False
        stream = cast(
            AsyncStream[ChatCompletionChunk], await self._client.chat.completions.create(**params)
        )
        try:
            async for chunk in stream:
                choice = chunk.choices[0] if chunk.choices else None
                content = (choice.delta.content or "") if choice else ""
                length_limit |= choice is not None and choice.finish_reason == "length"
                said, call = _read(turn, content)
                words = sentences.feed(said)
                if call:
                    self._called, self._unread = (key(params), call), context
                answered |= bool(words.strip() or call)
                yield _with(chunk, words, call)
        finally:
            self._answering = False
            # Closing the connection is what makes llama.cpp stop.
            await stream.close()
        rest = sentences.finish(complete=not length_limit)
        if rest or not answered:
            yield _chunk(rest if answered or rest.strip() else _LOST, None)

    async def _again(
        self, call: Call, context: LLMContext
    ) -> AsyncGenerator[ChatCompletionChunk, None]:
        self._unread = context
        yield _chunk("", call)

    async def _read(self, context: LLMContext) -> None:
        body = reading(await self._params(context))
        try:
            await self._client.post("/chat/completions", cast_to=object, body=body)
        except OpenAIError as error:
            logger.debug("reading ahead failed: {}", error)

    async def _stop_reading(self) -> None:
        if self._reader:
            await self.cancel_task(self._reader)
            self._reader = None


def _read(turn: JsonTurn | None, content: str) -> tuple[str, Call | None]:
    """The words and the tool call that `content` completes."""
    if turn is None:
        return content, None
    parts = turn.feed(content)
    words = "".join(part.text for part in parts if isinstance(part, Say))
    return words, next((part for part in parts if isinstance(part, Call)), None)


def _with(chunk: ChatCompletionChunk, words: str, call: Call | None) -> ChatCompletionChunk:
    """`chunk` with its content replaced; what else it carries (model, usage) stays."""
    if not chunk.choices:
        return chunk
    choice = Choice(index=0, delta=_delta(words, call))
    return chunk.model_copy(update={"choices": [choice]})


def _chunk(words: str, call: Call | None) -> ChatCompletionChunk:
    return ChatCompletionChunk(
        id="offhook",
        choices=[Choice(index=0, delta=_delta(words, call))],
        created=0,
        model="",
        object="chat.completion.chunk",
    )


def _delta(words: str, call: Call | None) -> ChoiceDelta:
    if call is None:
        return ChoiceDelta(content=words or None)
    function = ChoiceDeltaToolCallFunction(name=call.name, arguments=call.arguments)
    named = ChoiceDeltaToolCall(index=0, id=f"call_{uuid.uuid4().hex}", function=function)
    return ChoiceDelta(tool_calls=[named])
