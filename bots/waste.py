"""What a call's early answers have cost in vain, in money."""

from __future__ import annotations

from bots.plan import CallPlan
from processors.speculation import Regret as Wasted
from processors.speculation import Speculations
from providers.base import StageConfig
from records.costs import Price, Usage, cost_usd, read_prices
from records.events import Regret


class Waste:
    """Tells what was thrown away since the call began, whenever it has become more.

    Args:
        plan: Whose models' prices count; what runs on this machine costs nothing.
        books: The call's books of early answers.
    """

    def __init__(self, plan: CallPlan, books: Speculations) -> None:
        self._books = books
        self._prices = _prices(plan)
        self._prompt_chars = len(plan.bot.prompt)
        self._told = books.regret

    def news(self, at_ms: int) -> Regret | None:
        """The totals now; None if they are those that were told last."""
        wasted = self._books.regret
        if wasted == self._told:
            return None
        self._told = wasted
        return Regret(
            at_ms=at_ms,
            replies=wasted.replies,
            tokens=wasted.tokens_written,
            characters=wasted.characters_voiced,
            usd=cost_usd(self._prices, _usage(wasted, self._prompt_chars)),
        )


def _prices(plan: CallPlan) -> list[Price]:
    book = read_prices()
    stages: dict[str, StageConfig] = {"llm": plan.config.llm, "tts": plan.config.tts}
    known = (
        book.price(name, stage.provider, str(getattr(stage, "model", "")))
        for name, stage in stages.items()
        if stage.needs_network
    )
    return [price for price in known if price]


def _usage(wasted: Wasted, prompt_chars: int) -> Usage:
    prompt_tokens = round(wasted.replies * prompt_chars / 4)
    return Usage(
        input_tokens=wasted.tokens_read + prompt_tokens,
        output_tokens=wasted.tokens_written,
        characters=wasted.characters_voiced,
    )
