"""The steps to an answer are counted one after the other, and once."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.timeline import Moment, Timeline

pytestmark = pytest.mark.unit

MOMENTS: tuple[Moment, ...] = (
    "quiet", "transcript", "committed", "tools_began", "tools_ended", "asked", "clause", "voiced",
    "released",
)  # fmt: skip
marks = st.lists(st.tuples(st.sampled_from(MOMENTS), st.floats(0, 5000)), max_size=12)


def timeline(*happened: tuple[Moment, float]) -> Timeline:
    line = Timeline()
    for moment, at_ms in happened:
        line.mark(moment, at_ms)
    return line


def steps(line: Timeline, since_ms: float | None, until_ms: float) -> dict[str, int]:
    spent = Counter[str]()
    for key, secs in line.path(since_ms, until_ms):
        spent[key] += round(secs * 1000)
    return dict(spent)


def test_a_plain_reply_takes_one_step_after_the_other() -> None:
    line = timeline(
        ("quiet", 200), ("transcript", 350), ("committed", 400), ("asked", 405), ("clause", 600),
        ("voiced", 700), ("released", 701),
    )  # fmt: skip
    assert steps(line, 0, 720) == {
        "endpointing_wait": 200,
        "transcription": 150,
        "turn_detection": 50,
        "llm_inference": 195,
        "speech_synthesis": 100,
        "pipeline": 6,
        "output_transport": 19,
    }


def test_a_reply_that_was_ready_costs_only_its_release() -> None:
    line = timeline(
        ("asked", 100), ("clause", 250), ("voiced", 350), ("quiet", 200), ("transcript", 350),
        ("committed", 600), ("released", 610),
    )  # fmt: skip
    assert steps(line, 0, 620) == {
        "endpointing_wait": 200,
        "transcription": 150,
        "turn_detection": 250,
        "pipeline": 10,
        "output_transport": 10,
    }


def test_only_the_rest_of_a_head_start_is_waited_for() -> None:
    line = timeline(
        ("asked", 100), ("committed", 400), ("clause", 450), ("voiced", 550), ("released", 551)
    )
    assert steps(line, 0, 551) == {
        "turn_detection": 400,
        "llm_inference": 50,
        "speech_synthesis": 100,
        "pipeline": 1,
        "output_transport": 0,
    }


def test_a_transcript_after_the_turn_was_over_was_not_waited_for() -> None:
    line = timeline(("committed", 400), ("transcript", 500), ("quiet", 510), ("voiced", 600))
    assert steps(line, 0, 600) == {
        "turn_detection": 400,
        "speech_synthesis": 200,
        "output_transport": 0,
    }


def test_a_tool_is_a_step_between_two_questions_to_the_model() -> None:
    line = timeline(
        ("committed", 400), ("asked", 401), ("tools_began", 600), ("tools_ended", 900),
        ("asked", 905), ("clause", 1000), ("voiced", 1100),
    )  # fmt: skip
    found = steps(line, None, 1100)
    assert (found["function_handler"], found["llm_inference"]) == (300, 200 + 95)


def test_nothing_is_told_of_a_wait_without_a_beginning() -> None:
    assert timeline(("asked", 5)).path(None, 100) == []


@given(marks, st.floats(0, 5000), st.floats(0, 5000))
def test_the_steps_add_up_to_the_wait(
    happened: list[tuple[Moment, float]], one_ms: float, other_ms: float
) -> None:
    since_ms, until_ms = sorted((one_ms, other_ms))
    spent = timeline(*happened).path(since_ms, until_ms)
    assert sum(secs for _, secs in spent) * 1000 == pytest.approx(until_ms - since_ms)
    assert all(secs >= 0 for _, secs in spent)
