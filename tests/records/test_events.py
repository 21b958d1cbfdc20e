"""Events are read as they were written, also those of a record written before a field existed."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from records.events import (
    CALL_EVENT,
    BargedIn,
    CallerIdle,
    CallEvent,
    CutIn,
    Failed,
    FalseStop,
    Filled,
    Heard,
    Part,
    Regret,
    Retried,
    Turn,
    Used,
)

pytestmark = pytest.mark.unit

TURN = Turn(
    at_ms=9,
    index=1,
    heard="hello",
    answered="Hi.",
    ear_ms=700,
    parts=(Part(stage="llm", label="language model", ms=1400),),
    filler_ms=700,
    answer_ms=1400,
    over_ms=600,
    blame="llm",
    budget_ms=800,
    speculated=True,
)


@pytest.mark.parametrize(
    "event",
    [
        TURN,
        BargedIn(at_ms=1, stop_ms=240),
        CutIn(at_ms=1, caller_more_ms=120),
        FalseStop(at_ms=1, paused_ms=400, why="noise"),
        Filled(at_ms=1, text="One moment."),
        CallerIdle(at_ms=1, prompt="Are you still there?"),
        Regret(at_ms=1, replies=2, tokens=90, characters=40, usd=0.0004),
        Used(
            at_ms=1,
            prompt_tokens=900,
            cached_tokens=100,
            completion_tokens=40,
            untold=1,
            characters=160,
            stt_secs=6.5,
            llm_usd=0.001,
            tts_usd=0.0,
            stt_usd=None,
        ),
        Failed(at_ms=1, code="quota", message="Pay.", provider="groq"),
        Retried(at_ms=1, code="server", provider="groq"),
    ],
)
def test_an_event_is_read_as_it_was_written(event: CallEvent) -> None:
    assert CALL_EVENT.validate_json(event.model_dump_json()) == event


def test_a_turn_without_budget_blame_or_filler_is_read() -> None:
    told = json.loads(TURN.model_dump_json())
    for name in ("filler_ms", "answer_ms", "over_ms", "blame", "budget_ms", "speculated"):
        del told[name]
    turn = CALL_EVENT.validate_python(told)
    assert isinstance(turn, Turn)
    assert (turn.ear_ms, turn.over_ms, turn.blame, turn.speculated) == (700, 0, None, False)


def test_a_failure_without_a_provider_is_read() -> None:
    failed = CALL_EVENT.validate_python(
        {"kind": "failed", "at_ms": 1, "code": "server", "message": ""}
    )
    assert isinstance(failed, Failed)
    assert failed.provider is None


def test_a_time_below_zero_is_refused() -> None:
    with pytest.raises(ValidationError, match="stop_ms"):
        BargedIn(at_ms=1, stop_ms=-1)


def test_words_that_were_read_are_kept_nowhere() -> None:
    told = Heard(at_ms=1, text="my number is one two three", final=True).model_dump_json()
    first, second = (CALL_EVENT.validate_json(told) for _ in range(2))
    assert isinstance(first, Heard)
    assert isinstance(second, Heard)
    # What Pydantic keeps it gives again.
    assert first.text is not second.text
