"""The Pipecat service of Cartesia, impatient with a dead line."""

from __future__ import annotations

from typing import Any, cast

from loguru import logger
from pipecat.frames.frames import ErrorFrame
from pipecat.services.cartesia.tts import CartesiaTTSService

from providers.tts._socket import PromptSocket


class CartesiaService(PromptSocket, CartesiaTTSService):
    """A context a reply, and the time of each word."""

    _ahead = False
    """Whether a line is being opened before there is a call."""

    async def preconnect(self) -> None:
        """Open the line before the call does, a new one for an old; see `Preconnects`."""
        old = cast(Any, self._websocket)
        self._websocket = None
        if old:
            await old.close()
        self._ahead = True
        try:
            await self._connect_websocket()
        finally:
            # The call does not rest after a failure that was nobody's.
            self._ahead, self._failures = False, 0

    async def push_error_frame(
        self, error: ErrorFrame, force_treat_as_permanent: bool = False
    ) -> None:
        """Report an error, once there is a call: it tries again whatever went wrong before."""
        if self._ahead:
            logger.debug("Cartesia: no connection ahead: {}", error.error)
            return
        await super().push_error_frame(error, force_treat_as_permanent)
