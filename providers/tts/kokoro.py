"""Kokoro: text to speech on the CPU, offline, in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from providers.base import PerCall, Sidecar, Site
from providers.kinds import TtsConfig

if TYPE_CHECKING:
    from pipecat.services.tts_service import TTSService

_WEIGHTS = "kokoro-82m"


class KokoroTts(TtsConfig, frozen=True):
    """Sounds better than Piper and takes ten times the CPU; calls share the process.

    On two idle cores a second of speech takes about 0.3 s to make, on busy ones up to a second.
    """

    extra: ClassVar[str | None] = "kokoro"
    packages: ClassVar[tuple[str, ...]] = ("kokoro_onnx",)

    provider: Literal["kokoro"] = "kokoro"
    voice: PerCall[
        Literal["af_heart", "af_bella", "am_michael", "am_fenrir", "bf_emma", "bm_george"]
    ] = "af_heart"
    """The speaker: `a` American, `b` British; `f` female, `m` male."""
    speed: PerCall[float] = Field(default=1.0, ge=0.5, le=2.0)
    """1.0 is the speaker's own; 2.0 is twice as fast."""

    def weights(self) -> tuple[str, ...]:
        """The model and its speakers."""
        return (_WEIGHTS,)

    def sidecars(self, site: Site) -> tuple[Sidecar, ...]:
        """The process that holds the model."""
        folder = str(site.weights(_WEIGHTS))
        return (Sidecar(_WEIGHTS, "providers.tts.voice_server", ("kokoro", folder)),)

    def build(self, site: Site) -> TTSService:
        """Make the Pipecat service."""
        from providers.tts._voice_service import VoiceTtsService

        return VoiceTtsService(
            "Kokoro", base_url=site.url(_WEIGHTS), speed=self.speed, speaker=self.voice
        )
