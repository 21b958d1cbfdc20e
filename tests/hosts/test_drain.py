"""A server that is told to stop gives its calls time, then a good-bye, then none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.drain import FAREWELL_SECS, STOP_SECS, Drain, DrainingError, Step

pytestmark = pytest.mark.unit


def steps(drain: Drain, *, secs: float, live: int = 1, start_secs: float = 0.0) -> list[Step]:
    """What is said, once a second."""
    said: list[Step] = [drain.step(start_secs + n, live=live) for n in range(int(secs) + 1)]
    return [step for step in said if step != "wait"]


def test_nothing_happens_unasked() -> None:
    assert steps(Drain(), secs=1000, live=0) == []


def test_a_server_without_calls_exits_at_once() -> None:
    drain = Drain()
    drain.ask()
    assert drain.step(0.0, live=0) == "exit"


def test_calls_have_time_then_a_good_bye_then_none() -> None:
    drain = Drain(limit_secs=60)
    drain.ask()
    assert steps(drain, secs=59) == []
    assert drain.step(60, live=1) == "farewell"
    assert steps(drain, start_secs=60, secs=FAREWELL_SECS - 1) == []
    assert drain.step(60 + FAREWELL_SECS, live=1) == "stop"
    end_secs = 60 + FAREWELL_SECS + STOP_SECS
    assert drain.step(end_secs - 1, live=1) == "wait"
    assert drain.step(end_secs, live=1) == "exit"


def test_a_good_bye_at_once() -> None:
    drain = Drain()
    drain.ask(limit_secs=0.0)
    assert drain.step(5.0, live=2) == "farewell"


def test_asked_twice_it_cuts() -> None:
    drain = Drain()
    drain.ask()
    assert drain.step(0.0, live=1) == "wait"
    drain.ask()
    assert [drain.step(1.0, live=1) for _ in range(2)] == ["stop", "wait"]


def test_a_refusal_says_when_to_try_again() -> None:
    error = DrainingError()
    assert (error.status, error.code) == (503, "draining")
    assert int(error.headers["Retry-After"]) > 0


@given(
    st.lists(st.tuples(st.floats(0, 30), st.integers(0, 3), st.booleans()), max_size=80),
    st.floats(0, 100),
)
def test_each_is_said_once_and_in_order(
    looks: list[tuple[float, int, bool]], limit_secs: float
) -> None:
    drain = Drain(limit_secs)
    now_secs = 0.0
    said: list[Step] = []
    for passed_secs, live, asked in looks:
        if asked:
            drain.ask()
        now_secs += passed_secs
        step = drain.step(now_secs, live=live)
        assert step == "wait" or drain.begun
        if step in ("farewell", "stop"):
            said.append(step)
            assert live > 0
    assert said in ([], ["farewell"], ["stop"], ["farewell", "stop"])


@given(st.floats(0, 1000), st.lists(st.floats(0.1, 5), min_size=1, max_size=20))
def test_it_ends_however_long_the_calls_are(limit_secs: float, ticks: list[float]) -> None:
    drain = Drain(limit_secs)
    drain.ask()
    now_secs, ended = 0.0, False
    bound_secs = limit_secs + FAREWELL_SECS + STOP_SECS + 3 * max(ticks)
    while now_secs <= bound_secs:
        for tick in ticks:
            ended = ended or drain.step(now_secs, live=1) == "exit"
            now_secs += tick
    assert ended
