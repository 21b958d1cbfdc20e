"""A cloud voice in a real pipeline, against its simulated vendor."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipecat.frames.frames import (
    ErrorFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    MetricsFrame,
    TTSAudioRawFrame,
)
from pipecat.metrics.metrics import TTFBMetricsData, TTSUsageMetricsData
from pipecat.processors.aggregators.llm_text_processor import LLMTextProcessor
from pipecat.processors.frame_processor import FrameProcessor

from evals.simulators.vendors import Vendors
from processors.first_clause import FirstClauseAggregator
from processors.speakable import to_speech
from providers.kinds import TtsConfig
from tests.support.pipes import Flow, flowing

OUT_HZ = 24_000


class Here:
    """A site on which everything is in place."""

    def weights(self, name: str) -> Path:
        return Path("weights") / name

    def url(self, sidecar: str) -> str:
        return f"http://127.0.0.1:1/{sidecar}"


@dataclass
class Speaking:
    """A voice that runs between the cutting of the text and a tap."""

    flow: Flow
    voice: FrameProcessor
    errors: list[ErrorFrame] = field(default_factory=list[ErrorFrame])

    async def reply(self, text: str) -> None:
        """Send it as a model does, a word at a time."""
        await self.flow.send(LLMFullResponseStartFrame())
        await self.flow.send(*(LLMTextFrame(token) for token in re.findall(r"\s*\S+", text)))
        await self.flow.send(LLMFullResponseEndFrame())

    async def ended(self, count: int = 1) -> None:
        """Wait until so many replies have come through to their ends."""
        await self.flow.tap.wait(LLMFullResponseEndFrame, count)

    @property
    def secs(self) -> float:
        """Of sound so far; all of it at the pipeline's rate."""
        frames = self.flow.tap.of(TTSAudioRawFrame)
        assert {frame.sample_rate for frame in frames} <= {OUT_HZ}
        return sum(len(frame.audio) for frame in frames) / 2 / OUT_HZ

    @property
    def letters(self) -> int:
        """That were counted as used."""
        data = [datum for frame in self.flow.tap.of(MetricsFrame) for datum in frame.data]
        return sum(datum.value for datum in data if isinstance(datum, TTSUsageMetricsData))

    @property
    def waits_secs(self) -> list[float]:
        """For the first sound of each reply."""
        data = [datum for frame in self.flow.tap.of(MetricsFrame) for datum in frame.data]
        return [d.value for d in data if isinstance(d, TTFBMetricsData) and d.value > 0]


@asynccontextmanager
async def speaking(config: TtsConfig, *more: FrameProcessor) -> AsyncGenerator[Speaking]:
    """Run the voice as the cascade does, `more` behind it."""
    voice = config.build(Here())
    voice.add_text_transformer(to_speech)
    clauses = LLMTextProcessor(text_aggregator=FirstClauseAggregator())
    errors: list[ErrorFrame] = []

    async def note(_: FrameProcessor, error: ErrorFrame) -> None:
        errors.append(error)

    voice.add_event_handler("on_error", note)
    async with flowing(
        clauses,
        voice,
        *more,
        audio_out_sample_rate=OUT_HZ,
        enable_metrics=True,
        enable_usage_metrics=True,
    ) as flow:
        yield Speaking(flow, voice, errors)


def messages(vendors: Vendors, service: str) -> list[dict[str, Any]]:
    """What came on the service's sockets so far."""
    seen = [s for s in vendors.desk.seen if s.service == service and s.method == "MESSAGE"]
    return [json.loads(message.body) for message in seen]


async def abandoned(vendors: Vendors, service: str) -> None:
    """Wait until the vendor was told to stop, or saw that nobody listens."""
    async with asyncio.timeout(20):
        while not vendors.desk.abandoned[service]:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
