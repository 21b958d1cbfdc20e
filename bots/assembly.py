"""What one call runs on: tools, pipeline and observers, put together from its plan."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipecat.frames.frames import Frame, TTSSpeakFrame
from pipecat.observers.base_observer import BaseObserver
from pipecat.observers.user_bot_latency_observer import LatencyBreakdown, UserBotLatencyObserver
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker, ProcessorUnusablePolicy
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.processors.frameworks.rtvi.observer import RTVIObserverParams
from pipecat.transports.base_transport import BaseTransport

from bots.greeting import Greeting, Greetings
from bots.plan import CallPlan
from bots.toolkit import ToolResult, register
from bots.tracing import Tracing, worker_options
from bots.usage import Meter, Tariff, listen
from pipelines import cascade
from pipelines.transports import AUDIO_IN_HZ, AUDIO_OUT_HZ
from processors.filler import Filler, FillerAudioFrame
from processors.filler_clock import FillerLines
from processors.greeter import Greeter
from processors.heard import HeardTruth
from processors.narrator import Narrator, Watched
from processors.phrases import Phrases
from processors.recorder import Recorder, Recording
from processors.rtvi import DiscreetRtvi
from processors.spoken import SpokenObserver
from processors.watch import watch
from providers.base import Site
from records.ear import EarEvent
from records.events import (
    CallEvent,
    Filled,
    ReplyEnded,
    ReplyStarted,
    StopReason,
    ToolCalled,
)


@dataclass(frozen=True)
class Reports:
    """How the parts tell of what happens."""

    tell: Callable[[CallEvent], None]
    clock: Callable[[], int]
    """Milliseconds since the call was accepted."""
    say: Callable[[str], Awaitable[None]]
    """Speaks a ready sentence."""


@dataclass(frozen=True)
class Place:
    """Where the call takes place."""

    transport: BaseTransport
    site: Site
    state_dir: Path
    """Where the bot's tools keep what they know."""
    recording: Recording | None
    """Where the two tracks go."""
    greetings: Greetings | None = None
    """The greetings that are ready; with None each is made as it is said."""


