"""Silero's verdict window by window: for those who cannot wait until it counts as a change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams, VADState

_STEADY_VOICE_MS = 200.0
"""Longer than any voice that pauses the bot; what then ends its turn waits three times as long."""
_STEADY_QUIET_MS = 1_000.0
"""A turn that is still open by then is looked at on a clock of its own."""
_TOGETHER = 2
"""Windows judged at once while it is steady."""


@dataclass
class VoiceRun:
    """How long there has been voice, or none, without a break. Pure.

    Args:
        sure: Confidence from which a window holds voice.
    """

    sure: float = 0.7
    voiced_ms: float = 0.0
    """Of voice up to now; 0 while there is none."""
    quiet_ms: float = 0.0
    """Without voice up to now; 0 while there is some."""

    @property
    def steady(self) -> bool:
        """Whether it has lasted so long that nobody acts on the first window of the contrary."""
        return self.voiced_ms >= _STEADY_VOICE_MS or self.quiet_ms >= _STEADY_QUIET_MS

    def feed(self, confidence: float, window_ms: float) -> None:
        """Take the verdict on the next window: 0 to 1."""
        if confidence >= self.sure:
            self.voiced_ms += window_ms
            self.quiet_ms = 0.0
        else:
            self.quiet_ms += window_ms
            self.voiced_ms = 0.0


class KeenVad(SileroVADAnalyzer):
    """Pipecat's Silero, which also tells how long the present voice or silence has lasted.

    Its own verdicts (VAD frames) are unchanged: 200 ms for a start and for a stop. A window takes
    the model a third of a millisecond: less than handing it to a thread and back. Most of that is
    fetching the weights into a cache that others have used since, so that two windows at once are
    hardly more. Whoever waits for two windows of the contrary learns of them as soon.
    """

    def __init__(self, params: VADParams | None = None) -> None:
        super().__init__(params=params)
        self.run = VoiceRun(sure=self.params.confidence)
        self.tell: Callable[[VoiceRun], None] | None = None
        """Told of the run after each window."""
        self._held = b""

    async def analyze_audio(self, buffer: bytes) -> VADState:
        """Judge what came, or keep it for the next; the state after it."""
        self._held += buffer
        pending_bytes = len(self._vad_buffer) + len(self._held)
        if self.run.steady and pending_bytes < _TOGETHER * self._vad_frames_num_bytes:
            return self._vad_state
        held, self._held = self._held, b""
        return self._run_analyzer(held)

    def voice_confidence(self, buffer: bytes) -> float:
        """Judge one window, and remember the verdict."""
        # One number, in an array of the model's own shape.
        confidence = float(np.max(super().voice_confidence(buffer)))
        self.run.feed(confidence, self.num_frames_required() * 1000 / self.sample_rate)
        if self.tell:
            self.tell(self.run)
        return confidence
