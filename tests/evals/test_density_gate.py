"""Which numbers of calls pass, which are void, and that the search finds the largest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.callers_talk import Asked
from evals.density_ear import Reply
from evals.density_gate import Outcome, Search, Step, judge

pytestmark = pytest.mark.unit


def good(**changes: object) -> Step:
    step = Step(calls=2, own_ms=[20.0, 30.0], latest_ms=[0.0, 12.0], callers_late_ms=[1.0] * 100)
    for name, value in changes.items():
        setattr(step, name, value)
    return step


def test_what_is_within_the_bars_passes() -> None:
    assert judge(good()).outcome == "passed"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"own_ms": [41.0, 41.0]}, "own overhead p95 41 ms"),
        ({"own_ms": []}, "own overhead p95 inf ms"),
        ({"latest_ms": [41.0]}, "a frame 41 ms late"),
        ({"unanswered": 1}, "1 turns unanswered"),
        ({"ended": 1}, "1 calls ended"),
        ({"refused": 3}, "refused 3"),
    ],
)
def test_what_breaks_the_bars_is_told(changes: dict[str, object], says: str) -> None:
    verdict = judge(good(**changes))
    assert verdict.outcome == "broken"
    assert says in verdict.why


@pytest.mark.parametrize("who", ["callers_late_ms", "vendors_late_ms"])
def test_a_step_whose_callers_were_late_is_void_though_it_looks_broken(who: str) -> None:
    verdict = judge(good(**{who: [11.0] * 10, "own_ms": [200.0]}))
    assert verdict.outcome == "void"
    assert "11 ms late" in verdict.why


def test_only_what_was_asked_in_the_window_is_taken() -> None:
    step = Step(calls=1)
    asked = [
        Asked(5.0, answer_secs=5.7),
        Asked(11.0, answer_secs=11.65),
        Asked(14.0, cut_in=True),
        Asked(15.0),
        Asked(19.0),
    ]
    replies = [Reply(5.7, 6.0, latest_ms=99), Reply(11.65, 12.0, latest_ms=3)]
    step.take(asked, replies, window=(10.0, 20.0), injected_ms=600)
    assert step.own_ms == [pytest.approx(50)]
    assert step.latest_ms == [3]
    assert (step.cut_ins, step.unanswered) == (1, 1)


@given(st.integers(0, 45), st.integers(1, 12), st.integers(1, 5), st.integers(1, 40))
def test_the_largest_number_that_passes_is_found(
    limit: int, first: int, stride: int, most: int
) -> None:
    search = Search(first=first, stride=stride, most=most)
    tried: list[int] = []
    while (calls := search.next) is not None:
        assert calls not in tried
        assert 1 <= calls <= most
        tried.append(calls)
        search.tell(calls, "passed" if calls <= limit else "broken")
    assert search.passed == min(limit, most)
    assert search.is_bound == (limit >= most)


@given(st.integers(0, 30), st.integers(1, 30), st.integers(1, 12))
def test_late_callers_make_it_a_lower_bound(limit: int, late: int, first: int) -> None:
    def outcome(calls: int) -> Outcome:
        if calls >= late:
            return "void"
        return "passed" if calls <= limit else "broken"

    search = Search(first=first)
    while (calls := search.next) is not None:
        search.tell(calls, outcome(calls))
    assert search.passed == min(limit, late - 1)
    assert search.is_bound == (late <= limit + 1)
