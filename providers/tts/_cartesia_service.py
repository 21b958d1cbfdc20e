"""The Pipecat service of Cartesia, impatient with a dead line."""

from __future__ import annotations

from pipecat.services.cartesia.tts import CartesiaTTSService

from providers.tts._socket import PromptSocket


class CartesiaService(PromptSocket, CartesiaTTSService):
    """A context a reply, and the time of each word."""
