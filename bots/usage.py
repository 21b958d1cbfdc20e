"""What a call uses of its providers, and what that costs by list prices."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from pipecat.frames.frames import Frame, LLMFullResponseStartFrame, MetricsFrame
from pipecat.metrics.metrics import (
    LLMTokenUsage,
    LLMUsageMetricsData,
    STTUsageMetricsData,
    TTSUsageMetricsData,
)
from pipecat.processors.frame_processor import FrameProcessor

from bots.plan import CallPlan
from providers.addresses import of_this_machine
from providers.base import StageConfig
from records.costs import FREE, Price, PriceBook, Usage, cost_usd, read_prices
from records.events import Used

_IN_FLIGHT = 64
"""So many frames that tell of usage may be between the first and the last who hears them."""


@dataclass(frozen=True)
class Tariff:
    """What each stage charges; None where that is not known."""

    stt: Price | None
    llm: Price | None
    tts: Price | None

    @classmethod
    def of(cls, plan: CallPlan) -> Tariff:
        """By the price book; what runs on this machine costs nothing."""
        book, config = read_prices(), plan.config
        return cls(
            stt=_price(book, "stt", config.stt),
            llm=_price(book, "llm", config.llm),
            tts=_price(book, "tts", config.tts),
        )


class Meter:
    """Adds up what was used. Pure.

    Args:
        tariff: By which it is charged.
    """

    def __init__(self, tariff: Tariff) -> None:
        self._tariff = tariff
        self._read = self._cached = self._wrote = 0
        self._characters = 0
        self._stt_secs = 0.0
        self._untold = 0
        self._answering = False
        """Whether an answer was begun whose tokens are not told yet."""
        self._told: Used | None = None

    def answering(self) -> None:
        """The model begins an answer; what was not told of the one before will not be."""
        self._settle()
        self._answering = True

    def thought(self, tokens: LLMTokenUsage) -> None:
        """The model tells what the answer took."""
        if not tokens.total_tokens and not tokens.prompt_tokens:
            return
        self._answering = False
        # Some tell the prompt with what they had cached, some without; the total has it.
        read = max(tokens.prompt_tokens, tokens.total_tokens - tokens.completion_tokens)
        cached = min(read, tokens.cache_read_input_tokens or 0)
        self._read += read - cached
        self._cached += cached
        self._wrote += tokens.completion_tokens

    def voiced(self, characters: int) -> None:
        """So much was given to the voice."""
        self._characters += characters

    def heard(self, secs: float) -> None:
        """So much audio was given to the recogniser."""
        self._stt_secs += secs

    def over(self) -> None:
        """The call is over: nothing more will be told."""
        self._settle()

    def news(self, at_ms: int) -> Used | None:
        """The totals now; None if they are those that were told last."""
        totals = self._totals()
        if totals == self._told:
            return None
        self._told = totals
        return totals.model_copy(update={"at_ms": at_ms})

    def _settle(self) -> None:
        self._untold += self._answering
        self._answering = False

    def _totals(self) -> Used:
        tokens = Usage(
            input_tokens=self._read, cached_tokens=self._cached, output_tokens=self._wrote
        )
        return Used(
            at_ms=0,
            prompt_tokens=self._read,
            cached_tokens=self._cached,
            completion_tokens=self._wrote,
            untold=self._untold,
            characters=self._characters,
            stt_secs=round(self._stt_secs, 3),
            llm_usd=_usd(self._tariff.llm, tokens),
            tts_usd=_usd(self._tariff.tts, Usage(characters=self._characters)),
            stt_usd=_usd(self._tariff.stt, Usage(line_secs=self._stt_secs)),
        )


def listen(meter: Meter, *, wits: FrameProcessor, others: Iterable[FrameProcessor]) -> None:
    """Have `meter` told of all that these processors push; each report counts once.

    An observer would hear of it later, and of what is reported as the call ends not at all.
    """
    seen: deque[int] = deque(maxlen=_IN_FLIGHT)

    def reported(_: FrameProcessor, frame: Frame) -> None:
        if isinstance(frame, MetricsFrame) and frame.id not in seen:
            seen.append(frame.id)
            _take(meter, frame)

    def begun(_: FrameProcessor, frame: Frame) -> None:
        if isinstance(frame, LLMFullResponseStartFrame):
            meter.answering()

    wits.add_event_handler("on_before_push_frame", begun)
    for processor in (wits, *others):
        processor.add_event_handler("on_before_push_frame", reported)


def _take(meter: Meter, frame: MetricsFrame) -> None:
    for data in frame.data:
        if isinstance(data, LLMUsageMetricsData):
            meter.thought(data.value)
        elif isinstance(data, TTSUsageMetricsData):
            meter.voiced(data.value)
        elif isinstance(data, STTUsageMetricsData):
            meter.heard(data.value.audio_seconds)


def _price(book: PriceBook, name: str, stage: StageConfig) -> Price | None:
    known = book.price(name, stage.provider, str(getattr(stage, "model", "")))
    server = stage.server()
    own = not stage.needs_network and (server is None or of_this_machine(server))
    return FREE if own else known


def _usd(price: Price | None, usage: Usage) -> float | None:
    return None if price is None else round(cost_usd([price], usage), 9)
