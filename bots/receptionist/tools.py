"""What the receptionist can look up and do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from itertools import groupby
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bots.receptionist.practice import Practice, nearest, spread
from bots.receptionist.spoken import (
    WEEKDAYS,
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
from bots.toolkit import Heard, ToolFunction, ToolReply

_OFFERS = 3
"""Times offered at once: more cannot be remembered by ear."""
_NOON = time(12)
_Part = Literal["any", "morning", "afternoon"]
Words = Annotated[str, Field(max_length=40)]
"""A few words of the caller's: a small model may else copy a whole sentence, token by token."""
_PLACES = {"first": 0, "earliest": 0, "second": 1, "third": 2, "last": -1, "latest": -1}


class Desk:
    """One call's desk: the practice's file, and the booking that is being made."""

    def __init__(self, practice: Practice, now: Callable[[], datetime]) -> None:
        self._practice = practice
        self._now = now
        self._day: date | None = None
        self._time: time | None = None
        self._name = ""
        self._offered: list[time] = []
        self._booked: tuple[date, time, str] | None = None

    async def opening_hours(self, day: Words = "", *, heard: Heard = ()) -> ToolReply:
        """When the practice is open.

        Args:
            day: The day in the caller's words; empty for the whole week.
            heard: What the caller said.
        """
        return await asyncio.to_thread(self._opening_hours, _day_words(day, heard))

    async def price(self, treatment: Words) -> ToolReply:
        """What a treatment costs.

        Args:
            treatment: The treatment in the caller's words.
        """
        return await asyncio.to_thread(self._price, treatment)

    async def free_slots(
        self, day: Words = "", part: _Part = "any", *, heard: Heard = ()
    ) -> ToolReply:
        """Free appointment times.

        Args:
            day: The day in the caller's words; empty for the next free day.
            part: The part of the day.
            heard: What the caller said.
        """
        if at := _sure_time(heard):
            return await asyncio.to_thread(self._book, _day_words(day, heard), at, "")
        return await asyncio.to_thread(self._free_slots, _day_words(day, heard), part)

    async def book(
        self, day: Words = "", time: Words = "", name: Words = "", *, heard: Heard = ()
    ) -> ToolReply:
        """Book an appointment; asks for what is missing.

        Args:
            day: The day in the caller's words.
            time: The time in the caller's words.
            name: The caller's name.
            heard: What the caller said.
        """
        day_words = _day_words(f"{day} {time}".strip(), heard)
        time_words = _believed(time, heard) or _sure_time(heard)
        return await asyncio.to_thread(self._book, day_words, time_words, _believed(name, heard))

    def _opening_hours(self, words: str) -> ToolReply:
        today = self._now().date()
        day = resolve_day(words, today)
        if day is None:
            return ToolReply(_week_sentence(self._practice.week()))
        hours = self._practice.hours(day)
        on = say_on(day, today)
        if hours is None:
            return ToolReply(f"We are closed {on}.", {"day": day.isoformat(), "open": False})
        opens, closes = map(say_time, hours)
        return ToolReply(
            f"We are open {on} from {opens} to {closes}.",
            {"day": day.isoformat(), "open": True, "from": opens, "to": closes},
        )

    def _price(self, words: str) -> ToolReply:
        found = self._practice.treatment(words)
        if found:
            article = "An" if found.name[0] in "aeiox" else "A"
            return ToolReply(
                f"{article} {found.name} is {found.dollars} dollars.",
                {"treatment": found.name, "dollars": found.dollars},
            )
        names = [treatment.name for treatment in self._practice.treatments()]
        some = say_list(names[:_OFFERS], "or")
        return ToolReply(
            f"I have no price for that. I can tell you about a {some}.", {"known": [*names]}
        )

    def _free_slots(self, words: str, part: str) -> ToolReply:
        now = self._now()
        part = next((half for half in ("morning", "afternoon") if half in words.lower()), part)
        meant = self._day if part != "any" else None
        day = resolve_day(words, now.date()) or meant or self._next_free_day(now)
        if day is None:
            return ToolReply("I am sorry, we are fully booked for the next two weeks.")
        self._day, self._time = day, None
        times = [at for at in self._practice.free(day, now) if _in_part(at, part)]
        return self._offer(day, times) if times else self._nothing_free(day, part)

    def _book(self, day_words: str, time_words: str, name: str) -> ToolReply:
        self._note(day_words, time_words, name)
        if self._booked and self._nothing_new(self._booked):
            return _booked(*self._booked)
        if self._day is None:
            return ToolReply("Which day would you like to come?", {"missing": "day"})
        free = self._practice.free(self._day, self._now())
        if not free:
            return self._nothing_free(self._day, "any")
        if self._time is None:
            return self._offer(self._day, free)
        if self._time not in free:
            return self._refuse(self._day, self._time, free)
        if not self._name:
            on = say_on(self._day, self._now().date())
            return ToolReply(
                f"{say_time(self._time)} {on} is free. What name shall I put it under?",
                {"missing": "name"},
            )
        return self._write(self._day, self._time, self._name)

    def _nothing_new(self, booked: tuple[date, time, str]) -> bool:
        """Whether all that was said since is what was just booked: the model repeats itself."""
        given = (self._day, self._time, self._name)
        return all(not new or new == old for new, old in zip(given, booked, strict=True))

    def _note(self, day_words: str, time_words: str, name: str) -> None:
        """Keep what was given; what was given before stays."""
        if picked := self._pick(time_words):
            self._time = picked
        else:
            self._day = resolve_day(day_words, self._now().date()) or self._day
            self._time = resolve_time(time_words) or self._time
        if is_name(name) and not self._practice.treatment(name):
            self._name = name.strip(" .").title()

    def _pick(self, words: str) -> time | None:
        """The offered time that `the last one` means."""
        places = [place for word, place in _PLACES.items() if word in words.lower()]
        if not places or not self._offered:
            return None
        return self._offered[min(places[0], len(self._offered) - 1)]

    def _write(self, day: date, at: time, patient: str) -> ToolReply:
        if not self._practice.book(day, at, patient):
            return self._refuse(day, at, self._practice.free(day, self._now()))
        self._booked = (day, at, patient)
        self._day, self._time, self._name = None, None, ""
        return _booked(day, at, patient)

    def _refuse(self, day: date, at: time, free: list[time]) -> ToolReply:
        self._time = None
        taken = f"{say_time(at)} {say_on(day, self._now().date())} is not free."
        self._offered = nearest(free, at, _OFFERS - 1)
        near = [say_time(other) for other in self._offered]
        instead = f" I could do {say_list(near, 'or')}." if near else ""
        return ToolReply(taken + instead, {"booked": False, "free": [*near]})

    def _nothing_free(self, day: date, part: str) -> ToolReply:
        now = self._now()
        on = say_on(day, now.date())
        if self._practice.hours(day) is None:
            why = f"We are closed {on}."
        else:
            why = f"Nothing is free {on}{'' if part == 'any' else f' in the {part}'}."
        later = self._practice.next_free_day(day, now)
        if later is None:
            return ToolReply(f"{why} I can only book two weeks ahead.", {"free": []})
        self._day, self._time = later, None
        offer = self._offer(later, self._practice.free(later, now))
        return ToolReply(f"{why} {offer.say}", offer.data)

    def _offer(self, day: date, times: list[time]) -> ToolReply:
        self._offered = spread(times, _OFFERS)
        on = say_on(day, self._now().date())
        return ToolReply(
            f"{on[0].upper()}{on[1:]} I have {say_list([say_time(at) for at in self._offered])}.",
            {"day": day.isoformat(), "free": [say_time(at) for at in times]},
        )

    def _next_free_day(self, now: datetime) -> date | None:
        return self._practice.next_free_day(now.date() - timedelta(days=1), now)


