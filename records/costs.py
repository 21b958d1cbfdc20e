"""What vendors charge: a price book, and what a minute of talk costs by it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

PRICES = Path(__file__).parent / "prices.toml"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Table):
    """One model's list price, in US dollars."""

    minute_usd: float = Field(default=0, ge=0)
    """A minute of the open line, silence included."""
    thousand_characters_usd: float = Field(default=0, ge=0)
    """A thousand characters spoken."""
    million_input_usd: float = Field(default=0, ge=0)
    """A million tokens read."""
    million_cached_usd: float | None = Field(default=None, ge=0)
    """A million tokens read from the vendor's cache; None: the price of any others is taken."""
    million_output_usd: float = Field(default=0, ge=0)
    """A million tokens written."""
    source: str
    as_of: date


FREE = Price(source="what runs on this machine", as_of=date.min)


class Usage(_Table):
    """What was used of the vendors."""

    line_secs: float = Field(default=0, ge=0)
    input_tokens: int = Field(default=0, ge=0)
    """All but those from a cache."""
    cached_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    characters: int = Field(default=0, ge=0)


TYPICAL_MINUTE = Usage(line_secs=60, input_tokens=9_000, output_tokens=240, characters=540)
"""Six turns of 1500 tokens of prompt and history each, answered in 40 tokens, 90 characters."""


class PriceBook(_Table):
    """Prices by stage, provider and model; `default` stands for every other model."""

    stt: dict[str, dict[str, Price]] = {}
    llm: dict[str, dict[str, Price]] = {}
    tts: dict[str, dict[str, Price]] = {}

    def price(self, stage: str, provider: str, model: str) -> Price | None:
        """The price of one stage's model; None if the book does not have it."""
        book: dict[str, dict[str, Price]] = getattr(self, stage)
        models = book.get(provider, {})
        return models.get(model) or models.get("default")


def read_prices(path: Path = PRICES) -> PriceBook:
    """Read a price book."""
    return PriceBook.model_validate(tomllib.loads(path.read_text("utf-8")))


def cost_usd(prices: Iterable[Price], usage: Usage) -> float:
    """What `usage` costs by these prices, one a stage."""
    return sum(
        price.minute_usd * usage.line_secs / 60
        + price.thousand_characters_usd * usage.characters / 1000
        + price.million_input_usd * usage.input_tokens / 1e6
        + _cached_usd(price) * usage.cached_tokens / 1e6
        + price.million_output_usd * usage.output_tokens / 1e6
        for price in prices
    )


def _cached_usd(price: Price) -> float:
    known = price.million_cached_usd
    return price.million_input_usd if known is None else known
