"""The door shuts for quality that is bad for long enough, and opens again, neither by chance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.quality import (
    BAD_SECS,
    FORGOTTEN_SECS,
    GOOD_SECS,
    LAG_MS,
    LATE_SECS,
    SILENT_SECS,
    START_SECS,
    QualityDoor,
)

pytestmark = pytest.mark.unit

PULSE_SECS = 0.5
BAD_PULSES, GOOD_PULSES = BAD_SECS / PULSE_SECS, GOOD_SECS / PULSE_SECS


class _House:
    """A door, and the calls behind it, which tell how they are twice a second."""

    def __init__(self, calls: int) -> None:
        self.door = QualityDoor()
        self.names = [f"call-{number}" for number in range(calls)]
        self.now_secs = 100.0
        self.live(START_SECS)

    def live(self, secs: float, *, lagging: int = 0, late: int = 0) -> bool:
        """Go on for so long with so many of the calls lagging, or late; whether it is shut then."""
        for _ in range(round(secs / PULSE_SECS)):
            for number, name in enumerate(self.names):
                self.door.feed(
                    name,
                    lag_p99_ms=LAG_MS + 1 if number < lagging else 3.0,
                    late_frames=int(number < late),
                    now_secs=self.now_secs,
                )
            self.now_secs += PULSE_SECS
        return self.shut

    @property
    def shut(self) -> bool:
        return self.door.shut(self.now_secs)


def test_more_than_a_third_of_lagging_loops_shuts_it() -> None:
    assert not _House(9).live(20, lagging=3)
    assert _House(9).live(BAD_SECS, lagging=4)


def test_late_audio_of_one_call_shuts_it() -> None:
    assert _House(9).live(BAD_SECS, late=1)


def test_calls_that_begin_do_not() -> None:
    house = _House(2)
    for number in range(5):
        house.names = ["call-0", "call-1", *(f"new-{number}-{place}" for place in range(4))]
        for _ in range(round(START_SECS / PULSE_SECS)):
            for name in house.names:
                begins = name.startswith("new")
                lag_ms = 500.0 if begins else 3.0
                house.door.feed(
                    name, lag_p99_ms=lag_ms, late_frames=int(begins), now_secs=house.now_secs
                )
            house.now_secs += PULSE_SECS
            assert not house.shut
        for name in house.names[2:]:
            house.door.forget(name, house.now_secs)
        assert not house.shut
    # Once they have begun, they are calls like the others.
    house.names = ["call-0", "call-1", "late"]
    house.live(START_SECS, late=0)
    assert house.live(BAD_SECS, lagging=2)


def test_a_hiccup_does_not() -> None:
    house = _House(3)
    for _ in range(10):
        assert not house.live(BAD_SECS - PULSE_SECS, lagging=3)
        assert not house.live(PULSE_SECS)


def test_audio_that_is_late_every_second_is_bad_all_the_time() -> None:
    house = _House(3)
    for _ in range(3):
        house.live(PULSE_SECS, late=1)
        house.live(PULSE_SECS)
    assert house.shut


def test_it_opens_after_five_good_seconds() -> None:
    house = _House(3)
    house.live(4, lagging=3)
    assert house.live(GOOD_SECS - PULSE_SECS)
    assert 0 < house.door.opens_in_secs(house.now_secs) <= 2 * PULSE_SECS
    assert not house.live(2 * PULSE_SECS)
    assert house.door.opens_in_secs(house.now_secs) == 0


def test_a_bad_moment_begins_the_five_seconds_anew() -> None:
    house = _House(3)
    house.live(4, lagging=3)
    house.live(GOOD_SECS - PULSE_SECS)
    house.live(PULSE_SECS, lagging=3)
    assert house.live(GOOD_SECS - PULSE_SECS)


def test_calls_that_tell_nothing_are_taken_for_lagging_until_they_are_forgotten() -> None:
    house = _House(3)
    house.live(1)
    house.now_secs += SILENT_SECS
    assert not house.shut
    house.now_secs += BAD_SECS
    assert house.shut
    house.now_secs += FORGOTTEN_SECS
    assert not house.shut


def test_without_calls_it_is_open() -> None:
    house = _House(2)
    assert not house.shut
    house.live(4, lagging=2)
    house.door.forget("call-0", house.now_secs)
    assert house.shut
    house.door.forget("call-1", house.now_secs)
    assert not house.shut


_step = st.tuples(st.integers(0, 4), st.sampled_from((0, 0, 0, 1)), st.booleans())


@given(st.integers(1, 4), st.lists(_step, max_size=60))
def test_it_moves_only_after_long_enough_of_the_contrary(
    calls: int, steps: list[tuple[int, int, bool]]
) -> None:
    house = _House(calls)
    bad_for = good_for = late_for = lag_run = late_run = 0
    was_shut = False
    for lagging, late, calm in steps:
        worst = {} if calm else {"lagging": min(lagging, calls), "late": min(late, calls)}
        shut = house.live(PULSE_SECS, **worst)
        late_for = int(LATE_SECS / PULSE_SECS) + 1 if worst.get("late") else max(0, late_for - 1)
        lags = worst.get("lagging", 0) * 3 > calls
        bad_for, good_for = (bad_for + 1, 0) if late_for or lags else (0, good_for + 1)
        # Late ones in every second pulse leave no gap.
        late_run, lag_run = (late_run + 1) * (late_for > 1), (lag_run + 1) * lags
        if shut != was_shut:
            assert bad_for >= BAD_PULSES if shut else good_for >= GOOD_PULSES
        assert shut or max(late_run, lag_run) <= BAD_PULSES
        assert not shut or good_for <= GOOD_PULSES
        assert 0 <= house.door.opens_in_secs(house.now_secs) <= GOOD_SECS
        was_shut = shut
