"""The cascade: ears, wits, voice. One call's processors, in the order the data takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.pipeline.pipeline import Pipeline
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMAssistantAggregator,
    LLMContextAggregatorPair,
    LLMUserAggregator,
    LLMUserAggregatorParams,
)
from pipecat.processors.aggregators.llm_text_processor import LLMTextProcessor

from pipelines.turns import strategies
from processors.eager import Eager
from processors.first_clause import FirstClauseAggregator
from processors.speakable import to_speech

if TYPE_CHECKING:
    from pipecat.audio.vad.vad_analyzer import VADAnalyzer
    from pipecat.frames.frames import ErrorFrame
    from pipecat.processors.frame_processor import FrameProcessor
    from pipecat.services.llm_service import LLMService
    from pipecat.services.stt_service import STTService
    from pipecat.services.tts_service import TTSService
    from pipecat.transports.base_transport import BaseTransport
    from pipecat.turns.user_turn_strategies import UserTurnStrategies

    from pipelines.config import PipelineConfig
    from providers.base import Site


@dataclass(frozen=True)
class Stages:
    """What takes time to build and needs no event loop."""

    stt: STTService
    llm: LLMService[Any]
    tts: TTSService
    vad: VADAnalyzer
    turns: UserTurnStrategies


@dataclass(frozen=True)
class Cascade:
    """A built pipeline and the parts that the call listens to."""

    pipeline: Pipeline
    stages: Stages
    context: LLMContext
    user_aggregator: LLMUserAggregator
    assistant_aggregator: LLMAssistantAggregator

    def forgives(self, error: ErrorFrame) -> bool:
        """Whether a failure of the model cost the caller nothing: it was, or is, asked again."""
        return any(strategy.forgives(error) for strategy in _eager(self.stages.turns))


def build_stages(config: PipelineConfig, site: Site) -> Stages:
    """Make the services and load the models. Blocks: run it in a thread.

    Raises:
        MissingError: A secret or the weights are not here.
    """
    tts = config.tts.build(site)
    tts.add_text_transformer(to_speech)
    return Stages(
        stt=config.stt.build(site),
        llm=config.llm.build(site),
        tts=tts,
        vad=SileroVADAnalyzer(),
        turns=strategies(config.turn),
    )


def build(
    stages: Stages,
    transport: BaseTransport,
    context: LLMContext,
    *,
    recorder: FrameProcessor,
) -> Cascade:
    """Put the processors in a line."""
    aggregators = LLMContextAggregatorPair(
        context,
        user_params=LLMUserAggregatorParams(
            vad_analyzer=stages.vad, user_turn_strategies=stages.turns
        ),
    )
    user_aggregator, assistant_aggregator = aggregators.user(), aggregators.assistant()
    _answer_again_what_was_lost(stages.turns, user_aggregator)
    pipeline = Pipeline(
        [
            transport.input(),
            stages.stt,
            user_aggregator,
            stages.llm,
            LLMTextProcessor(text_aggregator=FirstClauseAggregator()),
            stages.tts,
            transport.output(),
            recorder,
            assistant_aggregator,
        ]
    )
    return Cascade(pipeline, stages, context, user_aggregator, assistant_aggregator)


def _answer_again_what_was_lost(turns: UserTurnStrategies, aggregator: LLMUserAggregator) -> None:
    async def ask_again(_: Eager) -> None:
        await aggregator.push_context_frame()

    for strategy in _eager(turns):
        strategy.add_event_handler("on_answer_lost", ask_again)


def _eager(turns: UserTurnStrategies) -> list[Eager]:
    return [strategy for strategy in turns.stop or () if isinstance(strategy, Eager)]


def new_context(messages: Sequence[Any], tools: Any | None) -> LLMContext:
    """The conversation as the model will see it, before the first word."""
    return LLMContext(list(messages), tools) if tools else LLMContext(list(messages))
