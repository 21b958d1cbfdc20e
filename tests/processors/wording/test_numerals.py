"""Digits become words."""

from __future__ import annotations

import pytest

from processors.wording.numerals import numerals

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("0 1 12 123", "zero one twelve one hundred and twenty-three"),
        ("1,234,567",
         "one million two hundred and thirty-four thousand five hundred and sixty-seven"),
        ("3.14 0.5", "three point one four zero point five"),
        ("-5 and 3 - 5", "minus five and three to five"),
        ("007 and 0123456789012",
         "zero zero seven and zero one two three four five six seven eight nine zero one two"),
        ("1st 2nd 3rd 11th 23rd", "first second third eleventh twenty-third"),
        ("in 1999 and 2026", "in nineteen ninety-nine and twenty twenty-six"),
        ("the 1990s, the 80s", "the nineteen nineties, the eighties"),
        ("5-10 minutes", "five to ten minutes"),
        ("50% 12.5 %", "fifty percent twelve point five percent"),
        ("1 km 2km 5 m 5m", "one kilometer two kilometers five m five meters"),
        ("20°C 100 km/h", "twenty degrees Celsius one hundred kilometers per hour"),
        ("1/2 3/4 1 1/2 9/10 24/7",
         "one half three quarters one and one half nine out of ten twenty-four seven"),
        ("3x4 2 + 3 = 5", "three by four two plus three equals five"),
        ("v1.2.3", "v one point two point three"),
        ("MP3 B2B", "MP three B two B"),
        ("#1 No. 5", "number one number five"),
        ("PIN 4821, code is 007", "PIN four eight two one, code is zero zero seven"),
        ("call 911", "call nine one one"),
        ("5'10\"", "five foot ten"),
        ("no digits", "no digits"),
    ],
)  # fmt: skip
def test_says(written: str, said: str) -> None:
    assert " ".join(numerals(written).split()) == said
