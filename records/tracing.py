"""Traces for OpenTelemetry: who wants them, and what of a call they may carry.

Pipecat makes the spans (`bots/tracing.py` lets it) and writes what was said into them; here it is
taken out again, before anything leaves the process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from records.redact import redact

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.util.types import AttributeValue

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""OpenTelemetry's own variable: the collector's address; its exporter reads the others itself."""
WORDS = "OFFHOOK_TRACE_WORDS"
"""`1` lets transcripts, prompts and answers into the spans."""
SEND_SECS = 5.0
"""How long one batch may take to be taken by the collector."""

_TEXTS = frozenset({
    "conversation.id", "conversation.type", "exception.type", "gen_ai.operation.name",
    "gen_ai.output.type", "gen_ai.provider.name", "gen_ai.request.model", "language",
    "offhook.bot", "offhook.pipeline", "offhook.transport", "service.operation", "tool_choice",
    "turn.type", "voice_id",
})  # fmt: skip
"""Attributes whose text is nobody's words; any other text stays here, also one not thought of."""


@dataclass(frozen=True)
class TraceSettings:
    """That traces are wanted."""

    words: bool = False
    """Whether what was said may be in them."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> TraceSettings | None:
        """Read the environment; None where no traces are wanted."""
        if not environ.get(ENDPOINT, "").strip():
            return None
        return cls(words=environ.get(WORDS, "").strip() == "1")


def exporter(settings: TraceSettings) -> SpanExporter:
    """What sends spans to the collector over HTTP. It starts no thread.

    Raises:
        ImportError: The extra `otel` is not installed.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return discreet(OTLPSpanExporter(timeout=SEND_SECS), words=settings.words)


def discreet(inner: SpanExporter, *, words: bool) -> SpanExporter:
    """An exporter that hands spans on to `inner` without words, unless they are wanted, or keys."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.trace import Status

    def cleaned(span: ReadableSpan) -> ReadableSpan:
        return ReadableSpan(
            name=span.name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=attributes(span.attributes, words=words),
            events=[_event(event, words=words) for event in span.events],
            links=span.links,
            kind=span.kind,
            # Its description is an exception's message, which may quote what was said.
            status=span.status if words else Status(span.status.status_code),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    class Discreet(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return inner.export([cleaned(span) for span in spans])

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return inner.force_flush(timeout_millis)

        def shutdown(self) -> None:
            inner.shutdown()

    return Discreet()


def attributes(
    given: Mapping[str, AttributeValue] | None, *, words: bool
) -> dict[str, AttributeValue]:
    """Those that may leave: numbers, and text that is nobody's words; all, if words are wanted."""
    kept = given or {}
    if not words:
        kept = {
            name: value
            for name, value in kept.items()
            if isinstance(value, bool | int | float) or name in _TEXTS
        }
    return {
        name: redact(value) if isinstance(value, str) else value for name, value in kept.items()
    }


def _event(event: Event, *, words: bool) -> Event:
    from opentelemetry.sdk.trace import Event

    return Event(event.name, attributes(event.attributes, words=words), event.timestamp)
