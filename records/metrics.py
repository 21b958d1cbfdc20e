"""What a server counts about its calls, for Prometheus; docs/observe.md explains each figure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from records.events import (
    BargedIn,
    CallerJoined,
    CallEvent,
    CallStarted,
    CutIn,
    EndReason,
    Failed,
    FalseStop,
    Filled,
    Regret,
    ReplyStarted,
    Retried,
    Stage,
    StopReason,
    ToolCalled,
    Turn,
    Used,
)
from records.levels import Beat, Beats, Gauges, Levels

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
OTHER = "other"
"""Stands for every further value of a label that has too many, or for an unknown error code."""
NOBODY = "none"
"""The provider of a failure that is no provider's."""
MAX_NAMES = 64
"""Values of a label that are told apart; a server has some bots and some pipelines."""
ERROR_CODES = (
    "application", "authentication", "authorization", "connectivity", "invalid_request", "quota",
    "rate_limit", "server", "unknown",
)  # fmt: skip

_PRICES = {"llm": "llm_usd", "tts": "tts_usd", "stt": "stt_usd"}
"""Part of a call, and the field with its price."""
_WAIT_SECS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1, 1.2, 1.5, 2, 3, 5, 10)
_PART_SECS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2, 5)
_SPAWN_SECS = (0.001, 0.005, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10)
_CALL_SECS = (5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_LAG_SECS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 1)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class _Stage(Protocol):
    @property
    def provider(self) -> str: ...


class _Pipeline(_Named, Protocol):
    @property
    def stt(self) -> _Stage: ...

    @property
    def llm(self) -> _Stage: ...

    @property
    def tts(self) -> _Stage: ...


class Call(Protocol):
    """What is counted by, of a call's plan."""

    @property
    def id(self) -> str:
        """Never a label: there are as many as calls."""
        ...

    @property
    def bot(self) -> _Named:
        """Who speaks."""
        ...

    @property
    def config(self) -> _Pipeline:
        """The pipeline, and whose stages it has."""
        ...

    @property
    def transport(self) -> str:
        """How the caller came in."""
        ...


@dataclass
class _Live:
    """What must be remembered of a call while it goes."""

    bot: str
    pipeline: str
    transport: str
    joined_at_ms: int | None = None
    """When the caller came; None once they were greeted."""
    regret: dict[str, float] = field(default_factory=dict[str, float])
    """The most that was told; empty where an earlier server heard the beginning."""
    used: dict[str, float] = field(default_factory=dict[str, float])
    """Likewise."""


