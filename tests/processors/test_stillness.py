"""Which sound may wait for more: only what nobody could hear, and never for long."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.corpus import Clip, librivox
from pipelines.headless import read_speech
from processors.stillness import STILL_PEAK, STILL_SECS, TOGETHER_SECS, Stillness, still

pytestmark = pytest.mark.unit

SECS = 0.02
STILL, LOUD = bytes(640), b"\x00\x40" * 320


@given(st.lists(st.integers(-32768, 32767), max_size=40))
def test_sound_is_still_if_no_sample_is_loud(samples: list[int]) -> None:
    audio = np.array(samples, "<i2").tobytes()
    assert still(audio) is all(abs(sample) < STILL_PEAK for sample in samples)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 120)), max_size=10),
    st.sampled_from((0.01, 0.02, 0.04, 0.06, 0.1)),
)
def test_what_waits_is_still_behind_a_long_stillness_and_waits_shortly(
    stretches: list[tuple[bool, int]], secs: float
) -> None:
    patience = Stillness()
    still_secs = held_secs = 0.0
    for loud, count in stretches:
        for _ in range(count):
            still_secs = 0.0 if loud else still_secs + secs
            held_secs += secs
            if patience.waits(LOUD if loud else STILL, secs):
                assert still_secs > STILL_SECS
                assert held_secs + secs < TOGETHER_SECS + 0.002
            else:
                held_secs = 0.0


def test_of_a_long_silence_three_packets_go_on_at_once() -> None:
    patience = Stillness()
    waits = [patience.waits(STILL, SECS) for _ in range(200)]
    settled = round(STILL_SECS / SECS) + 1
    assert not any(waits[: settled - 2])
    assert waits[settled:].count(False) == pytest.approx((200 - settled) / 3, abs=1)


@pytest.mark.parametrize("clip", librivox(), ids=lambda clip: clip.path.stem)
def test_nothing_of_human_speech_waits(clip: Clip) -> None:
    speech = read_speech(clip.path)
    patience = Stillness()
    for _ in range(200):
        patience.waits(STILL, SECS)
    packets = [speech[at : at + 640] for at in range(0, len(speech), 640)]
    loud = next(at for at, packet in enumerate(packets) if not still(packet))
    assert not any([patience.waits(packet, SECS) for packet in packets][loud:])