class Assembly:
    """The parts of one call, connected."""

    def __init__(
        self, plan: CallPlan, stages: cascade.Stages, place: Place, *, reports: Reports
    ) -> None:
        self._plan = plan
        self._reports = reports
        self.context = self._conversation(stages, place)
        self._greeter = self._greets(place)
        extras = cascade.Extras(
            recorder=Recorder(on_ear=self._ear, recording=place.recording),
            greeter=self._greeter,
            filler=self._filler(place.site),
            idle_secs=plan.bot.settings.idle.after_secs if plan.bot.settings.idle.enabled else 0,
        )
        self.cascade = cascade.build(stages, place.transport, self.context, extras=extras)
        self._truth = HeardTruth(self.context, self.cascade.assistant_aggregator)
        self._narrator = self._watch(stages, place.transport)
        self.meter = Meter(Tariff.of(plan))
        ready = [sayer for sayer in (extras.greeter, extras.filler) if sayer]
        listen(self.meter, wits=stages.llm, others=(stages.stt, stages.tts, *ready))
        self.worker = self._work(place.transport.output())

    def heed(self, event: CallEvent) -> None:
        """Let the parts that must know of an event know of it."""
        if isinstance(event, ReplyStarted):
            self._truth.reply_started()
        elif isinstance(event, ReplyEnded):
            self._truth.reply_ended(event.spoken, event.cut, interrupted=event.interrupted)
            self.cascade.expect(event.spoken)

    async def greeting(self) -> Frame:
        """What to queue for the caller to be greeted."""
        if self._greeter:
            return await self._greeter.greeting()
        return TTSSpeakFrame(self._plan.bot.settings.greeting)

    def _conversation(self, stages: cascade.Stages, place: Place) -> LLMContext:
        """The bot's examples and tools, as the model will see them."""
        plan = self._plan
        tools = register(
            stages.llm,
            plan.bot.tools(place.state_dir),
            speak=self._reports.say if plan.config.llm.speaks_tool_replies else None,
            on_called=self._tool_called,
            unspoken=len(plan.bot.exchanges()),
        )
        stages.llm.append_system_instruction(plan.bot.prompt)
        return cascade.new_context(plan.bot.exchanges(), tools)

    def _watch(self, stages: cascade.Stages, transport: BaseTransport) -> Narrator:
        """Who tells what happens, from the frames that go by."""
        built, config = self.cascade, self._plan.config
        watched = Watched(
            ears=stages.stt,
            turns=built.user_aggregator,
            wits=stages.llm,
            mouth=transport.output(),
            forgives=built.forgives,
            voice=stages.tts,
            gate=built.voice,
            is_filler=lambda frame: isinstance(frame, FillerAudioFrame),
            providers={
                stages.stt: config.stt.provider,
                stages.llm: config.llm.provider,
                stages.tts: config.tts.provider,
            },
        )
        narrator = Narrator(
            self._reports.tell,
            self._reports.clock,
            watched=watched,
            spoken=SpokenObserver(built.voice, transport.output()),
            budget_ms=self._plan.bot.settings.budget.ear_ms,
        )
        for guard in built.guards:

            @guard.event_handler("on_false_alarm")
            async def went_on(_: object, held_ms: float, why: StopReason) -> None:
                narrator.false_stop(held_ms, why)

        return narrator

    def _work(self, output: FrameProcessor) -> PipelineWorker:
        """What runs the pipeline."""
        latency = UserBotLatencyObserver()

        @latency.event_handler("on_latency_breakdown")
        async def measured(_: UserBotLatencyObserver, breakdown: LatencyBreakdown) -> None:
            self._narrator.contributions(breakdown)

        idle_secs = self._plan.bot.settings.limits.idle_secs
        watching: list[BaseObserver] = [self._narrator, latency]
        tracing = worker_options(self._plan)
        rtvi = DiscreetRtvi(output)
        return _worker(self.cascade.pipeline, watching, rtvi, idle_secs=idle_secs, tracing=tracing)

    def _greets(self, place: Place) -> Greeter | None:
        """What says a ready greeting, if any is kept."""
        greeting = None
        if place.greetings:
            greeting = Greeting.of(self._plan, place.site, place.greetings)
        return Greeter(greeting.text, greeting) if greeting else None

    def _filler(self, site: Site) -> Filler | None:
        """What bridges a late answer, if anything is to."""
        plan, told = self._plan, self._plan.bot.settings.fillers
        lines = (*told.phrases, *told.tools.values())
        if not (plan.config.turn.filler and told.enabled and lines):
            return None
        filler = Filler(
            FillerLines(told.phrases, told.tools, told.after_ms),
            Phrases(
                lines,
                plan.config.tts.model_dump_json(),
                partial(cascade.build_voice, plan.config, site),
            ),
        )

        @filler.event_handler("on_filled")
        async def filled(_: Filler, text: str) -> None:
            for guard in self.cascade.guards:
                guard.note_said(text)
            self._reports.tell(Filled(at_ms=self._reports.clock(), text=text))

        return filler

    def _ear(self, event: EarEvent) -> None:
        self._narrator.ear(event)

    async def _tool_called(self, result: ToolResult) -> None:
        self._reports.tell(
            ToolCalled(
                at_ms=self._reports.clock(),
                name=result.name,
                arguments=result.arguments,
                result=result.data or result.say,
                took_ms=result.took_ms,
                ok=result.ok,
            )
        )


def _worker(
    pipeline: Pipeline,
    observers: list[BaseObserver],
    rtvi: DiscreetRtvi,
    *,
    idle_secs: float,
    tracing: Tracing,
) -> PipelineWorker:
    """What runs the pipeline of one call."""
    worker = PipelineWorker(
        pipeline,
        params=PipelineParams(
            audio_in_sample_rate=AUDIO_IN_HZ,
            audio_out_sample_rate=AUDIO_OUT_HZ,
            enable_metrics=True,
            enable_usage_metrics=True,
        ),
        observers=observers,
        idle_timeout_secs=idle_secs,
        cancel_on_idle_timeout=False,
        processor_unusable_policy=ProcessorUnusablePolicy.CONTINUE,
        rtvi_processor=rtvi,
        # What the model writes is not yet what is said: an early answer may never be. Which
        # vendors are asked, and how long they take, is no caller's business.
        rtvi_observer_params=RTVIObserverParams(
            bot_llm_enabled=False, user_llm_enabled=False, metrics_enabled=False
        ),
        **tracing,
    )
    return watch(worker)
