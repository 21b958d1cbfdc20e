"""An OpenTelemetry collector on loopback: takes traces over HTTP, keeps each span."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

_WIRE: Any = trace_service_pb2


@dataclass
class Collector:
    """What came."""

    url: str = ""
    spans: list[Any] = field(default_factory=list[Any])
    raw: bytes = b""
    """Every request's body, to look for what must not be in any of them."""
    services: set[str] = field(default_factory=set[str])

    def named(self, name: str) -> list[Any]:
        """The spans of that name, in the order of their beginning."""
        found = [span for span in self.spans if span.name == name]
        return sorted(found, key=lambda span: span.start_time_unix_nano)

    async def take(self, request: web.Request) -> web.Response:
        """Take a batch, decoded as the wire format says."""
        body = await request.read()
        self.raw += body
        for resource in _WIRE.ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {
                it.value.string_value
                for it in resource.resource.attributes
                if it.key == "service.name"
            }
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        return web.Response(
            body=_WIRE.ExportTraceServiceResponse().SerializeToString(),
            content_type="application/x-protobuf",
        )


def told(span: Any) -> dict[str, Any]:
    """A span's attributes."""
    return {it.key: getattr(it.value, it.value.WhichOneof("value")) for it in span.attributes}


@asynccontextmanager
async def collecting() -> AsyncGenerator[Collector]:
    """Listen until the block ends."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        collector.url = f"http://{host}:{port}"
        yield collector
    finally:
        await runner.cleanup()
