"""Slots are never given twice and never lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import FullError
from hosts.admission import Admission, default_slots

pytestmark = pytest.mark.unit


def test_a_full_host_says_when_to_try_again() -> None:
    admission = Admission(slots=8)
    admission.take(8)
    with pytest.raises(FullError) as caught:
        admission.take(1)
    assert int(caught.value.headers["Retry-After"]) > 0


def test_an_empty_host_takes_even_a_call_that_is_too_dear() -> None:
    admission = Admission(slots=2)
    admission.take(8)
    assert admission.taken == 8


def test_this_machine_has_slots() -> None:
    assert default_slots() >= 4


@given(st.integers(1, 20), st.lists(st.integers(1, 5), max_size=40))
def test_slots_are_conserved(slots: int, costs: list[int]) -> None:
    admission = Admission(slots=slots)
    held: list[int] = []
    for cost in costs:
        try:
            admission.take(cost)
        except FullError:
            assert admission.taken + cost > slots
            if held:
                admission.give_back(held.pop())
        else:
            held.append(cost)
        assert admission.taken == sum(held)
        assert admission.taken <= slots or len(held) == 1