class Metrics:
    """Counts. A watch of a host: told of its calls on one event loop, asked for the text there.

    Args:
        clock: Seconds, which only grow; for the age of what the calls' processes told.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        # Each counter would have a second series that says since when; nobody asks for it.
        disable_created_metrics()
        self._registry = CollectorRegistry()
        self._live: dict[str, _Live] = {}
        self._names: dict[str, set[str]] = {}
        self._beats = Beats(clock)
        self.levels: Callable[[], Levels] = Levels
        """Asked at each scrape; must not block."""
        self._takes: dict[type[Any], Callable[[_Live, Any], None]] = {
            CallStarted: self._call_started,
            CallerJoined: self._caller_joined,
            ReplyStarted: self._reply_started,
            Turn: self._turn,
            BargedIn: lambda _, event: self._barge_in.observe(event.stop_ms / 1000),
            CutIn: lambda live, _: self._cut_ins.labels(live.pipeline).inc(),
            FalseStop: lambda _, event: self._false_stops.labels(event.why).inc(),
            Filled: lambda live, _: self._fillers.labels(live.pipeline).inc(),
            Regret: self._regretted,
            Used: self._used,
            ToolCalled: self._tool_called,
            Failed: lambda _, event: self._trouble(self._errors, event),
            Retried: lambda _, event: self._trouble(self._retries, event),
        }
        self._count_calls()
        self._count_turns()
        self._count_providers()
        self._count_processes()

    def text(self) -> bytes:
        """Everything, in Prometheus' text format (`CONTENT_TYPE`)."""
        return generate_latest(self._registry)

    def started(self, plan: Call) -> None:
        """A call's process was told to begin, or an earlier server's call was found."""
        live = self._live[plan.id] = self._entry(plan)
        # The first of its kind is an increase only where there was a zero before it.
        for reason in get_args(EndReason):
            self._ended.labels(live.bot, live.pipeline, reason)
        for stage in get_args(Stage):
            self._late.labels(live.pipeline, stage)
        for counter in (self._cut_ins, self._fillers, *self._wasted.values()):
            counter.labels(live.pipeline)
        for stage in (plan.config.stt, plan.config.llm, plan.config.tts):
            for code in ERROR_CODES:
                self._errors.labels(self._name("provider", stage.provider), code)

    def event(self, plan: Call, event: CallEvent) -> None:
        """Something happened in a call."""
        take = self._takes.get(type(event))
        if take:
            take(self._entry(plan), event)

    def pulse(self, name: str, pulse: Beat) -> None:
        """A call's process, by its name, told how it is."""
        self._cpu.inc(self._beats.take(name, pulse))
        self._lag.observe(pulse.lag_p99_ms / 1000)
        self._late_frames.inc(max(0, pulse.late_frames))

    def ended(self, plan: Call, reason: EndReason, secs: float) -> None:
        """A call is over, `secs` after it was started or found."""
        live = self._entry(plan)
        self._live.pop(plan.id, None)
        self._ended.labels(live.bot, live.pipeline, reason).inc()
        if reason != "never_joined":
            self._durations.labels(live.pipeline).observe(max(0.0, secs))

    def refused(self, why: str) -> None:
        """A call was not taken."""
        self._refusals.labels(self._name("why", why)).inc()

    def spawned(self, kind: str, ms: float) -> None:
        """A process was had for a call, `ms` after it was asked for."""
        self._spawns.labels(self._name("kind", kind)).observe(ms / 1000)

    def _count_calls(self) -> None:
        labels = ("bot", "pipeline")
        self._started = self._counter("calls_started", "Calls begun", *labels, "transport")
        self._ended = self._counter("calls_ended", "Calls over, by why", *labels, "reason")
        self._durations = self._histogram(
            "call_duration", "Length of calls", _CALL_SECS, "pipeline"
        )
        self._refusals = self._counter("refusals", "Calls that were not taken", "why")
        self._spawns = self._histogram(
            "spawn", "Asking for a call's process to having it", _SPAWN_SECS, "kind"
        )
        self._greeting = self._histogram(
            "greeting", "The caller's coming to the bot's first sound", _WAIT_SECS, "pipeline"
        )

    def _count_turns(self) -> None:
        answered = "The caller's last sample to the bot's first"
        self._turns = self._counter("turns", "Exchanges", "pipeline", "speculated")
        self._ear = self._histogram(
            "ear_latency", f"{answered}, also of a filler", _WAIT_SECS, "pipeline"
        )
        self._answers = self._histogram(
            "answer_latency", f"{answered} of the answer", _WAIT_SECS, "pipeline"
        )
        self._parts = self._histogram(
            "turn_part", "Where the wait for an answer went", _PART_SECS, "pipeline", "stage"
        )
        self._late = self._counter(
            "late_answers", "Answers over the bot's budget, by what took longest",
            "pipeline", "stage",
        )  # fmt: skip
        self._barge_in = self._histogram(
            "barge_in_stop", "The caller's first sample to the bot's last", _WAIT_SECS
        )
        self._false_stops = self._counter("false_stops", "Pauses for what was no turn", "why")
        for why in get_args(StopReason):
            self._false_stops.labels(why)
        self._cut_ins = self._counter("cut_ins", "The bot spoke into the caller's turn", "pipeline")
        self._fillers = self._counter("fillers", "Fillers that were heard", "pipeline")
        self._tools = self._histogram("tool", "A tool's work", _WAIT_SECS, "bot", "outcome")

    def _count_providers(self) -> None:
        labels = ("provider", "code")
        self._errors = self._counter("provider_errors", "Failures told by providers", *labels)
        self._retries = self._counter(
            "provider_retries", "Failures that cost the caller nothing, as it is asked again",
            *labels,
        )  # fmt: skip
        self._tokens = self._counter(
            "llm_tokens", "Tokens, as the models told them", "pipeline", "kind"
        )
        self._characters = self._counter(
            "tts_characters", "Characters given to the voice", "pipeline"
        )
        self._stt_secs = self._counter("stt_seconds", "Audio given to the recogniser", "pipeline")
        self._cost = self._counter(
            "cost_usd", "US dollars by list prices, where they are known", "pipeline", "part"
        )
        self._wasted = {
            field: self._counter(f"regret_{field}", f"{what} of early answers in vain", "pipeline")
            for field, what in {
                "replies": "Number",
                "tokens": "Tokens written",
                "characters": "Characters given to the voice",
                "usd": "US dollars, by list prices,",
            }.items()
        }

    def _count_processes(self) -> None:
        self._lag = self._histogram(
            "loop_lag", "Each call's 99th percentile of its event loop's lag, of each half second",
            _LAG_SECS,
        )  # fmt: skip
        self._late_frames = self._counter("late_frames", "Audio frames that left too late")
        self._cpu = self._counter("child_cpu_seconds", "Processor time of the calls' processes")
        self._registry.register(
            Gauges(lambda: self.levels(), live=lambda: len(self._live), beats=self._beats)
        )
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        build = Info("offhook_build", "What runs here", registry=self._registry)
        build.info({"version": _version("offhook"), "pipecat": _version("pipecat-ai")})

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(f"offhook_{name}", f"{help_}.", labels, registry=self._registry)

    def _histogram(
        self, name: str, help_: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(
            f"offhook_{name}_seconds",
            f"{help_}.",
            labels,
            buckets=buckets,
            registry=self._registry,
        )

    def _entry(self, plan: Call) -> _Live:
        """What is known of a call; nothing is, of one that is over or was not told to begin."""
        return self._live.get(plan.id) or _Live(
            bot=self._name("bot", plan.bot.name),
            pipeline=self._name("pipeline", plan.config.name),
            transport=self._name("transport", plan.transport),
        )

    def _name(self, label: str, value: str) -> str:
        """The value of a label; a further one than `MAX_NAMES` is no series of its own."""
        known = self._names.setdefault(label, set())
        if len(known) < MAX_NAMES:
            known.add(value)
        return value if value in known else OTHER

    def _call_started(self, live: _Live, _: CallStarted) -> None:
        self._started.labels(live.bot, live.pipeline, live.transport).inc()
        live.regret = dict.fromkeys(self._wasted, 0.0)
        live.used = dict.fromkeys(Used.model_fields, 0.0)

    def _caller_joined(self, live: _Live, event: CallerJoined) -> None:
        live.joined_at_ms = event.at_ms

    def _reply_started(self, live: _Live, event: ReplyStarted) -> None:
        joined_at_ms, live.joined_at_ms = live.joined_at_ms, None
        if joined_at_ms is not None:
            waited_ms = max(0, event.at_ms - joined_at_ms)
            self._greeting.labels(live.pipeline).observe(waited_ms / 1000)

    def _turn(self, live: _Live, event: Turn) -> None:
        self._turns.labels(live.pipeline, "yes" if event.speculated else "no").inc()
        if event.ear_ms is not None:
            self._ear.labels(live.pipeline).observe(max(0, event.ear_ms) / 1000)
        if event.answer_ms is not None:
            self._answers.labels(live.pipeline).observe(max(0, event.answer_ms) / 1000)
        for part in event.parts:
            self._parts.labels(live.pipeline, part.stage).observe(part.ms / 1000)
        if event.over_ms:
            self._late.labels(live.pipeline, event.blame or OTHER).inc()

    def _regretted(self, live: _Live, event: Regret) -> None:
        """Add what was thrown away since it was told last: the events carry running totals."""
        totals = {name: float(getattr(event, name)) for name in self._wasted}
        more, live.regret = _grown(totals, live.regret)
        for name, counter in self._wasted.items():
            counter.labels(live.pipeline).inc(more[name])

    def _used(self, live: _Live, event: Used) -> None:
        """Likewise of all that was used; what has no price is no series, rather than nothing."""
        counters = {
            "prompt_tokens": self._tokens.labels(live.pipeline, "prompt"),
            "cached_tokens": self._tokens.labels(live.pipeline, "cached"),
            "completion_tokens": self._tokens.labels(live.pipeline, "completion"),
            "characters": self._characters.labels(live.pipeline),
            "stt_secs": self._stt_secs.labels(live.pipeline),
        }
        for part, name in _PRICES.items():
            if getattr(event, name) is not None:
                counters[name] = self._cost.labels(live.pipeline, part)
        totals = {name: float(getattr(event, name)) for name in counters}
        more, live.used = _grown(totals, live.used)
        for name, counter in counters.items():
            counter.inc(more[name])

    def _tool_called(self, live: _Live, event: ToolCalled) -> None:
        outcome = "ok" if event.ok else "failed"
        self._tools.labels(live.bot, outcome).observe(max(0, event.took_ms) / 1000)

    def _trouble(self, counter: Counter, event: Failed | Retried) -> None:
        provider = self._name("provider", event.provider or NOBODY)
        counter.labels(provider, event.code if event.code in ERROR_CODES else OTHER).inc()


def _grown(
    totals: dict[str, float], before: dict[str, float]
) -> tuple[dict[str, float], dict[str, float]]:
    """By how much running totals are more than they ever were, and the most they ever were.

    Without a `before` nothing is more: an earlier server has counted what they begin with.
    """
    most = {name: max(total, before.get(name, total)) for name, total in totals.items()}
    return {name: most[name] - before.get(name, most[name]) for name in totals}, most


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"
