"""The price book is complete and adds up."""

from __future__ import annotations

from datetime import date

import pytest

from records.costs import TYPICAL_MINUTE, Price, Usage, cost_usd, read_prices

pytestmark = pytest.mark.unit


def _price(**prices: float) -> Price:
    return Price.model_validate({"source": "a page", "as_of": date(2026, 1, 1)} | prices)


def test_each_unit_is_charged() -> None:
    prices = [
        _price(minute_usd=0.006),
        _price(million_input_usd=0.5, million_output_usd=1.5),
        _price(thousand_characters_usd=0.03),
    ]
    usage = Usage(line_secs=90, input_tokens=200_000, output_tokens=10_000, characters=500)
    assert cost_usd(prices, usage) == pytest.approx(0.009 + 0.1 + 0.015 + 0.015)


def test_what_a_cache_holds_has_a_price_of_its_own_where_that_is_known() -> None:
    usage = Usage(input_tokens=1_000_000, cached_tokens=2_000_000)
    assert cost_usd([_price(million_input_usd=1)], usage) == 3
    assert cost_usd([_price(million_input_usd=1, million_cached_usd=0.25)], usage) == 1.5


def test_nothing_used_costs_nothing() -> None:
    assert cost_usd([_price(minute_usd=1, million_input_usd=1)], Usage()) == 0


def test_a_model_of_its_own_comes_before_the_rest() -> None:
    book = read_prices()
    assert book.price("tts", "cartesia", "sonic-99") == book.price("tts", "cartesia", "default")
    assert book.price("llm", "groq", "unknown") is None
    assert book.price("stt", "nobody", "nothing") is None


def test_every_price_in_the_book_is_of_its_kind() -> None:
    book = read_prices()
    units = {"stt": "minute_usd", "tts": "thousand_characters_usd", "llm": "million_input_usd"}
    for stage, unit in units.items():
        models = [price for by in getattr(book, stage).values() for price in by.values()]
        assert models
        assert all(getattr(price, unit) > 0 for price in models)
        assert all(cost_usd([price], TYPICAL_MINUTE) < 0.1 for price in models)
