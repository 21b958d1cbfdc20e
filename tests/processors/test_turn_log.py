"""A turn is what was heard, what was answered, and the gap between them."""

from __future__ import annotations

import pytest

from processors.turn_log import TurnLog

pytestmark = pytest.mark.unit


def test_a_greeting_is_no_turn() -> None:
    log = TurnLog()
    log.reply_started()
    assert log.reply_ended("Good morning.", 10) is None


def test_an_exchange_is_one() -> None:
    log = TurnLog()
    log.heard("hello")
    log.breakdown([("llm_inference", 0.4)])
    log.reply_started()
    log.ear(600)
    turn = log.reply_ended("Hi.", 5000)
    assert turn is not None
    assert (turn.index, turn.heard, turn.answered, turn.ear_ms) == (1, "hello", "Hi.", 600)
    assert sum(part.ms for part in turn.parts) == 600


def test_segments_of_one_turn_are_joined() -> None:
    log = TurnLog()
    assert log.heard("i would like") == "i would like"
    assert log.so_far("an app") == "i would like an app"
    assert log.heard("an appointment") == "i would like an appointment"


def test_an_interruption_begins_a_new_turn() -> None:
    log = TurnLog()
    log.heard("first")
    log.reply_started()
    assert log.so_far("sec") == "sec"
    first = log.reply_ended("An answer", 1)
    log.heard("second")
    log.reply_started()
    second = log.reply_ended("Another", 2)
    assert first is not None
    assert second is not None
    assert (first.heard, second.heard, second.index) == ("first", "second", 2)
    assert second.ear_ms is None
