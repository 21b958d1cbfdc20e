"""Silero's verdict window by window: for those who cannot wait until it counts as a change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams, VADState


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
    the model a third of a millisecond: less than handing it to a thread and back.
    """

    def __init__(self, params: VADParams | None = None) -> None:
        super().__init__(params=params)
        self.run = VoiceRun(sure=self.params.confidence)

    async def analyze_audio(self, buffer: bytes) -> VADState:
        """Judge what came; the state after it."""
        return self._run_analyzer(buffer)

    def voice_confidence(self, buffer: bytes) -> float:
        """Judge one window, and remember the verdict."""
        # One number, in an array of the model's own shape.
        confidence = float(np.max(super().voice_confidence(buffer)))
        self.run.feed(confidence, self.num_frames_required() * 1000 / self.sample_rate)
        return confidence
