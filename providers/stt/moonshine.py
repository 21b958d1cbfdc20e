"""Moonshine: speech to text on the CPU, offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from providers.base import Site
from providers.stt._local import LocalStt

if TYPE_CHECKING:
    from pipecat.services.stt_service import STTService


class MoonshineStt(LocalStt, frozen=True):
    """English; partial transcripts while the caller speaks."""

    extra: ClassVar[str | None] = "local"
    packages: ClassVar[tuple[str, ...]] = ("moonshine_voice",)

    provider: Literal["moonshine"] = "moonshine"
    model: Literal["moonshine-tiny-en"] = "moonshine-tiny-en"
    """Name of the weights in `models.toml`."""

    def build(self, site: Site) -> STTService:
        """Load the model and make the Pipecat service."""
        from providers.stt._moonshine_decoder import MoonshineDecoder

        return self.service(MoonshineDecoder(site.weights(self.model)))
