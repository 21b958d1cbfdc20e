"""Voice and silence as they are, window by window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.audio.vad.silero import SileroVADAnalyzer

from evals.corpus import Clip, librivox
from pipelines.headless import read_speech
from processors.keen_vad import KeenVad, VoiceRun
from records.gate import EnergyGate

pytestmark = pytest.mark.unit


@given(st.lists(st.floats(0, 1), max_size=60))
def test_one_of_the_two_runs_is_zero_and_the_other_is_the_length_of_the_last_stretch(
    confidences: list[float],
) -> None:
    run = VoiceRun(sure=0.5)
    for confidence in confidences:
        run.feed(confidence, 32)
    voiced = [confidence >= 0.5 for confidence in confidences]
    last = next((i for i, v in enumerate(reversed(voiced)) if v != voiced[-1]), len(voiced))
    expected = last * 32
    loud = bool(voiced) and voiced[-1]
    assert (run.voiced_ms, run.quiet_ms) == ((expected, 0) if loud else (0, expected))


@pytest.mark.parametrize("clip", librivox(), ids=lambda clip: clip.path.stem)
async def test_silence_after_human_speech_is_told_sooner_than_the_vad_frame(clip: Clip) -> None:
    speech = np.frombuffer(read_speech(clip.path), np.int16)
    gate = EnergyGate()
    track = np.concatenate((speech, np.zeros(16_000, np.int16)))
    gate.feed(track)
    end = gate.runs[-1].end
    vad = KeenVad()
    vad.set_sample_rate(16_000)
    for start in range(0, end + 160 * 24, 320):
        await vad.analyze_audio(track[start : start + 320].tobytes())
    # 240 ms after the last sample by energy; the model and the window take some of it.
    assert 100 <= vad.run.quiet_ms <= 400
    assert vad.run.voiced_ms == 0
    await vad.cleanup()


async def test_the_verdicts_are_those_that_pipecat_reaches_in_its_thread() -> None:
    speech = read_speech(next(iter(librivox())).path)
    ours, theirs = KeenVad(), SileroVADAnalyzer()
    for vad in (ours, theirs):
        vad.set_sample_rate(16_000)
    for start in range(0, 16_000 * 8, 640):
        piece = speech[start : start + 640]
        assert await ours.analyze_audio(piece) == await theirs.analyze_audio(piece)
    await ours.cleanup()
    await theirs.cleanup()
