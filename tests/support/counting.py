"""A server's figures, counted from events of calls that do not happen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from records.events import CallEvent, CallStarted
from records.metrics import Metrics


@dataclass(frozen=True)
class Name:
    name: str


@dataclass(frozen=True)
class Stage:
    provider: str


@dataclass(frozen=True)
class Pipeline:
    name: str = "local"
    stt: Stage = Stage("deepgram")
    llm: Stage = Stage("groq")
    tts: Stage = Stage("deepgram")


@dataclass(frozen=True)
class Plan:
    id: str = "c1"
    bot: Name = Name("receptionist")
    config: Pipeline = Pipeline()
    transport: str = "webrtc"


@dataclass(frozen=True)
class Pulse:
    lag_p99_ms: float = 2.0
    late_frames: int = 0
    rss_bytes: int = 1000
    cpu_secs: float = 1.0


@dataclass
class Clock:
    now_secs: float = 0.0

    def __call__(self) -> float:
        return self.now_secs


@dataclass
class Counted:
    """Metrics, and one of their samples at a time."""

    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.metrics = Metrics(self.clock)

    def samples(self) -> Iterator[tuple[str, dict[str, str], float]]:
        text = self.metrics.text().decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                yield sample.name, dict(sample.labels), sample.value

    def value(self, name: str, **labels: str) -> float:
        found = [
            value
            for sample, own, value in self.samples()
            if sample == f"offhook_{name}" and own.items() >= labels.items()
        ]
        return sum(found)

    def tell(self, *events: CallEvent, plan: Plan | None = None) -> None:
        for event in events:
            self.metrics.event(plan or Plan(), event)


def begun(plan: Plan) -> CallStarted:
    return CallStarted(
        at_ms=0,
        call_id=plan.id,
        bot=plan.bot.name,
        pipeline=plan.config.name,
        transport=plan.transport,
    )
