from __future__ import annotations

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.receptionist.spoken import (
    is_name,
    names_time,
    resolve_day,
    resolve_time,
    say_date,
    say_list,
    say_on,
    say_time,
    was_said,
)

pytestmark = pytest.mark.unit

FRIDAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("today", date(2026, 11, 20)),
        ("Are you still open this afternoon?", date(2026, 11, 20)),
        ("Tomorrow, please.", date(2026, 11, 21)),
        ("the day after tomorrow", date(2026, 11, 22)),
        ("at the weekend", date(2026, 11, 21)),
        ("monday", date(2026, 11, 23)),
        ("Mondays", date(2026, 11, 23)),
        ("on Friday", date(2026, 11, 27)),
        ("next week", date(2026, 11, 23)),
        ("Wednesday next week", date(2026, 11, 25)),
        ("wed", date(2026, 11, 25)),
        ("the twenty-third", date(2026, 11, 23)),
        ("on the 1st", date(2026, 12, 1)),
        ("december third", date(2026, 12, 3)),
        ("the 24th of December", date(2026, 12, 24)),
        ("2026-11-30", date(2026, 11, 30)),
        ("2026-13-99", None),
        ("What is your first free time?", None),
        ("the second one", None),
        ("as soon as possible", None),
        ("", None),
    ],
)
def test_days_as_people_say_them(words: str, day: date | None) -> None:
    assert resolve_day(words, FRIDAY) == day


@given(st.text())
def test_no_words_are_too_strange(words: str) -> None:
    resolve_day(words, FRIDAY)
    resolve_time(words)
    names_time(words)
    is_name(words)
    was_said(words, (words,))


@pytest.mark.parametrize(
    ("words", "at"),
    [
        ("ten", time(10)),
        ("at ten thirty", time(10, 30)),
        ("10:30", time(10, 30)),
        ("ten thirty a.m.", time(10, 30)),
        ("half past two", time(14, 30)),
        ("half two", time(14, 30)),
        ("quarter to four", time(15, 45)),
        ("quarter past nine", time(9, 15)),
        ("2 pm", time(14)),
        ("14:00", time(14)),
        ("eight", time(8)),
        ("five o'clock", time(17)),
        ("four in the afternoon", time(16)),
        ("noon", time(12)),
        ("99", None),
        ("in the morning", None),
    ],
)
def test_times_as_people_say_them(words: str, at: time | None) -> None:
    assert resolve_time(words) == at


@pytest.mark.parametrize(
    ("words", "sure"),
    [
        ("Can I come at five?", True),
        ("half past two", True),
        ("nine o'clock", True),
        ("10:30", True),
        ("for me and my two children", False),
        ("One is good.", False),
        ("Anything after four o'clock?", False),
    ],
)
def test_a_number_is_not_always_a_time(words: str, sure: bool) -> None:
    assert names_time(words) is sure


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Anna Bell", True),
        ("Monday", False),
        ("ten thirty", False),
        ("first one", False),
        ("tomorrow morning", False),
        ("", False),
    ],
)
def test_a_name_is_neither_a_number_nor_a_day(words: str, name: bool) -> None:
    assert is_name(words) is name


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("anna bell", True),
        ("Paul Wood", False),
        ("10:30", True),
        ("the ten thirty", True),
        ("", True),
    ],
)
def test_only_what_was_heard_was_said(words: str, said: bool) -> None:
    heard = ("I'll take the ten thirty.", "It's Anna Bell.")
    assert was_said(words, heard) is said


def test_days_are_said_as_short_as_they_are_clear() -> None:
    days = [date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 24), date(2026, 12, 3)]
    assert [say_on(day, FRIDAY) for day in days] == [
        "today",
        "tomorrow",
        "on Tuesday",
        "on Thursday the 3rd",
    ]
    assert [say_date(date(2026, 11, day)) for day in (1, 2, 11, 12, 23)] == [
        "Sunday the 1st",
        "Monday the 2nd",
        "Wednesday the 11th",
        "Thursday the 12th",
        "Monday the 23rd",
    ]


@given(st.times().map(lambda at: at.replace(second=0, microsecond=0)))
def test_what_is_said_of_a_time_means_that_time(at: time) -> None:
    assert resolve_time(say_time(at)) == at


def test_lists_are_said_with_a_joint() -> None:
    assert say_list(["a"]) == "a"
    assert say_list(["a", "b"], "or") == "a or b"
    assert say_list(["a", "b", "c"]) == "a, b and c"
