"""Deepgram nova: streaming speech to text in the cloud."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from providers.addresses import SecureWsUrl
from providers.base import PerCall, Site, endpoint, secret
from providers.kinds import SttConfig

if TYPE_CHECKING:
    from pipecat.services.stt_service import STTService

Keyterm = Annotated[str, Field(min_length=1, max_length=100)]
_OLDER = re.compile(r"(nova(?!-3)|enhanced|base|whisper)(-|$)")
"""Deepgram's models that refuse keyterms. What a model of the operator's own does is unknown."""


class DeepgramStt(SttConfig, frozen=True):
    """Words as they are spoken; the final ones are asked for as soon as the VAD hears the end."""

    env: ClassVar[tuple[str, ...]] = ("DEEPGRAM_API_KEY",)
    extra: ClassVar[str | None] = "cloud"
    packages: ClassVar[tuple[str, ...]] = ("deepgram",)
    needs_network: ClassVar[bool] = True

    provider: Literal["deepgram"] = "deepgram"
    base_url: SecureWsUrl = "wss://api.deepgram.com"
    """Deepgram's servers, for instance in the EU, or your own."""
    model: str = Field(default="nova-3", pattern=r"^[a-z0-9][a-z0-9.-]{1,60}$")
    """`nova-3`, `nova-3-medical`, `nova-2-phonecall`..., or a model of your own."""
    language: PerCall[str] = Field(
        default="en", pattern=r"^(multi|[a-z]{2,3}(-[A-Za-z0-9]{2,4})?)$"
    )
    """BCP 47, or `multi` for callers who mix languages."""
    keyterms: PerCall[tuple[Keyterm, ...]] = Field(default=(), max_length=100)
    """Names and terms to listen for; not for models older than nova-3."""
    interim_results: bool = True
    """Words before they are certain; answers that start early and the page live on them."""
    endpointing_ms: int | None = Field(default=300, ge=10, le=5000)
    """Pause after which Deepgram finishes a segment by itself; None never. Above the VAD's 200
    ms, the VAD ends each segment, and its transcript is known to be complete."""
    punctuate: bool = True
    """Capitals and punctuation."""
    smart_format: PerCall[bool] = False
    """Dates, amounts and numbers as they are written; may hold a transcript back for a while."""
    numerals: PerCall[bool] = False
    """Numbers as digits."""
    profanity_filter: PerCall[bool] = False
    """Swear words are masked."""
    redact: tuple[Literal["pci", "pii", "phi", "numbers"], ...] = ()
    """What is taken out of transcripts."""
    mip_opt_out: bool = False
    """Keep the call out of Deepgram's model improvement; it may cost more."""
    dead_line_ms: int = Field(default=8000, ge=4000, le=60_000)
    """Audio that was sent without an answer after which the line is dead and is drawn anew."""
    final_p99_ms: int = Field(default=350, ge=50, le=10_000)
    """From the end of speech to the final transcript, 99th percentile; Pipecat measured 350."""

    @field_validator("keyterms")
    @classmethod
    def _heard_by_the_model(cls, keyterms: tuple[str, ...], info: ValidationInfo) -> object:
        model = info.data.get("model", "")
        if keyterms and _OLDER.match(model):
            raise PydanticCustomError(
                "keyterms", "{model} takes no keyterms; nova-3 does", {"model": model}
            )
        return keyterms

    def build(self, site: Site) -> STTService:
        """Make the Pipecat service."""
        from providers.stt._deepgram_service import DeepgramService

        return DeepgramService(
            api_key=secret("DEEPGRAM_API_KEY"),
            base_url=endpoint("deepgram", self.base_url),
            mip_opt_out=True if self.mip_opt_out else None,
            dead_line_secs=self.dead_line_ms / 1000,
            ttfs_p99_latency=self.final_p99_ms / 1000,
            settings=DeepgramService.Settings(
                model=self.model,
                language=self.language,
                keyterm=list(self.keyterms) or None,
                interim_results=self.interim_results,
                endpointing=self.endpointing_ms or False,
                punctuate=self.punctuate,
                smart_format=self.smart_format,
                numerals=self.numerals,
                profanity_filter=self.profanity_filter,
                redact=list(self.redact) or None,
            ),
        )
