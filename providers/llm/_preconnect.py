"""What the models behind a network share: their connection is there before it is needed."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import Any

from loguru import logger
from pipecat.frames.frames import StartFrame
from pipecat.services.llm_service import LLMService

_KNOCK_SECS = 5.0


class PreconnectedLlm(LLMService[Any]):
    """Comes before one of Pipecat's services among the bases of a class.

    The connection is opened as a call begins, and by whoever asks before; so the first answer need
    not wait for it.
    """

    _opening: asyncio.Task[None] | None = None

    async def start(self, frame: StartFrame) -> None:
        """Open the connection, or see that one that was open long is still good."""
        await super().start(frame)
        self._opening = self.create_task(self.preconnect())

    async def cleanup(self) -> None:
        """Open nothing more."""
        if self._opening:
            await self.cancel_task(self._opening)
            self._opening = None
        await super().cleanup()

    async def preconnect(self) -> None:
        """Have the client under the service open a connection and keep it; see `Preconnects`."""
        try:
            async with asyncio.timeout(_KNOCK_SECS):
                await self._knock()
        except Exception as error:  # noqa: BLE001 - what is wrong, the first answer says
            logger.debug("{}: no connection ahead: {}", self, type(error).__name__)

    @abstractmethod
    async def _knock(self) -> None:
        """Ask for what is not billed, by the client that the answers come by, once.

        A refusal is as good as an answer, and raised as the client does.
        """
