"""Sums of money become words."""

from __future__ import annotations

import pytest

from processors.wording.prices import prices

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("$80 £1 €2 ¥300 ₹5", "eighty dollars one pound two euros three hundred yen five rupees"),
        ("$1 $1,200", "one dollar one thousand two hundred dollars"),
        ("$12.50 £12.50 12,50 €", "twelve dollars fifty twelve pounds fifty twelve euros fifty"),
        ("$2.05 $0.99 £0.01", "two dollars and five cents ninety-nine cents one penny"),
        ("80 EUR, USD 5, 80€, US$3", "eighty euros, five dollars, eighty euros, three dollars"),
        ("$1.5 million $3k €2bn",
         "one point five million dollars three thousand dollars two billion euros"),
        ("$50-$80 £50-80 5-10 EUR",
         "fifty to eighty dollars fifty to eighty pounds five to ten euros"),
        ("-$5", "minus five dollars"),
        ("$80/hour 80 EUR/day", "eighty dollars per hour eighty euros per day"),
        ("A filling costs $150. 3 left", "A filling costs one hundred and fifty dollars. 3 left"),
        ("$ and 80 dollars", "$ and 80 dollars"),
    ],
)  # fmt: skip
def test_says(written: str, said: str) -> None:
    assert " ".join(prices(written).split()) == said
