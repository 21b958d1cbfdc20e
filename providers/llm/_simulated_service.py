"""The Pipecat service behind the scripted wits: the stock OpenAI one with its stream replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import Choice, ChoiceDelta
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.services.openai.llm import OpenAILLMService


class SimulatedLlmService(OpenAILLMService):
    """Streams a scripted reply word by word; no request leaves the process."""

    def __init__(self, *, replies: tuple[str, ...], ttft_secs: float, token_secs: float) -> None:
        super().__init__(
            api_key="none",
            base_url="http://127.0.0.1:9",
            settings=OpenAILLMService.Settings(model="simulated"),
        )
        self._replies = replies
        self._ttft_secs = ttft_secs
        self._token_secs = token_secs

    async def get_chat_completions(self, context: LLMContext) -> Any:
        """Stream the reply to the last thing the caller said.

        The reply is chosen by how often the caller spoke, so that a request that is withdrawn
        and made again gets the same one.
        """
        said = [_text(message) for message in context.messages if _role(message)]
        heard = [_text(message) for message in context.messages if _role(message) == "user"]
        reply = self._replies[max(0, len(heard) - 1) % len(self._replies)]
        words = reply.replace("{heard}", heard[-1] if heard else "nothing").split(" ")
        return self._stream(words, read=sum(len(text.split()) for text in said))

    async def _stream(
        self, words: list[str], *, read: int
    ) -> AsyncGenerator[ChatCompletionChunk, None]:
        await asyncio.sleep(self._ttft_secs)
        for position, word in enumerate(words):
            if position:
                await asyncio.sleep(self._token_secs)
            yield _chunk(word if position == 0 else f" {word}")
        yield _usage(read, len(words))


def _role(message: Any) -> str:
    return str(cast(dict[str, Any], message)["role"]) if isinstance(message, dict) else ""


def _text(message: Any) -> str:
    content: Any = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(part["text"] for part in content)


def _chunk(text: str) -> ChatCompletionChunk:
    return ChatCompletionChunk(
        id="simulated",
        choices=[Choice(index=0, delta=ChoiceDelta(content=text), finish_reason=None)],
        created=0,
        model="simulated",
        object="chat.completion.chunk",
    )


def _usage(read: int, wrote: int) -> ChatCompletionChunk:
    """How many tokens it took, last: a word of the conversation is one."""
    used = CompletionUsage(prompt_tokens=read, completion_tokens=wrote, total_tokens=read + wrote)
    return _chunk("").model_copy(update={"choices": [], "usage": used})
