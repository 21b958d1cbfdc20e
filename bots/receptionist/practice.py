"""The dental practice: its hours, prices and appointment book, in one SQLite file."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

from bots.receptionist.spoken import WEEKDAYS

DAYS_AHEAD = 14
_SLOT_MINUTES = 30
_LUNCH_HOUR = 12
_BUSY_WAIT_SECS = 5.0
_TAKEN = "(taken before)"

_Slot = tuple[str, str, str | None]
"""Day, time, and whose it is."""


@dataclass(frozen=True)
class Treatment:
    """What the practice does, and what it costs."""

    name: str
    dollars: int


class Practice:
    """Reads and writes the practice's file; made and filled on first use.

    Safe to use from several calls, threads and processes at once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self, today: date) -> None:
        """Make the file if it is absent, and the slots of the coming days.

        Writes only what is not there yet: most calls need not wait for each other.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._connection() as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'slots'").fetchone():
                schema = Path(__file__).with_name("practice.sql").read_text("utf-8")
                db.executescript(f"BEGIN IMMEDIATE; {schema} COMMIT;")
            slots = self._absent_slots(db, today)
            if slots:
                db.executemany("INSERT OR IGNORE INTO slots VALUES (?, ?, ?)", slots)

    def hours(self, day: date) -> tuple[time, time] | None:
        """When the practice opens and closes on `day`; None if it is closed."""
        with self._connection() as db:
            return self._opening(db, day.weekday())

    def week(self) -> list[tuple[time, time] | None]:
        """Opening and closing for each weekday from Monday on; None is closed."""
        with self._connection() as db:
            return [self._opening(db, weekday) for weekday in range(len(WEEKDAYS))]

    def treatments(self) -> list[Treatment]:
        """Everything that has a price."""
        with self._connection() as db:
            rows = db.execute("SELECT name, dollars FROM treatments ORDER BY rowid").fetchall()
        return [Treatment(name, dollars) for name, dollars in rows]

    def treatment(self, words: str) -> Treatment | None:
        """The treatment that the caller's words mean, if it is offered."""
        said = f" {words.lower()}"
        with self._connection() as db:
            rows = db.execute("SELECT name, dollars, keywords FROM treatments").fetchall()
        for name, dollars, keywords in rows:
            if any(f" {keyword}" in said for keyword in keywords.split(",")):
                return Treatment(name, dollars)
        return None

    def free(self, day: date, now: datetime) -> list[time]:
        """Times on `day` that are free and still to come, earliest first."""
        with self._connection() as db:
            rows = db.execute(
                "SELECT time FROM slots WHERE day = ? AND patient IS NULL ORDER BY time",
                (day.isoformat(),),
            ).fetchall()
        times = [time.fromisoformat(text) for (text,) in rows]
        return [at for at in times if datetime.combine(day, at) > now]

    def next_free_day(self, after: date, now: datetime) -> date | None:
        """The first day later than `after` with a free slot."""
        days = (after + timedelta(days=ahead) for ahead in range(1, DAYS_AHEAD + 1))
        return next((day for day in days if self.free(day, now)), None)

    def book(self, day: date, at: time, patient: str) -> bool:
        """Give the slot to `patient`; False, and nothing changed, if it is not free."""
        with self._connection() as db:
            changed = db.execute(
                "UPDATE slots SET patient = ? WHERE day = ? AND time = ? AND patient IS NULL",
                (patient, day.isoformat(), at.strftime("%H:%M")),
            )
            return changed.rowcount == 1

    def _absent_slots(self, db: sqlite3.Connection, today: date) -> list[_Slot]:
        rows = db.execute("SELECT day, time FROM slots WHERE day >= ?", (today.isoformat(),))
        there = set(rows.fetchall())
        days = [today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)]
        slots = [
            (day.isoformat(), at.strftime("%H:%M"), _seeded_patient(day, at))
            for day in days
            for at in _grid(self._opening(db, day.weekday()))
        ]
        return [slot for slot in slots if slot[:2] not in there]

    @staticmethod
    def _opening(db: sqlite3.Connection, weekday: int) -> tuple[time, time] | None:
        row = db.execute("SELECT opens, closes FROM hours WHERE weekday = ?", (weekday,)).fetchone()
        return (time.fromisoformat(row[0]), time.fromisoformat(row[1])) if row else None

    @contextmanager
    def _connection(self) -> Generator[sqlite3.Connection]:
        # Who reads first and then writes in one transaction is refused at once, however long it
        # would wait, where another does the same: so a transaction writes from its beginning.
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_WAIT_SECS, isolation_level="IMMEDIATE"
        )
        with closing(connection) as db, db:
            yield db


def nearest(times: list[time], wanted: time, count: int) -> list[time]:
    """The `count` times nearest to `wanted`, earliest first."""
    return sorted(sorted(times, key=lambda at: abs(_minutes(at) - _minutes(wanted)))[:count])


def spread(times: list[time], count: int) -> list[time]:
    """At most `count` of `times`, spread over the whole of them, the first among them."""
    step = max(1, -(-len(times) // count))
    return times[::step]


def _grid(opening: tuple[time, time] | None) -> list[time]:
    if opening is None:
        return []
    starts = range(_minutes(opening[0]), _minutes(opening[1]), _SLOT_MINUTES)
    return [time(m // 60, m % 60) for m in starts if m // 60 != _LUNCH_HOUR]


def _seeded_patient(day: date, at: time) -> str | None:
    """Whether a slot starts out taken: the same for everyone who opens the same day."""
    taken = zlib.crc32(f"{day.isoformat()} {at:%H:%M}".encode()) % 5 < 2
    return _TAKEN if taken else None


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute
