"""Days and times as people say them."""

from __future__ import annotations

import re
from datetime import date, time, timedelta

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
)  # fmt: skip
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12,
    "twentieth": 20, "thirtieth": 30,
}  # fmt: skip
_FIRST_AFTERNOON_HOUR = 8
"""Said without morning or afternoon, `at two` is 14:00 and `at eight` is 8:00."""
_CLOCK = re.compile(
    r"\b(?:(half past|half|quarter past|quarter to) )?(\d{1,2})(?:(?:[:.]| )([0-5]\d))?"
    r"(?: ?(?:o'?clock))?(?: ?(a|p)\.?m\b\.?)?"
)
_SURE_TIME = re.compile(
    r"\b(at|half|half past|quarter past|quarter to) \d|\d (o'?clock)\b|\d ?[ap]\.?m\b|\d[:.]\d\d\b"
)
_BOUND = re.compile(r"\b(after|before|from|until|between|later|earlier)\b")
_MINUTES = {"half past": 30, "half": 30, "quarter past": 15, "quarter to": -15}


def resolve_day(words: str, today: date) -> date | None:
    """The day that `words` mean when said on `today`; None if they name no day."""
    said = words.lower()
    if "weekend" in said:
        return _weekday(5, today, next_week=False)
    if "day after tomorrow" in said:
        return today + timedelta(days=2)
    if said.strip() == "next week":
        return _weekday(0, today, next_week=True)
    for name, days in (("today", 0), ("tonight", 0), ("this afternoon", 0), ("tomorrow", 1)):
        if name in said:
            return today + timedelta(days=days)
    if iso := re.search(r"\b\d{4}-\d{2}-\d{2}\b", said):
        return _iso(iso.group())
    for number, name in enumerate(WEEKDAYS):
        if re.search(rf"\b{name[:3]}({name[3:]})?s?\b", said):
            return _weekday(number, today, next_week="next week" in said)
    return _day_of_month(_digits(said), today)


def resolve_time(words: str) -> time | None:
    """The time of day that `words` mean within office hours; None if they name none."""
    said = _digits(re.sub(r"\b(noon|midday)\b", "12", words.lower()))
    found = _CLOCK.search(said)
    if not found:
        return None
    relation, hour_digits, minute_digits, half = found.groups()
    hour = int(hour_digits)
    if half == "a":
        hour %= 12
    minutes = hour * 60 + int(minute_digits or 0) + _MINUTES.get(relation, 0)
    afternoon = half == "p" or "afternoon" in said or "evening" in said
    if hour < 12 and (afternoon or (half != "a" and hour < _FIRST_AFTERNOON_HOUR)):
        minutes += 12 * 60
    if not 0 <= minutes < 24 * 60:
        return None
    return time(minutes // 60, minutes % 60)


def names_time(words: str) -> bool:
    """Whether `words` surely name one time of day: not two people, not anything after four."""
    said = _digits(words.lower())
    return bool(_SURE_TIME.search(said)) and not _BOUND.search(said)


def is_name(words: str) -> bool:
    """Whether `words` can be a person's name: letters, and neither a number nor a day."""
    said = _digits(words.lower())
    day = any(name in said for name in (*WEEKDAYS, "today", "tomorrow"))
    return bool(re.search("[a-z]", said)) and not day and not re.search(r"\d", said)


def was_said(words: str, heard: tuple[str, ...]) -> bool:
    """Whether all of `words` occur in what was heard, numbers in either spelling."""
    spoken = {word for line in heard for word in _words(line)}
    return all(word in spoken for word in _words(words))


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+|\d+", _digits(text.lower()))


def say_date(day: date) -> str:
    """`day` with its date: `Monday the 24th`."""
    return f"{WEEKDAYS[day.weekday()].capitalize()} the {_ordinal(day.day)}"


def say_on(day: date, today: date) -> str:
    """`day` as short as it is clear: `today`, `tomorrow`, `on Monday`, `on Monday the 24th`."""
    ahead = (day - today).days
    if ahead in (0, 1):
        return ("today", "tomorrow")[ahead]
    near = 0 < ahead < len(WEEKDAYS)
    return f"on {WEEKDAYS[day.weekday()].capitalize() if near else say_date(day)}"


def say_time(at: time) -> str:
    """`at` in twelve-hour form: `9 AM`, `2:30 PM`."""
    hour = at.hour % 12 or 12
    minutes = f":{at.minute:02}" if at.minute else ""
    return f"{hour}{minutes} {'AM' if at.hour < 12 else 'PM'}"


def say_list(items: list[str], joint: str = "and") -> str:
    """`a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {joint} {items[-1]}"


def _iso(digits: str) -> date | None:
    try:
        return date.fromisoformat(digits)
    except ValueError:
        return None


def _weekday(number: int, today: date, *, next_week: bool) -> date:
    if next_week:
        return today + timedelta(days=7 - today.weekday() + number)
    return today + timedelta(days=(number - today.weekday()) % 7 or 7)


def _day_of_month(said: str, today: date) -> date | None:
    month = next((n for n, name in enumerate(_MONTHS, 1) if re.search(rf"\b{name}\b", said)), None)
    # Without a month, `the first` may be the first of anything.
    found = re.search(r"\b(\d{1,2})" if month else r"\bthe (\d{1,2})[a-z]{2}[.!?]*$", said)
    if not found:
        return None
    ahead = (today + timedelta(days=days) for days in range(366))
    number = int(found.group(1))
    return next((day for day in ahead if day.day == number and month in (None, day.month)), None)


def _digits(said: str) -> str:
    """Replace number words by digits: `half past two` to `half past 2`, `third` to `3rd`."""
    said = re.sub(r"\b(twenty|thirty|forty|fifty)[ -](\w+)\b", _tens, said)
    said = said.replace("thirty", "30").replace("forty", "40").replace("fifty", "50")
    return re.sub(r"[a-z]+", lambda found: _number(found.group()), said)


def _tens(found: re.Match[str]) -> str:
    tens = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}[found.group(1)]
    ones = re.match(r"(\d)(\D*)$", _number(found.group(2)))
    return f"{tens + int(ones.group(1))}{ones.group(2)}" if ones else f"{tens} {found.group(2)}"


def _number(word: str) -> str:
    if word in _NUMBERS:
        return str(_NUMBERS.index(word))
    if word in _ORDINALS:
        return f"{_ORDINALS[word]}th"
    if word.endswith("th") and word[:-2] in _NUMBERS:
        return f"{_NUMBERS.index(word[:-2])}th"
    return word


def _ordinal(number: int) -> str:
    ending = (
        "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{ending}"