def open_tools(state_dir: Path) -> Sequence[ToolFunction]:
    """Make the tools of one call over the file in `state_dir`."""
    practice = Practice(state_dir / "practice.sqlite3")
    practice.open(datetime.now().date())
    desk = Desk(practice, datetime.now)
    return (desk.opening_hours, desk.price, desk.free_slots, desk.book)


def _believed(words: str, heard: Heard) -> str:
    """`words`, unless the caller never said them: small models fill in names and times."""
    return words if was_said(words, heard) else ""


def _day_words(words: str, heard: Heard) -> str:
    """The words that name the day: the caller's last ones, where the model left it out."""
    return _believed(words, heard) or (heard[-1] if heard else "")


def _sure_time(heard: Heard) -> str:
    """The caller's last words, if they name a time of day."""
    return heard[-1] if heard and names_time(heard[-1]) else ""


def _booked(day: date, at: time, patient: str) -> ToolReply:
    return ToolReply(
        f"You are booked for {say_date(day)} at {say_time(at)}, under {patient}.",
        {"booked": True, "day": day.isoformat(), "time": say_time(at), "name": patient},
    )


def _in_part(at: time, part: str) -> bool:
    return part == "any" or (at < _NOON) == (part == "morning")


def _week_sentence(week: list[tuple[time, time] | None]) -> str:
    runs = [
        (hours, [number for number, _ in group])
        for hours, group in groupby(enumerate(week), key=lambda numbered: numbered[1])
    ]
    parts = [
        f"{_days(numbers)} from {say_time(hours[0])} to {say_time(hours[1])}"
        for hours, numbers in runs
        if hours
    ]
    return f"We are open {say_list(parts)}."


def _days(numbers: list[int]) -> str:
    first, last = WEEKDAYS[numbers[0]].capitalize(), WEEKDAYS[numbers[-1]].capitalize()
    return first if first == last else f"{first} to {last}"
