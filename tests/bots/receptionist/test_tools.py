from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path

import pytest

from bots.receptionist.practice import Practice
from bots.receptionist.tools import Desk, open_tools
from bots.toolkit import Tool, ToolReply

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 20, 8)  # A Friday.
MONDAY = date(2026, 11, 23)


@pytest.fixture
def practice(tmp_path: Path) -> Practice:
    made = Practice(tmp_path / "practice.sqlite3")
    made.open(NOW.date())
    return made


@pytest.fixture
def desk(practice: Practice) -> Desk:
    return Desk(practice, lambda: NOW)


async def book(desk: Desk, said: str, **arguments: str) -> ToolReply:
    return await desk.book(**arguments, heard=(said,))


def test_the_tools_of_a_call(tmp_path: Path) -> None:
    tools = open_tools(tmp_path / "new" / "folder")
    assert [Tool(tool).name for tool in tools] == ["opening_hours", "price", "free_slots", "book"]


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("", "We are open Monday to Thursday from 9 AM to 6 PM and Friday from 9 AM to 2 PM."),
        ("today", "We are open today from 9 AM to 2 PM."),
        ("tomorrow", "We are closed tomorrow."),
        ("sundays", "We are closed on Sunday."),
        ("tuesday", "We are open on Tuesday from 9 AM to 6 PM."),
    ],
)
async def test_hours(desk: Desk, day: str, said: str) -> None:
    assert (await desk.opening_hours(day, heard=(f"Are you open {day}?",))).say == said


async def test_a_day_that_the_model_left_out_is_taken_from_the_callers_words(desk: Desk) -> None:
    reply = await desk.opening_hours("", heard=("Hello.", "And on Sunday?"))
    assert reply.say == "We are closed on Sunday."


async def test_a_day_that_nobody_said_is_not_believed(desk: Desk) -> None:
    reply = await desk.opening_hours("sunday", heard=("When are you open?",))
    assert reply.say.startswith("We are open Monday to Thursday")


async def test_prices(desk: Desk) -> None:
    assert (await desk.price("a cleaning")).say == "A cleaning is 85 dollars."
    assert (await desk.price("x-ray")).say == "An x-ray is 40 dollars."
    assert (await desk.price("braces")).say.startswith("I have no price for that.")


async def test_free_slots_of_a_day_and_a_part_of_it(desk: Desk) -> None:
    monday = await desk.free_slots("monday", heard=("monday",))
    morning = await desk.free_slots("monday", "morning", heard=("monday morning",))
    assert monday.say.startswith("On Monday I have 10 AM, ")
    assert "PM" not in morning.say


async def test_asking_for_one_time_is_the_beginning_of_a_booking(desk: Desk) -> None:
    reply = await desk.free_slots("monday", heard=("Is half past one on Monday possible?",))
    assert reply.say == "1:30 PM on Monday is free. What name shall I put it under?"
    then = await book(desk, "Anna Bell.", name="Anna Bell")
    assert then.say == "You are booked for Monday the 23rd at 1:30 PM, under Anna Bell."


async def test_a_closed_day_leads_to_the_next_open_one(desk: Desk) -> None:
    reply = await desk.free_slots("saturday", heard=("saturday",))
    assert reply.say.startswith("We are closed tomorrow. On Monday I have ")


async def test_beyond_two_weeks_nothing_can_be_booked(desk: Desk) -> None:
    reply = await desk.free_slots("december 24", heard=("the 24th of december",))
    assert reply.say.endswith("I can only book two weeks ahead.")


async def test_booking_in_one_go(desk: Desk, practice: Practice) -> None:
    said = "Monday at ten for Anna Bell."
    reply = await book(desk, said, day="monday", time="ten", name="anna bell")
    assert reply.say == "You are booked for Monday the 23rd at 10 AM, under Anna Bell."
    assert time(10) not in practice.free(MONDAY, NOW)


async def test_booking_asks_for_what_is_missing(desk: Desk) -> None:
    said = [
        await book(desk, "I need an appointment."),
        await book(desk, "On Monday.", day="monday"),
        await book(desk, "The last one.", time="last one"),
        await book(desk, "Anna Bell.", name="Anna Bell"),
    ]
    assert [reply.say for reply in said] == [
        "Which day would you like to come?",
        "On Monday I have 10 AM, 1:30 PM and 4:30 PM.",
        "4:30 PM on Monday is free. What name shall I put it under?",
        "You are booked for Monday the 23rd at 4:30 PM, under Anna Bell.",
    ]


async def test_nobody_is_booked_under_a_name_that_was_not_said(desk: Desk) -> None:
    reply = await book(desk, "Monday at ten.", day="monday", time="ten", name="Paul Wood")
    assert reply.say.endswith("What name shall I put it under?")


async def test_a_treatment_is_not_a_name(desk: Desk) -> None:
    said = "A cleaning on Monday at ten."
    reply = await book(desk, said, day="monday", time="ten", name="cleaning")
    assert reply.say.endswith("What name shall I put it under?")


async def test_a_taken_slot_is_refused_and_the_nearest_offered(
    desk: Desk, practice: Practice
) -> None:
    practice.book(MONDAY, time(10), "Somebody Else")
    said = "Monday at ten for Anna Bell."
    reply = await book(desk, said, day="monday", time="ten", name="Anna Bell")
    assert reply.say == "10 AM on Monday is not free. I could do 10:30 AM or 11:30 AM."
    then = await book(desk, "Ten thirty.", time="ten thirty")
    assert then.data["booked"] is True


async def test_a_slot_outside_the_hours_is_refused(desk: Desk) -> None:
    reply = await book(desk, "Monday at seven pm.", day="monday", time="seven pm")
    assert reply.say.startswith("7 PM on Monday is not free. I could do ")


async def test_a_booking_that_is_asked_for_again_is_read_back(
    desk: Desk, practice: Practice
) -> None:
    said = "Monday at ten for Anna Bell."
    first = await book(desk, said, day="monday", time="ten", name="Anna Bell")
    before = practice.free(MONDAY, NOW)
    again = await book(desk, said, day="monday", time="ten", name="Anna Bell")
    assert (again, practice.free(MONDAY, NOW)) == (first, before)


async def test_a_second_booking_asks_for_its_own_name(desk: Desk) -> None:
    await book(desk, "Monday at ten for Anna Bell.", day="monday", time="ten", name="Anna Bell")
    reply = await book(desk, "And Tuesday at 1:30.", day="tuesday", time="1:30")
    assert "Anna" not in reply.say
