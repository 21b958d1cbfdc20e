"""Spans leave with their times, and without what was said or a key."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Status, StatusCode

from records.redact import hide
from records.tracing import ENDPOINT, WORDS, TraceSettings, attributes, exporter
from tests.support.collector import Collector, collecting, told

pytestmark = pytest.mark.integration

SAID = "my name is Ada"
KEY = "sk-planted-in-a-span"


@pytest.mark.parametrize(
    ("environ", "settings"),
    [
        ({}, None),
        ({WORDS: "1"}, None),
        ({ENDPOINT: " "}, None),
        ({ENDPOINT: "http://127.0.0.1:4318"}, TraceSettings(words=False)),
        ({ENDPOINT: "http://127.0.0.1:4318", WORDS: "yes"}, TraceSettings(words=False)),
        ({ENDPOINT: "http://127.0.0.1:4318", WORDS: "1"}, TraceSettings(words=True)),
    ],
)
def test_the_environment_says_whether(
    environ: dict[str, str], settings: TraceSettings | None
) -> None:
    assert TraceSettings.read(environ) == settings


def test_text_that_nobody_thought_of_stays() -> None:
    given = {
        "metrics.ttfb": 0.2,
        "stream": True,
        "gen_ai.request.model": "nova-3",
        "a.new.attribute": SAID,
        "several": (SAID, SAID),
    }
    assert set(attributes(given, words=False)) == {"metrics.ttfb", "stream", "gen_ai.request.model"}


async def send(monkeypatch: pytest.MonkeyPatch, *, words: bool) -> Collector:
    """What a collector has of a span such as Pipecat's."""
    hide(KEY)
    async with collecting() as collector:
        monkeypatch.setenv(ENDPOINT, collector.url)
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter(TraceSettings(words))))
        with provider.get_tracer("pipecat").start_as_current_span("llm") as span:
            span.set_attributes({"input": SAID, "voice_id": KEY, "metrics.ttfb": 0.25})
            span.record_exception(ValueError(SAID))
            span.set_status(Status(StatusCode.ERROR, SAID))
            # The exporter blocks, and the collector is on this loop.
            await asyncio.to_thread(span.end)
        await asyncio.to_thread(provider.shutdown)
    return collector


async def test_words_stay_and_times_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = await send(monkeypatch, words=False)
    [span] = collector.spans
    assert told(span) == {"voice_id": "[hidden]", "metrics.ttfb": 0.25}
    assert [told(event) for event in span.events] == [{"exception.type": "ValueError"}]
    assert span.status.code == StatusCode.ERROR.value
    assert span.end_time_unix_nano > span.start_time_unix_nano
    assert SAID.encode() not in collector.raw


async def test_words_leave_where_they_are_wanted_and_keys_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collector = await send(monkeypatch, words=True)
    [span] = collector.spans
    assert told(span)["input"] == SAID
    assert span.status.message == SAID
    assert KEY.encode() not in collector.raw
