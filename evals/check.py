"""`offhook check`: what a pipeline needs and lacks, before anybody calls."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config import PipelineConfig, missing, resolve
from providers.base import simulated_vendors
from records.costs import TYPICAL_MINUTE, Price, cost_usd, read_prices
from records.redact import redact

if TYPE_CHECKING:
    from providers.models import ModelStore


def run_check(presets: Sequence[str], models: ModelStore, *, live: bool) -> int:
    """Print what each preset lacks; with `live`, what its providers answer and how soon.

    Returns:
        The status that the shell sees: 0 when nothing is lacking and everything answered.
    """
    failed = False
    if url := simulated_vendors():
        _say(f"Calls go to simulated vendors at {url}.")
    for name in presets:
        config = resolve(Path(name) if name.endswith(".toml") else name)
        lacking = missing(config, models.missing)
        _say(_headline(config, ready=not lacking))
        for sentence in lacking:
            _say(f"  - {sentence}")
        failed |= bool(lacking) or (live and not _answers(config, models))
    return int(failed)


def _headline(config: PipelineConfig, *, ready: bool) -> str:
    stages = " + ".join(stage.provider for stage in config.stages)
    state = "ready" if ready else "lacks something"
    return f"{config.name:15} {state:16} {stages} ({_price(config)})"


def _price(config: PipelineConfig) -> str:
    """What a typical minute costs, as far as the price book knows."""
    book = read_prices()
    known: list[Price] = []
    for stage, settings in zip(("stt", "llm", "tts"), config.stages, strict=True):
        if not settings.needs_network:
            continue
        price = book.price(stage, settings.provider, str(getattr(settings, "model", "")))
        if price is None:
            return f"price of {settings.provider} not known"
        known.append(price)
    return f"about ${cost_usd(known, TYPICAL_MINUTE):.3f} a minute" if known else "free"


def _answers(config: PipelineConfig, models: ModelStore) -> bool:
    from evals.live_check import try_stages

    answers = asyncio.run(try_stages(config, models))
    for answer in answers:
        timing = "no answer" if answer.ttfb_ms is None else f"{answer.ttfb_ms:.0f} ms"
        _say(f"  {answer.stage} {answer.provider:18} {timing:>10}  {redact(answer.said)}")
    return all(answer.ttfb_ms is not None for answer in answers)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201
