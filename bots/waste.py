"""What a call's early answers have cost in vain, in money."""

from __future__ import annotations

from bots.plan import CallPlan
from bots.usage import Tariff
from processors.speculation import Regret as Wasted
from processors.speculation import Speculations
from records.costs import Usage, cost_usd
from records.events import Regret


class Waste:
    """Tells what was thrown away since the call began, whenever it has become more.

    Args:
        plan: Whose models' prices count; what runs on this machine costs nothing.
        books: The call's books of early answers.
    """

    def __init__(self, plan: CallPlan, books: Speculations) -> None:
        self._books = books
        tariff = Tariff.of(plan)
        self._prices = [price for price in (tariff.llm, tariff.tts) if price]
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


def _usage(wasted: Wasted, prompt_chars: int) -> Usage:
    prompt_tokens = round(wasted.replies * prompt_chars / 4)
    return Usage(
        input_tokens=wasted.tokens_read + prompt_tokens,
        output_tokens=wasted.tokens_written,
        characters=wasted.characters_voiced,
    )
