"""Numbers as they are said in English: plain ones, ordinals, decimals, years, measures."""

from __future__ import annotations

import re
from functools import lru_cache

from num2words import num2words  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

_MOST_DIGITS = 12
"""A longer number is a code: nobody says it as a quantity."""
_UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"),
    "mph": ("mile per hour", "miles per hour"),
    "km": ("kilometer", "kilometers"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "mi": ("mile", "miles"),
    "ft": ("foot", "feet"),
    "yd": ("yard", "yards"),
    "kg": ("kilogram", "kilograms"),
    "mg": ("milligram", "milligrams"),
    "lbs": ("pound", "pounds"),
    "lb": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "ml": ("milliliter", "milliliters"),
    "min": ("minute", "minutes"),
    "mins": ("minute", "minutes"),
    "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"),
    "sec": ("second", "seconds"),
    "secs": ("second", "seconds"),
    "ms": ("millisecond", "milliseconds"),
    "GB": ("gigabyte", "gigabytes"),
    "MB": ("megabyte", "megabytes"),
    "kB": ("kilobyte", "kilobytes"),
    "KB": ("kilobyte", "kilobytes"),
    "kHz": ("kilohertz", "kilohertz"),
    "Hz": ("hertz", "hertz"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
    "%": ("percent", "percent"),
    "m": ("meter", "meters"),
    "g": ("gram", "grams"),
    "l": ("liter", "liters"),
    "L": ("liter", "liters"),
    "h": ("hour", "hours"),
    "s": ("second", "seconds"),
}
_ATTACHED = frozenset("mglLhs")
"""Units that are also letters: they must touch their number."""
_QUANTITY = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_UNIT = re.compile(
    rf"(?<![\w.])({_QUANTITY})(\s?)("
    + "|".join(map(re.escape, sorted(_UNITS, key=len)[::-1]))
    + r")"
    r"(?!\w)(?:\.(?=\s+[a-z]))?"
)
_FRACTION = re.compile(r"(?<![\w/.])(?:(\d+)\s+)?(\d{1,2})\s?/\s?(\d{1,3})(?![\w/])")
_PARTS = {2: "half", 3: "third", 4: "quarter", 8: "eighth"}
_ORDINAL = re.compile(r"(?<![\w.])(\d{1,9})(?:st|nd|rd|th)(?!\w)")
_DECADE = re.compile(r"(?<![\w.])'?((?:\d\d)?\d0)'?s(?!\w)")
_RANGE = re.compile(r"(?<![\w.,-])(\d(?:[\d,.]*\d)?)\s?-\s?(?=\d[\d,.]*(?![\w-]))")
_TIMES = re.compile(r"(?<=\d)\s?x\s?(?=\d)")
_SIGNS = {"+": "plus", "*": "times", "÷": "divided by", "=": "equals"}
_SUM = re.compile(r"(?<=\d)\s?([+*÷=])\s?(?=[\d-])")
_MINUS = re.compile(r"(?<![\w)-])-(?=\d)")
_DIGITWISE = re.compile(
    r"\b((?:pin|code|reference|ref|confirmation|account|order|booking|ticket|extension|ext|zip|call"
    r"|dial|ring)(?:\.?\s+(?:code|number|no\.?|is)){0,3}\.?\s*[:#]?\s*)(\d{3,})(?![\w,.:/-]*\d)",
    re.I,
)
_HASH = re.compile(r"#\s?(?=\d)")
_HEIGHT = re.compile(r"(?<![\w.])(\d)'\s?(\d{1,2})\"")
_NUMBER_SIGN = re.compile(r"\b[Nn]os?\.\s*(?=\d)")
_VERSION = re.compile(r"(?<![\d.])\d+(?:\.\d+){2,}")
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?|\d+(?:\.\d+)?")


@lru_cache(maxsize=1024)
def cardinal(number: int) -> str:
    """How many: 123 is "one hundred and twenty-three"."""
    return _said(number, "cardinal")


@lru_cache(maxsize=1024)
def ordinal(number: int) -> str:
    """Which one: 23 is "twenty-third"."""
    return _said(number, "ordinal")


@lru_cache(maxsize=1024)
def year(number: int) -> str:
    """A year: 2026 is "twenty twenty-six"."""
    return _said(number, "year")


def digits(text: str) -> str:
    """The digits in `text`, one by one."""
    return " ".join(cardinal(int(digit)) for digit in text if digit.isdecimal())


def quantity(text: str) -> str:
    """A number as written: `1,200.50` is "one thousand two hundred point five zero"."""
    whole, _, fraction = text.replace(",", "").partition(".")
    is_code = len(whole) > _MOST_DIGITS or (len(whole) > 1 and whole.startswith("0"))
    said = digits(whole) if is_code else cardinal(int(whole or 0))
    return f"{said} point {digits(fraction)}" if fraction else said


def is_one(text: str) -> bool:
    """Whether what is counted stands in the singular."""
    return text == "1"


def numerals(text: str) -> str:
    """Every digit of `text` as words. Dates, times, prices and telephones come before."""
    text = _DIGITWISE.sub(lambda found: found[1] + digits(found[2]), text)
    text = _HASH.sub(" number ", _NUMBER_SIGN.sub("number ", text))
    text = _HEIGHT.sub(r"\1 foot \2", text)
    text = _FRACTION.sub(_fraction, text)
    text = _ORDINAL.sub(lambda found: ordinal(int(found[1])), text)
    text = _DECADE.sub(_decade, text)
    text = _RANGE.sub(r"\1 to ", text)
    text = _UNIT.sub(_measure, text)
    text = _TIMES.sub(" by ", text)
    text = _SUM.sub(lambda found: f" {_SIGNS[found[1]]} ", text)
    text = _MINUS.sub(" minus ", text)
    text = _VERSION.sub(_version, text)
    return _NUMBER.sub(_plain, text)


def _said(number: int, form: str) -> str:
    return str(num2words(number, to=form)).replace(",", "")


def _plain(found: re.Match[str]) -> str:
    text = found[0]
    is_year = len(text) == 4 and text.isdecimal() and 1900 <= int(text) <= 2099
    return _apart(year(int(text)) if is_year else quantity(text), found)


def _version(found: re.Match[str]) -> str:
    return _apart(" point ".join(map(quantity, found[0].split("."))), found)


def _apart(said: str, found: re.Match[str]) -> str:
    """What was stuck to letters stands apart from them."""
    before, after = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    return f"{' ' if before.isalnum() else ''}{said}{' ' if after.isalnum() else ''}"


def _fraction(found: re.Match[str]) -> str:
    whole, over, under = found[1], int(found[2]), int(found[3])
    if under in _PARTS and 0 < over < under:
        part = _PARTS[under]
        plural = "halves" if part == "half" else f"{part}s"
        said = f"{cardinal(over)} {part if over == 1 else plural}"
        return f"{quantity(whole)} and {said}" if whole else said
    all_day = (over, under) == (24, 7)
    said = "twenty-four seven" if all_day else f"{cardinal(over)} out of {cardinal(under)}"
    return f"{quantity(whole)} {said}" if whole else said


def _decade(found: re.Match[str]) -> str:
    number = int(found[1])
    said = year(number) if number > 100 else cardinal(number)
    return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"


def _measure(found: re.Match[str]) -> str:
    number, space, unit = found[1], found[2], found[3]
    if unit in _ATTACHED and space:
        return found[0]
    return f"{quantity(number)} {_UNITS[unit][0 if is_one(number) else 1]}"
