"""Dates and times become words."""

from __future__ import annotations

import pytest

from processors.wording.moments import moments

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("9:30 9:05 9:00", "nine thirty nine oh five nine o'clock"),
        ("14:00 14:30 00:15 12:00", "two PM two thirty PM twelve fifteen AM twelve o'clock"),
        ("9 am, 9am, 9 a.m. or 9:30 PM", "nine AM, nine AM, nine AM or nine thirty PM"),
        ("It closes at 5 p.m.", "It closes at five PM."),
        ("at 5 p.m. We", "at five PM. We"),
        ("9:00-17:00", "nine AM to five PM"),
        ("9am - 5pm", "nine AM to five PM"),
        ("from 9:00 to 10:30", "from nine to ten thirty"),
        ("25:00 9:75 13 pm", "25:00 9:75 13 pm"),
        ("9 to 5", "9 to 5"),
        ("2026-11-23", "the twenty-third of November twenty twenty-six"),
        ("2026-11-23T14:00:00Z", "the twenty-third of November twenty twenty-six at two PM"),
        ("2026-13-40", "2026-13-40"),
        ("11/23/2026", "the twenty-third of November twenty twenty-six"),
        ("23/11/2026", "the twenty-third of November twenty twenty-six"),
        ("3/4/26", "the fourth of March twenty twenty-six"),
        ("23.11.2026", "the twenty-third of November twenty twenty-six"),
        ("23 November", "the twenty-third of November"),
        ("the 23rd of Nov. at", "the twenty-third of November at"),
        ("5 May 2026", "the fifth of May twenty twenty-six"),
        ("November 23, Nov 23rd, Sept. 3, 2026",
         "November twenty-third, November twenty-third, September third, twenty twenty-six"),
        ("November 24 at 10:15", "November twenty-fourth at ten fifteen"),
        ("23-25 November", "the twenty-third to the twenty-fifth of November"),
        ("November 2026", "November twenty twenty-six"),
        ("Mon-Fri, Sat 9:00", "Monday to Friday, Saturday nine o'clock"),
        ("The sun sat. Monday", "The sun sat. Monday"),
        ("May 40 and 45 May", "May 40 and 45 May"),
    ],
)  # fmt: skip
def test_says(written: str, said: str) -> None:
    assert " ".join(moments(written).split()) == said
