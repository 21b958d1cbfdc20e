"""A silent caller is asked, and then left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.idle import Patience

pytestmark = pytest.mark.unit

ASK, WARN, LEAVE = "Are you there?", "I will hang up.", "Good-bye."


def test_each_prompt_is_said_once_and_then_the_goodbye() -> None:
    patience = Patience((ASK, WARN), LEAVE)
    said = [(patience.silent(), patience.said()) for _ in range(3)]
    assert said == [(ASK, False), (WARN, False), (LEAVE, True)]


def test_who_speaks_during_the_goodbye_is_not_left() -> None:
    patience = Patience((), LEAVE)
    assert patience.silent() == LEAVE
    patience.spoke()
    assert not patience.said()


@given(st.integers(0, 4), st.lists(st.sampled_from(["silent", "spoke", "said"])))
def test_the_call_ends_only_after_as_many_silences_in_a_row(count: int, story: list[str]) -> None:
    prompts = [f"Prompt {number}" for number in range(count)]
    patience = Patience(prompts, LEAVE)
    silences = 0
    for step in story:
        if step == "spoke":
            patience.spoke()
            silences = 0
        elif step == "silent":
            line = patience.silent()
            assert line == (LEAVE if silences >= count else prompts[silences])
            silences += 1
        else:
            assert patience.said() == (silences > count)
