"""A process is killed when it hangs, and only then; its end is told once."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.vitals import (
    ENDING_SECS,
    LOST_SECS,
    SILENT_SECS,
    STOPPED_SECS,
    UNUSED_SECS,
    Vitals,
    process_state,
)

pytestmark = pytest.mark.unit

LIFE_SECS = 1000.0
STATES = st.sampled_from([None, "R", "S", "D", "T", "Z"])


def vitals() -> Vitals:
    return Vitals(0.0, LIFE_SECS, arrived=True)


def looked(subject: Vitals, secs: float, *, state: str | None = "S") -> list[str]:
    """What is said while `secs` pass in quarters of a second."""
    said: list[str] = []
    for _ in range(round(secs * 4)):
        subject.look(subject.now_secs + 0.25)
        said.append(subject.verdict(exited=False, state=state))
    return said


def test_one_that_is_stopped_is_killed_within_two_seconds() -> None:
    assert looked(vitals(), 2.0, state="T").count("kill") == 1


def test_one_that_is_silent_for_long_is_killed() -> None:
    subject = vitals()
    assert set(looked(subject, SILENT_SECS - 0.5)) == {"fine"}
    assert "kill" in looked(subject, 1.0)


def test_one_that_cannot_be_reached_is_left_to_its_lease_for_a_while() -> None:
    subject = vitals()
    subject.lost()
    assert set(looked(subject, LOST_SECS - 0.5)) == {"fine"}
    assert subject.epitaph() == "host_lost"
    assert "kill" in looked(subject, 1.0)
    assert subject.epitaph() == "crashed"


def test_one_that_cannot_be_reached_and_is_stopped_is_killed() -> None:
    subject = vitals()
    subject.lost()
    assert "kill" in looked(subject, 2.0, state="T")


def test_one_that_pulses_lives_as_long_as_its_call_may() -> None:
    subject = vitals()
    for _ in range(int(LIFE_SECS) * 2 - 1):
        subject.pulsed()
        assert set(looked(subject, 0.5)) == {"fine"}
    subject.pulsed()
    assert "kill" in looked(subject, 0.5)


def test_one_without_a_caller_has_less_time() -> None:
    subject = Vitals(0.0, LIFE_SECS)
    said: list[str] = []
    for _ in range(int(UNUSED_SECS) + 1):
        subject.pulsed()
        said += looked(subject, 1.0)
    assert said.count("kill") == 1


def test_one_that_said_good_bye_and_stays_is_killed() -> None:
    subject = vitals()
    subject.told_end("idle")
    said: list[str] = []
    for _ in range(int(ENDING_SECS) + 1):
        subject.pulsed()
        said += looked(subject, 1.0)
    assert said.count("kill") == 1
    assert subject.epitaph() == "idle"


def test_whoever_looks_late_kills_nobody_for_it() -> None:
    subject = vitals()
    subject.look(500.0)
    assert subject.verdict(exited=False, state="T") == "fine"


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("look"), st.floats(0, 100)),
            st.tuples(st.just("pulse"), st.just(0.0)),
            st.tuples(st.just("end"), st.just(0.0)),
        ),
        max_size=60,
    ),
    STATES,
)
def test_at_most_one_kill_and_none_of_the_dead(
    deeds: list[tuple[str, float]], state: str | None
) -> None:
    subject = vitals()
    kills = 0
    since_pulse_secs = 0.0
    for deed, secs in deeds:
        if deed == "look":
            subject.look(subject.now_secs + secs)
            since_pulse_secs += secs
        elif deed == "pulse":
            subject.pulsed()
            since_pulse_secs = 0.0
        else:
            subject.told_end("caller_hung_up")
        said = subject.verdict(exited=False, state=state)
        if said == "kill":
            kills += 1
            waited = since_pulse_secs >= STOPPED_SECS
            assert waited or subject.reason or subject.now_secs >= LIFE_SECS
    assert kills <= 1
    assert subject.verdict(exited=True, state=state) == "dead"
    assert subject.epitaph() == (subject.reason or "crashed")


def test_the_state_of_a_process_is_read() -> None:
    assert process_state(os.getpid()) == "R"
    with subprocess.Popen(["sleep", "60"]) as process:
        process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + 10
        while process_state(process.pid) != "T" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process_state(process.pid) == "T"
        process.kill()
    assert process_state(process.pid) is None
