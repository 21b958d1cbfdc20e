"""What was thrown away is told when it has become more, with what it cost."""

from __future__ import annotations

import pytest

from bots.plan import plan_call
from bots.waste import Waste
from processors.speculation import Speculations

pytestmark = pytest.mark.unit


def thrown(books: Speculations) -> None:
    """An early answer of 400 characters, 100 of them voiced, is taken back."""
    number = books.asked(early=True, now_ms=0, read=4000)
    books.wrote(number, 400)
    books.voiced(number, 100)
    books.withdrawn()


@pytest.mark.parametrize(("pipeline", "free"), [("cloud", False), ("simulated", True)])
def test_the_totals_are_told_once_each_with_their_price(pipeline: str, free: bool) -> None:
    books = Speculations()
    waste = Waste(plan_call(bot="receptionist", pipeline=pipeline, transport="headless"), books)
    assert waste.news(0) is None
    thrown(books)
    first = waste.news(10)
    assert first is not None
    assert (first.at_ms, first.replies, first.tokens, first.characters) == (10, 1, 100, 100)
    assert (first.usd == 0) == free
    assert waste.news(20) is None
    thrown(books)
    second = waste.news(30)
    assert second is not None
    assert second.replies == 2
    assert second.usd == pytest.approx(2 * first.usd)
