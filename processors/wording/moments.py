"""Dates and times of day as they are said."""

from __future__ import annotations

import re
from dataclasses import dataclass

from processors.wording.numerals import cardinal, ordinal, year

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_SHORT = {name[:3]: name for name in _MONTHS} | {name: name for name in _MONTHS}
_SHORT["Sept"] = "September"
_DAYS = {
    "Mon": "Monday", "Tue": "Tuesday", "Tues": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday",
    "Thur": "Thursday", "Thurs": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday",
}  # fmt: skip

_MONTH = "(" + "|".join(sorted(_SHORT, key=len, reverse=True)) + r")(?![a-z])\.?"
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?(?!\w)"
_TO_DAY = r"(?:\s?-\s?(\d{1,2})(?:st|nd|rd|th)?(?!\w))?"
_YEAR = r"(\d{4})(?![\w:-])(?!\.\d)"
_ISO = re.compile(
    r"(?<![\w-])(\d{4})-(\d\d)-(\d\d)(?![\d-])"
    r"(?:[T ](\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?(?!\w))?"
)
_SLASHED = re.compile(r"(?<![\w/])(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)(?![\w/])")
_DOTTED = re.compile(r"(?<![\w.])(\d{1,2})\.(\d{1,2})\.(\d{4})(?![\w.]\d)(?!\d)")
_DAY_MONTH = re.compile(
    rf"\b([Tt]he\s+)?(?<![\d.,:/-]){_DAY}{_TO_DAY}(?:\s+of)?\s+{_MONTH}(?:,?\s+{_YEAR})?"
)
_MONTH_DAY = re.compile(rf"\b{_MONTH}\s+{_DAY}(?!:\d){_TO_DAY}(?:,?\s+{_YEAR})?")
_MONTH_YEAR = re.compile(rf"\b{_MONTH}\s+{_YEAR}")
_WEEKDAY = "(" + "|".join(sorted(_DAYS, key=len, reverse=True)) + r")(?![a-z])\.?"
_WEEKDAYS = re.compile(rf"\b{_WEEKDAY}\s?(?:-|to)\s?{_WEEKDAY}")
_WEEKDAY_ALONE = re.compile(
    r"\b(?:(Mon|Tues?|Wed|Thu(?:rs?)?|Fri)(?![a-z])\.?|(Sat|Sun)(?:\.|(?=,?\s+\d)))"
)

_CLOCK = r"(\d{1,2})(?::([0-5]\d))?(?::[0-5]\d)?(?:\s?([ap])(?:m\b|\.\s?m\b\.?))?"
_CLOCKS = re.compile(
    rf"(?<![\w:.,/-])(?<!\d\s-){_CLOCK}(?:(\s?-\s?|\s+(?:to|until|till)\s+){_CLOCK})?(?![\w:%])",
    re.I,
)


@dataclass(frozen=True)
class _Clock:
    hour: int
    minute: int | None
    half: str
    """`a`, `p`, or empty where the time does not say."""

    @property
    def is_time(self) -> bool:
        written_whole = self.minute is not None or bool(self.half)
        return written_whole and self.hour <= (12 if self.half else 24)

    @property
    def is_afternoon(self) -> bool:
        return self.half == "p" or 13 <= self.hour <= 23

    def said(self, *, half: str = "", alone: bool = True) -> str:
        """The time; `half` of the day if it says none itself, "o'clock" if it stands alone."""
        half = self.half or half
        if not half and (self.hour >= 13 or (self.hour == 0 and self.minute is not None)):
            half = "p" if 13 <= self.hour <= 23 else "a"
        words = [cardinal(self.hour % 12 or 12)]
        if self.minute:
            words += ["oh"] * (self.minute < 10) + [cardinal(self.minute)]
        elif alone and not half:
            words.append("o'clock")
        return " ".join([*words, f"{half.upper()}M"] if half else words)


def moments(text: str) -> str:
    """Dates, weekdays and times of day in `text` as words."""
    text = _ISO.sub(_iso, text)
    text = _SLASHED.sub(_slashed, text)
    text = _DOTTED.sub(lambda found: _date(found, (found[3], found[2], found[1])), text)
    text = _DAY_MONTH.sub(_day_month, text)
    text = _MONTH_DAY.sub(_month_day, text)
    text = _MONTH_YEAR.sub(lambda found: f"{_SHORT[found[1]]} {year(int(found[2]))}", text)
    text = _WEEKDAYS.sub(lambda f: f"{_DAYS[f[1]]} to {_DAYS[f[2]]}" + _stop(f), text)
    text = _WEEKDAY_ALONE.sub(lambda f: _DAYS[f[1] or f[2]] + _stop(f), text)
    return _CLOCKS.sub(_clocks, text)


def _date(found: re.Match[str], date: tuple[str, str, str]) -> str:
    """Year, month and day as words; as it was if there is no such day."""
    number, month, day = (int(part) for part in date)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return found[0]
    number += 2000 if number < 100 else 0
    return f"the {ordinal(day)} of {_MONTHS[month - 1]} {year(number)}"


def _iso(found: re.Match[str]) -> str:
    said = _date(found, (found[1], found[2], found[3]))
    return said if said == found[0] or not found[4] else f"{said} at {found[4]}"


def _slashed(found: re.Match[str]) -> str:
    """Month first, as Americans write it, unless only the other reading is a date."""
    first, second = found[1], found[2]
    month, day = (second, first) if int(first) > 12 else (first, second)
    return _date(found, (found[3], month, day))


def _day_month(found: re.Match[str]) -> str:
    article, day, until, month, number = found.groups()
    if not _are_days(day, until):
        return found[0]
    days = (article or "the ") + ordinal(int(day))
    days += f" to the {ordinal(int(until))}" if until else ""
    return f"{days} of {_SHORT[month]}" + (f" {year(int(number))}" if number else "") + _stop(found)


def _month_day(found: re.Match[str]) -> str:
    month, day, until, number = _SHORT[found[1]], found[2], found[3], found[4]
    if not _are_days(day, until):
        return found[0]
    days = ordinal(int(day)) + (f" to {ordinal(int(until))}" if until else "")
    return f"{month} {days}" + (f", {year(int(number))}" if number else "")


def _are_days(day: str, until: str | None) -> bool:
    return 1 <= int(day) <= 31 and 1 <= int(until or 1) <= 31


def _clocks(found: re.Match[str]) -> str:
    first = _Clock(int(found[1]), _number(found[2]), (found[3] or "").lower())
    if not found[4]:
        return first.said() + _stop(found) if first.is_time else found[0]
    second = _Clock(int(found[5]), _number(found[6]), (found[7] or "").lower())
    if not second.is_time or not (first.is_time or first.hour <= 12):
        return found[0]
    half = "a" if second.is_afternoon and second.hour > 12 and first.hour < 12 else ""
    return f"{first.said(half=half, alone=False)} to {second.said(alone=False)}" + _stop(found)


def _number(text: str | None) -> int | None:
    return int(text) if text else None


def _stop(found: re.Match[str]) -> str:
    """The full stop that an abbreviation shared with the end of its sentence."""
    rest = found.string[found.end() :]
    ends = not rest.strip() or re.match(r"\s+[A-Z]", rest)
    return "." if found[0].endswith(".") and ends else ""
