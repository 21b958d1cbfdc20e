"""What a caller hears of the bot: where replies begin, and what in them is late."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.density_ear import QUIET_SECS, BotEar
from records.gate import Samples

pytestmark = pytest.mark.unit

RATE_HZ = 16_000
PACKET_SECS = 0.02
COUNT = 320
LOUD: Samples = np.full(COUNT, 2000, np.int16)
SILENT: Samples = np.zeros(COUNT, np.int16)


def heard(arrivals: list[float], samples: Samples = LOUD) -> BotEar:
    ear = BotEar()
    for at_secs in arrivals:
        ear.hear(samples, at_secs=at_secs, rate_hz=RATE_HZ)
    return ear


def test_a_reply_begins_with_the_first_audible_sample() -> None:
    first = SILENT.copy()
    first[160:] = 2000
    [reply] = heard([1.0], first).replies
    assert reply.start_secs == pytest.approx(1.01)


def test_silence_is_no_reply() -> None:
    assert heard([1.0, 1.02], SILENT).replies == []


def test_a_packet_in_time_is_not_late_and_one_that_is_held_back_is() -> None:
    steady = [1 + number * PACKET_SECS for number in range(10)]
    assert heard(steady).replies[0].latest_ms == pytest.approx(0, abs=1e-6)
    held = [*steady[:5], *(at + 0.05 for at in steady[5:])]
    [reply] = heard(held).replies
    assert reply.latest_ms == pytest.approx(50)
    assert reply.late_frames == 5


def test_small_delays_add_up() -> None:
    slow = [1 + number * 0.03 for number in range(10)]
    assert heard(slow).replies[0].latest_ms == pytest.approx(90)


def test_after_a_silence_another_reply_begins() -> None:
    ear = heard([1.0, 1.02 + QUIET_SECS + 0.01])
    assert len(ear.replies) == 2
    assert ear.replies[1].latest_ms == 0


@given(st.lists(st.floats(0, 0.02), min_size=1, max_size=100))
def test_what_comes_sooner_than_it_is_played_is_never_late(steps: list[float]) -> None:
    arrivals = [float(at) for at in np.cumsum(steps)]
    [reply] = heard(arrivals).replies
    assert reply.latest_ms == pytest.approx(0, abs=1e-6)
    assert reply.frames == len(steps)


@given(st.lists(st.floats(0, 0.5), min_size=1, max_size=60))
def test_every_frame_belongs_to_one_reply_and_none_overlap(steps: list[float]) -> None:
    ear = heard([float(at) for at in np.cumsum(steps)])
    assert sum(reply.frames for reply in ear.replies) == len(steps)
    for before, after in zip(ear.replies, ear.replies[1:], strict=False):
        assert after.start_secs - before.end_secs >= QUIET_SECS - 1e-9
    assert all(reply.latest_ms >= -1e-6 for reply in ear.replies)
