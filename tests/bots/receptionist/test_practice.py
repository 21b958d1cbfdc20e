from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest

from bots.receptionist.practice import DAYS_AHEAD, Practice, nearest, spread

pytestmark = pytest.mark.unit

FRIDAY = date(2026, 11, 20)
MONDAY = FRIDAY + timedelta(days=3)
EARLY = datetime(2026, 11, 20, 6)


@pytest.fixture
def practice(tmp_path: Path) -> Practice:
    made = Practice(tmp_path / "folder" / "practice.sqlite3")
    made.open(FRIDAY)
    return made


def test_weekdays_have_slots_and_weekends_do_not(practice: Practice) -> None:
    days = [FRIDAY + timedelta(days=days) for days in range(DAYS_AHEAD + 1)]
    free = {day for day in days if practice.free(day, EARLY)}
    assert free == {day for day in days if day.weekday() < 5}


def test_slots_lie_in_opening_hours_and_not_at_lunch(practice: Practice) -> None:
    opens, closes = practice.hours(MONDAY) or (time(), time())
    assert (opens, closes) == (time(9), time(18))
    assert all(opens <= at < closes and at.hour != 12 for at in practice.free(MONDAY, EARLY))


def test_the_same_day_starts_out_alike_everywhere(practice: Practice, tmp_path: Path) -> None:
    other = Practice(tmp_path / "other.sqlite3")
    other.open(FRIDAY - timedelta(days=2))
    assert other.free(MONDAY, EARLY) == practice.free(MONDAY, EARLY)


def test_opening_again_keeps_what_was_booked(practice: Practice) -> None:
    at = practice.free(MONDAY, EARLY)[0]
    assert practice.book(MONDAY, at, "Anna Bell")
    practice.open(FRIDAY)
    assert at not in practice.free(MONDAY, EARLY)


def test_many_calls_may_open_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a day when the practice is closed, which has no slots to write first."""
    monkeypatch.setattr("bots.receptionist.practice._BUSY_WAIT_SECS", 60)
    shared = Practice(tmp_path / "practice.sqlite3")
    sunday = FRIDAY + timedelta(days=2)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(shared.open, [sunday + timedelta(days=n // 8) for n in range(80)]))
    assert shared.free(MONDAY, EARLY)


def test_what_the_practice_changed_stays(practice: Practice, tmp_path: Path) -> None:
    file = tmp_path / "folder" / "practice.sqlite3"
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("DELETE FROM hours WHERE weekday = 0")
        db.execute("UPDATE hours SET closes = '12:00' WHERE weekday = 1")
    practice.open(FRIDAY + timedelta(days=14))
    assert practice.hours(MONDAY) is None
    later = FRIDAY + timedelta(days=25)
    assert max(practice.free(later, EARLY)) < time(12)


def test_what_is_past_is_not_free(practice: Practice) -> None:
    noon = datetime.combine(MONDAY, time(12))
    assert all(at > time(12) for at in practice.free(MONDAY, noon))


def test_a_taken_slot_is_refused(practice: Practice) -> None:
    at = practice.free(MONDAY, EARLY)[0]
    assert practice.book(MONDAY, at, "Anna Bell")
    assert not practice.book(MONDAY, at, "Paul Wood")


def test_a_slot_that_does_not_exist_is_refused(practice: Practice) -> None:
    assert not practice.book(MONDAY, time(3), "Anna Bell")
    assert not practice.book(MONDAY + timedelta(days=500), time(9), "Anna Bell")


def test_of_many_who_want_one_slot_one_gets_it(practice: Practice) -> None:
    at = practice.free(MONDAY, EARLY)[0]

    def book(number: int) -> bool:
        return practice.book(MONDAY, at, f"Caller {number}")

    with ThreadPoolExecutor(8) as pool:
        booked = list(pool.map(book, range(16)))
    assert booked.count(True) == 1


def test_the_next_free_day_skips_the_weekend(practice: Practice) -> None:
    assert practice.next_free_day(FRIDAY, EARLY) == MONDAY


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("cleaning", "cleaning"),
        ("get my teeth cleaned", "cleaning"),
        ("Check up", "check-up"),
        ("pull a wisdom tooth", "extraction"),
        ("a root canal treatment", "root canal"),
        ("X-ray", "x-ray"),
        ("new crown", "crown"),
        ("braces", None),
        ("pizza", None),
        ("", None),
    ],
)
def test_treatments_are_known_by_what_people_call_them(
    practice: Practice, words: str, name: str | None
) -> None:
    found = practice.treatment(words)
    assert (found.name if found else None) == name


def test_everything_has_a_price(practice: Practice) -> None:
    assert len(practice.treatments()) == 9
    assert all(treatment.dollars > 0 for treatment in practice.treatments())


def test_offers_are_spread_over_the_day() -> None:
    times = [time(hour) for hour in range(9, 17)]
    assert spread(times, 3) == [time(9), time(12), time(15)]
    assert spread(times[:2], 3) == times[:2]
    assert nearest(times, time(12), 2) == [time(11), time(12)]
