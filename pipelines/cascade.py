"""The cascade: ears, wits, voice. One call's processors, in the order the data takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipecat.pipeline.pipeline import Pipeline
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMAssistantAggregator,
    LLMContextAggregatorPair,
    LLMUserAggregator,
    LLMUserAggregatorParams,
)

from pipelines.pausing import hold
from pipelines.turns import strategies
from processors.barge_in import BargeInStart
from processors.keen_vad import KeenVad
from processors.recorder import CallerTap, Recorder
from processors.reply_gate import ClauseGate, ReplyGate, number_replies, open_model, quench_voice
from processors.speakable import to_speech
from processors.speculation import Speculations
from processors.stable_stop import StableStop
from processors.unfinished import asked_for

if TYPE_CHECKING:
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
    vad: KeenVad
    turns: UserTurnStrategies
    books: Speculations


@dataclass(frozen=True)
class Extras:
    """What one call adds to the line."""

    recorder: Recorder
    greeter: FrameProcessor | None = None
    """Right behind the voice, whose place it takes for the first words."""
    filler: FrameProcessor | None = None
    idle_secs: float = 0
    """After so long a silence of the caller the aggregator tells of it; 0 if never."""


@dataclass(frozen=True)
class Cascade:
    """A built pipeline and the parts that the call listens to."""

    pipeline: Pipeline
    stages: Stages
    context: LLMContext
    user_aggregator: LLMUserAggregator
    assistant_aggregator: LLMAssistantAggregator
    voice: ReplyGate
    """What comes from here will be heard."""

    def expect(self, spoken: str) -> None:
        """The bot has said that: if it asked for a number or a name, those come in pieces."""
        for strategy in _stable(self.stages.turns):
            strategy.expect(asked_for(spoken))

    @property
    def guards(self) -> list[BargeInStart]:
        """What tells of pauses that were no interruption."""
        return _guards(self.stages.turns)

    def forgives(self, error: ErrorFrame) -> bool:
        """Whether a failure of the model cost the caller nothing: it was, or is, asked again."""
        return any(strategy.forgives(error) for strategy in _stable(self.stages.turns))


def build_stages(config: PipelineConfig, site: Site, *, language: str = "en") -> Stages:
    """Make the services and load the models. Blocks: run it in a thread.

    Raises:
        MissingError: A secret or the weights are not here.
    """
    vad = KeenVad()
    books = Speculations(ratio=config.turn.regret_ratio, voice=config.turn.speculate_voice)
    return Stages(
        stt=config.stt.build(site),
        llm=config.llm.build(site),
        tts=build_voice(config, site),
        vad=vad,
        turns=strategies(config.turn, vad, books, language=language),
        books=books,
    )


def build_voice(config: PipelineConfig, site: Site) -> TTSService:
    """Make the voice, which says what is written as it is read out. Blocks.

    Raises:
        MissingError: A secret or the weights are not here.
    """
    voice = config.tts.build(site)
    voice.add_text_transformer(to_speech)
    return voice


def build(
    stages: Stages, transport: BaseTransport, context: LLMContext, *, extras: Extras
) -> Cascade:
    """Put the processors in a line."""
    aggregators = LLMContextAggregatorPair(
        context,
        user_params=LLMUserAggregatorParams(
            vad_analyzer=stages.vad,
            user_turn_strategies=stages.turns,
            user_idle_timeout=extras.idle_secs,
        ),
    )
    user_aggregator, assistant_aggregator = aggregators.user(), aggregators.assistant()
    _connect(stages, user_aggregator, transport)
    voice = ReplyGate(stages.books)
    pipeline = Pipeline(
        [
            transport.input(),
            stages.stt,
            user_aggregator,
            CallerTap(extras.recorder),
            stages.llm,
            ClauseGate(stages.books),
            stages.tts,
            *([extras.greeter] if extras.greeter else []),
            voice,
            *([extras.filler] if extras.filler else []),
            transport.output(),
            extras.recorder,
            assistant_aggregator,
        ]
    )
    return Cascade(pipeline, stages, context, user_aggregator, assistant_aggregator, voice)


def _connect(stages: Stages, turns: LLMUserAggregator, transport: BaseTransport) -> None:
    """What the strategies and the gates need of the rest, beside the frames."""

    async def ask_again(_: StableStop) -> None:
        await turns.push_context_frame()

    for stop in _stable(stages.turns):
        stop.add_event_handler("on_answer_lost", ask_again)
    for start in _guards(stages.turns):
        start.mouth = hold(transport.output(), start.played)
    number_replies(turns, stages.books)
    open_model(stages.llm, stages.books)
    quench_voice(stages.tts)


def _guards(turns: UserTurnStrategies) -> list[BargeInStart]:
    return [strategy for strategy in turns.start or () if isinstance(strategy, BargeInStart)]


def _stable(turns: UserTurnStrategies) -> list[StableStop]:
    return [strategy for strategy in turns.stop or () if isinstance(strategy, StableStop)]


def new_context(messages: Sequence[Any], tools: Any | None) -> LLMContext:
    """The conversation as the model will see it, before the first word."""
    return LLMContext(list(messages), tools) if tools else LLMContext(list(messages))
