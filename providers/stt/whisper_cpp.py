"""whisper.cpp: Whisper on the CPU, offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from providers.base import PerCall, Site
from providers.stt._local import LocalStt

if TYPE_CHECKING:
    from pipecat.services.stt_service import STTService


class WhisperCppStt(LocalStt, frozen=True):
    """English; partial transcripts while the caller speaks. Each call loads its own model."""

    extra: ClassVar[str | None] = "whisper"
    packages: ClassVar[tuple[str, ...]] = ("pywhispercpp",)

    provider: Literal["whisper_cpp"] = "whisper_cpp"
    model: Literal["whisper-cpp-tiny-en", "whisper-cpp-base-en"] = "whisper-cpp-base-en"
    """Name of the weights in `models.toml`."""
    threads: int = Field(default=2, ge=1, le=64)
    """Threads that a decode may use."""
    context_ms: int = Field(default=15_000, ge=5_000, le=30_000)
    """Audio, silence mostly, that the model looks at. It learned on 30 000; 15 000 takes half the
    time and heard the same words in our tests, less takes less and hears worse."""
    prompt: PerCall[str] = Field(default="", max_length=500)
    """Names and spellings to expect, in a sentence."""
    partial_ms: PerCall[int] = Field(default=1000, ge=200, le=5000)
    """Audio between two partial transcripts; more where a decode takes more than half of it."""
    final_p99_ms: int = Field(default=2000, ge=250, le=10_000)
    """From the end of speech to the final transcript, 99th percentile: measure your machine's."""

    def build(self, site: Site) -> STTService:
        """Load the model, warm it with a second of silence, and make the Pipecat service."""
        from providers.stt._whisper_cpp_decoder import WhisperCppDecoder

        decoder = WhisperCppDecoder(
            site.weights(self.model) / "model.bin",
            threads=self.threads,
            context_ms=self.context_ms,
            prompt=self.prompt,
        )
        decoder.warm()
        return self.service(decoder)
