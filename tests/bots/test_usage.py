"""What a call used is added up once, and priced where there is a price."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.metrics.metrics import LLMTokenUsage

from bots.plan import plan_call
from bots.usage import Meter, Tariff
from pipelines.config import PRESETS
from records.costs import FREE, Price
from records.events import Used

pytestmark = pytest.mark.unit

PRICE = Price.model_validate(
    {
        "minute_usd": 0.6,
        "thousand_characters_usd": 2,
        "million_input_usd": 3_000_000,
        "million_cached_usd": 1_000_000,
        "million_output_usd": 5_000_000,
        "source": "a page",
        "as_of": "2026-01-01",
    }
)


def tokens(read: int, cached: int, wrote: int, *, with_cached: bool = True) -> LLMTokenUsage:
    """As a vendor tells them whose prompt has what was cached in it, or has it not."""
    return LLMTokenUsage(
        prompt_tokens=read if with_cached else read - cached,
        completion_tokens=wrote,
        total_tokens=read + wrote,
        cache_read_input_tokens=cached,
    )


Count = st.integers(0, 1000)
Answer = st.tuples(Count, Count, Count, st.booleans()).map(
    lambda it: tokens(1 + it[0] + it[1], it[1], it[2], with_cached=it[3])
)
Step = st.one_of(Answer, st.none(), Count.map(float), st.integers(1, 500))
"""An answer that is told, one that is not, seconds of audio, characters."""


def take(meter: Meter, step: LLMTokenUsage | float | None) -> None:
    if isinstance(step, float):
        meter.heard(step)
    elif isinstance(step, int):
        meter.voiced(step)
    else:
        meter.answering()
        if step:
            meter.thought(step)


@given(steps=st.lists(Step, max_size=30))
def test_the_totals_are_all_that_was_told_and_only_grow(
    steps: list[LLMTokenUsage | float | None],
) -> None:
    meter = Meter(Tariff(PRICE, PRICE, PRICE))
    before = meter.news(0)
    assert before is not None
    for step in steps:
        take(meter, step)
        now = meter.news(1) or before
        for name in Used.model_fields.keys() - {"kind", "at_ms"}:
            assert getattr(now, name) >= getattr(before, name)
        before = now
    meter.over()
    total = meter.news(2) or before
    told = [step for step in steps if isinstance(step, LLMTokenUsage)]
    read = sum(step.total_tokens - step.completion_tokens for step in told)
    assert total.prompt_tokens + total.cached_tokens == read
    assert total.cached_tokens == sum(step.cache_read_input_tokens or 0 for step in told)
    assert total.completion_tokens == sum(step.completion_tokens for step in told)
    assert total.untold == sum(step is None for step in steps)
    assert total.characters == sum(step for step in steps if type(step) is int)
    assert total.stt_secs == sum(step for step in steps if isinstance(step, float))
    assert total.llm_usd == pytest.approx(
        3 * total.prompt_tokens + total.cached_tokens + 5 * total.completion_tokens
    )
    assert total.tts_usd == pytest.approx(total.characters / 500)
    assert total.stt_usd == pytest.approx(total.stt_secs / 100)


def test_totals_are_told_once_from_zero_on() -> None:
    meter = Meter(Tariff(None, FREE, PRICE))
    first = meter.news(5)
    assert first is not None
    assert (first.at_ms, first.prompt_tokens, first.characters) == (5, 0, 0)
    assert (first.stt_usd, first.llm_usd, first.tts_usd) == (None, 0, 0)
    assert meter.news(6) is None
    meter.heard(1.5)
    second = meter.news(7)
    assert second is not None
    assert (second.at_ms, second.stt_secs, second.stt_usd) == (7, 1.5, None)


def test_an_answer_without_a_token_is_not_told() -> None:
    """So some end one that was broken off."""
    meter = Meter(Tariff(None, None, None))
    meter.answering()
    meter.thought(tokens(0, 0, 0))
    meter.over()
    told = meter.news(0)
    assert told is not None
    assert told.untold == 1


def test_prices_are_the_books_and_nothing_is_charged_for_what_runs_here() -> None:
    cloud = Tariff.of(plan_call(pipeline="cloud"))
    assert cloud.stt is not None
    assert cloud.stt.minute_usd > 0
    assert Tariff.of(plan_call(pipeline="simulated")) == Tariff(FREE, FREE, FREE)


@pytest.mark.parametrize(
    ("url", "price"), [("http://127.0.0.1:8000/v1", FREE), ("https://gpu.example/v1", None)]
)
def test_a_server_elsewhere_has_no_price_that_we_know(
    tmp_path: Path, url: str, price: Price | None
) -> None:
    preset = tmp_path / "mine.toml"
    text = (PRESETS / "simulated.toml").read_text("utf-8")
    wits = f'[llm]\nprovider = "openai_compatible"\nbase_url = "{url}"\nmodel = "own"'
    preset.write_text(text.replace('[llm]\nprovider = "simulated"', wits))
    tariff = Tariff.of(plan_call(pipeline=preset))
    assert (tariff.llm, tariff.tts) == (price, FREE)
