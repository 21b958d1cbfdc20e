"""Sums of money as they are said."""

from __future__ import annotations

import re
from typing import NamedTuple

from processors.wording.numerals import cardinal, quantity


class _Currency(NamedTuple):
    one: str
    many: str
    cent: str
    cents: str


_DOLLAR = _Currency("dollar", "dollars", "cent", "cents")
_POUND = _Currency("pound", "pounds", "penny", "pence")
_EURO = _Currency("euro", "euros", "cent", "cents")
_YEN = _Currency("yen", "yen", "", "")
_RUPEE = _Currency("rupee", "rupees", "paisa", "paise")
_FRANC = _Currency("franc", "francs", "centime", "centimes")
_CURRENCIES = {
    "$": _DOLLAR, "£": _POUND, "€": _EURO, "¥": _YEN, "₹": _RUPEE,
    "US$": _DOLLAR, "USD": _DOLLAR, "CAD": _DOLLAR, "AUD": _DOLLAR, "GBP": _POUND, "EUR": _EURO,
    "JPY": _YEN, "INR": _RUPEE, "CHF": _FRANC,
}  # fmt: skip
_SCALES = {
    "k": "thousand", "m": "million", "bn": "billion", "b": "billion", "thousand": "thousand",
    "million": "million", "billion": "billion", "trillion": "trillion",
}  # fmt: skip
_SIGN = r"US\$|[$£€¥₹]"
_CODE = r"(?:USD|CAD|AUD|GBP|EUR|JPY|INR|CHF)\b"
_AMOUNT = r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d{1,2}(?!\d))?|\d+\.\d+)"
_SCALE = r"(?:\s?(k|bn|[mb]|thousand|million|billion|trillion)(?!\w))?"
_PER = r"(\s?/\s?(?=[a-z]))?"
_BEFORE = re.compile(
    rf"(-)?((?:{_SIGN})\s?|\b{_CODE}\s?){_AMOUNT}{_SCALE}"
    rf"(?:\s?-\s?(?:{_SIGN})?\s?{_AMOUNT}{_SCALE})?{_PER}",
    re.I,
)
_AFTER = re.compile(
    rf"(?<![\w.,])(?:{_AMOUNT}{_SCALE}\s?-\s?)?{_AMOUNT}{_SCALE}\s?((?:{_SIGN})(?!\d)|{_CODE}){_PER}"
)


def prices(text: str) -> str:
    """Sums of money in `text` as words."""
    text = _BEFORE.sub(_before, text)
    return _AFTER.sub(_after, text)


def _before(found: re.Match[str]) -> str:
    minus, sign, amount, scale, until, until_scale, _ = found.groups()
    currency = _CURRENCIES[sign.strip().upper()]
    said = _sum(amount, scale or (until_scale if until else None), currency)
    if until:
        said = f"{_bare(said, currency)} to {_sum(until, until_scale, currency)}"
    return _spaced(f"{'minus ' if minus else ''}{said}", found)


def _after(found: re.Match[str]) -> str:
    low, low_scale, amount, scale, sign, _ = found.groups()
    currency = _CURRENCIES[sign.upper()]
    said = _sum(amount, scale, currency)
    if low:
        said = f"{_bare(_sum(low, low_scale or scale, currency), currency)} to {said}"
    return _spaced(said, found)


def _sum(amount: str, scale: str | None, currency: _Currency) -> str:
    number = (
        amount if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", amount) else amount.replace(",", ".")
    )
    number = number.replace(",", "")
    if scale:
        return f"{quantity(number)} {_SCALES[scale.lower()]} {currency.many}"
    whole, _, fraction = number.partition(".")
    unit = currency.one if whole == "1" else currency.many
    if len(fraction) > 2 or (fraction and not currency.cents):
        return f"{quantity(number)} {currency.many}"
    cents = int(fraction.ljust(2, "0")) if fraction else 0
    if not cents:
        return f"{quantity(whole)} {unit}"
    coins = f"{cardinal(cents)} {currency.cent if cents == 1 else currency.cents}"
    if int(whole) == 0:
        return coins
    if cents < 10:
        return f"{quantity(whole)} {unit} and {coins}"
    return f"{quantity(whole)} {unit} {cardinal(cents)}"


def _bare(said: str, currency: _Currency) -> str:
    """The lower end of a range: its unit is said at the upper end."""
    return re.sub(rf" (?:{currency.one}|{currency.many})$", "", said)


def _spaced(said: str, found: re.Match[str]) -> str:
    """A sum keeps its distance from its neighbours; `/hour` behind it is "per hour"."""
    before, after = found.string[: found.start()], found.string[found.end() :]
    if found.groups()[-1]:
        said = f"{said} per "
    ahead = " " if before[-1:].isalnum() else ""
    return f"{ahead}{said}{' ' if after[:1].isalnum() else ''}"
