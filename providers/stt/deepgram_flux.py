"""Deepgram Flux: streaming speech to text that knows when the caller has finished."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from providers.addresses import SecureWsUrl
from providers.base import PerCall, Site, endpoint, secret
from providers.kinds import SttConfig

if TYPE_CHECKING:
    from pipecat.services.stt_service import STTService

Keyterm = Annotated[str, Field(min_length=1, max_length=100)]
Code = Annotated[str, Field(pattern=r"^[a-z]{2}$")]


class DeepgramFluxStt(SttConfig, frozen=True):
    """Says when a turn begins, may be over, and is; `turn.commit = "provider"` follows it."""

    env: ClassVar[tuple[str, ...]] = ("DEEPGRAM_API_KEY",)
    needs_network: ClassVar[bool] = True
    ends_turns: ClassVar[bool] = True

    provider: Literal["deepgram_flux"] = "deepgram_flux"
    base_url: SecureWsUrl = "wss://api.deepgram.com"
    """Deepgram's servers, for instance in the EU, or your own."""
    model: Literal["flux-general-en", "flux-general-multi"] = "flux-general-en"
    """English, or ten languages."""
    language_hints: PerCall[tuple[Code, ...]] = Field(default=(), max_length=10)
    """Languages to expect (`en`, `es`...); `flux-general-multi` only. None given: any."""
    keyterms: PerCall[tuple[Keyterm, ...]] = Field(default=(), max_length=100)
    """Names and terms to listen for."""
    eager_eot_threshold: PerCall[float | None] = Field(default=0.5, ge=0.3, le=0.9)
    """Confidence at which the answer is started early; not above `eot_threshold`. None never."""
    eot_threshold: PerCall[float] = Field(default=0.7, ge=0.5, le=1)
    """Confidence at which the turn is over: lower is quicker and cuts more callers short; at 1
    nothing but `eot_timeout_ms` ends it."""
    eot_timeout_ms: PerCall[int] = Field(default=5000, ge=500, le=60_000)
    """Silence after which it is over whatever the confidence."""
    min_confidence: float | None = Field(default=None, ge=0, le=1)
    """Transcripts whose words are less certain on average are dropped."""
    numerals: PerCall[bool] = False
    """Numbers as digits."""
    profanity_filter: PerCall[bool] = False
    """Swear words are masked."""
    mip_opt_out: bool = False
    """Keep the call out of Deepgram's model improvement; it may cost more."""
    dead_line_ms: int = Field(default=5000, ge=2000, le=60_000)
    """Audio that was sent without an answer after which the line is dead and is drawn anew."""

    @model_validator(mode="after")
    def _eager_comes_first(self) -> DeepgramFluxStt:
        if (self.eager_eot_threshold or 0) > self.eot_threshold:
            raise ValueError("eager_eot_threshold is above eot_threshold")
        if self.language_hints and self.model != "flux-general-multi":
            raise ValueError("language_hints are for flux-general-multi")
        return self

    def build(self, site: Site) -> STTService:
        """Make the Pipecat service."""
        from pipecat.transcriptions.language import Language

        from providers.stt._deepgram_flux_service import DeepgramFluxService

        return DeepgramFluxService(
            api_key=secret("DEEPGRAM_API_KEY"),
            url=f"{endpoint('deepgram', self.base_url)}/v2/listen",
            mip_opt_out=True if self.mip_opt_out else None,
            enable_eager_end_of_turn=self.eager_eot_threshold is not None,
            dead_line_secs=self.dead_line_ms / 1000,
            settings=DeepgramFluxService.Settings(
                model=self.model,
                language_hints=[Language(code) for code in self.language_hints] or None,
                keyterm=list(self.keyterms),
                eager_eot_threshold=self.eager_eot_threshold,
                eot_threshold=self.eot_threshold,
                eot_timeout_ms=self.eot_timeout_ms,
                min_confidence=self.min_confidence,
                numerals=self.numerals or None,
                profanity_filter=self.profanity_filter or None,
            ),
        )
