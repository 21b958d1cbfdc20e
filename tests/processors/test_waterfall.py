"""The parts of a turn add up to what was heard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.waterfall import blame, parts

pytestmark = pytest.mark.unit

KEYS = [
    "endpointing_wait", "turn_detection", "transcription", "llm_inference", "function_handler",
    "sentence_aggregation", "speech_synthesis", "output_transport", "pipeline", "something_new",
]  # fmt: skip
contributions = st.lists(st.tuples(st.sampled_from(KEYS), st.floats(-0.1, 5)), max_size=12)


def test_stages_are_grouped_in_the_order_of_a_turn() -> None:
    shown = parts(
        [("speech_synthesis", 0.2), ("endpointing_wait", 0.2), ("turn_detection", 0.1)], None
    )
    assert [(part.stage, part.ms) for part in shown] == [("endpointing", 300), ("tts", 200)]


def test_what_the_pipeline_cannot_see_is_the_networks() -> None:
    shown = parts([("llm_inference", 0.5)], 700)
    assert {part.stage: part.ms for part in shown} == {"llm": 500, "transport": 200}


def test_what_was_not_heard_is_taken_off_the_wait() -> None:
    shown = parts([("endpointing_wait", 0.3), ("llm_inference", 0.5)], 700)
    assert {part.stage: part.ms for part in shown} == {"endpointing": 200, "llm": 500}


@given(contributions, st.integers(0, 30_000))
def test_they_add_up(given_parts: list[tuple[str, float]], ear_ms: int) -> None:
    assert sum(part.ms for part in parts(given_parts, ear_ms)) == ear_ms


@given(contributions)
def test_none_is_empty_or_negative(given_parts: list[tuple[str, float]]) -> None:
    assert all(part.ms > 0 for part in parts(given_parts, None))


def test_the_longest_part_is_to_blame() -> None:
    shown = parts(
        [("endpointing_wait", 0.2), ("llm_inference", 0.9), ("speech_synthesis", 0.9)], None
    )
    assert blame(shown) == "llm"
    assert blame(()) is None


@given(contributions)
def test_no_part_is_longer_than_the_one_to_blame(given_parts: list[tuple[str, float]]) -> None:
    shown = parts(given_parts, None)
    longest = max((part.ms for part in shown), default=0)
    assert all(part.stage == blame(shown) or part.ms <= longest for part in shown)
    assert {part.ms for part in shown if part.stage == blame(shown)} <= {longest}
