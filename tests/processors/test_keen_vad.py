"""Voice and silence as they are, window by window."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.audio.vad.vad_analyzer import VADParams, VADState

from evals.corpus import Clip, librivox
from pipelines.headless import read_speech
from processors.keen_vad import KeenVad, VoiceRun
from records.gate import EnergyGate

pytestmark = pytest.mark.unit

WINDOW = 512
SPEAKS = {
    VADState.QUIET: False, VADState.STARTING: False,
    VADState.SPEAKING: True, VADState.STOPPING: True,
}  # fmt: skip


class _LoudIsSure:
    """A model that is as sure of a voice as the window is loud."""

    def __call__(self, audio: np.ndarray, _: int) -> np.ndarray:
        return np.array([np.max(np.abs(audio))])

    def reset_states(self) -> None:
        """It keeps nothing."""


V = TypeVar("V", bound=SileroVADAnalyzer)


def deaf(kind: type[V]) -> V:
    vad = kind(params=VADParams(min_volume=0))
    cast(Any, vad)._model = _LoudIsSure()
    vad.set_sample_rate(16_000)
    return vad


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


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 50)), max_size=12), st.integers(100, 1200))
async def test_who_waits_for_two_windows_learns_of_them_as_if_each_were_judged_at_once(
    stretches: list[tuple[bool, int]], packet: int
) -> None:
    voiced = [loud for loud, windows in stretches for _ in range(windows)]
    track = np.repeat(np.array(voiced, np.int16) * 32_000, WINDOW)
    ours, theirs, truth = deaf(KeenVad), deaf(SileroVADAnalyzer), VoiceRun()
    for end in range(packet, len(track), packet):
        piece = track[end - packet : end].tobytes()
        state = await ours.analyze_audio(piece)
        assert SPEAKS[state] is SPEAKS[theirs._run_analyzer(piece)]  # pyright: ignore[reportPrivateUsage]
        for loud in voiced[(end - packet) // WINDOW : end // WINDOW]:
            truth.feed(float(loud), 32)
        if max(truth.voiced_ms, truth.quiet_ms) >= 64:
            late_ms = truth.voiced_ms - ours.run.voiced_ms, truth.quiet_ms - ours.run.quiet_ms
            assert set(late_ms) <= {0, 32}
            assert (truth.voiced_ms > 0) is (ours.run.voiced_ms > 0)
            assert ours.run.steady or late_ms == (0, 0)
    await ours.cleanup()
    await theirs.cleanup()


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
    for start in range(0, len(speech), 640):
        piece = speech[start : start + 640]
        state = await ours.analyze_audio(piece)
        assert SPEAKS[state] is SPEAKS[await theirs.analyze_audio(piece)]
    await ours.cleanup()
    await theirs.cleanup()
