"""Lets Pipecat trace a call, where the operator has a collector."""

from __future__ import annotations

import asyncio
import os
from importlib.util import find_spec
from typing import TypedDict

from bots.plan import CallPlan
from errors import MissingError
from records import tracing

SERVICE = "offhook"
FLUSH_SECS = 3.0
"""How long the last spans of a call may take to leave; a collector that is away holds nobody up."""


class Tracing(TypedDict, total=False):
    """What Pipecat's worker is told."""

    enable_tracing: bool
    conversation_id: str
    additional_span_attributes: dict[str, str]


def check() -> None:
    """See at the start of a server whether the traces that are wanted can be made.

    Raises:
        MissingError: They are wanted, and a package is not installed.
    """
    if _settings() and not _installed():
        raise MissingError(
            f"{tracing.ENDPOINT} is set, and the packages that send traces are not installed: "
            "pip install 'offhook[otel]', or unset it.",
            field=tracing.ENDPOINT,
        )


def worker_options(plan: CallPlan) -> Tracing:
    """What the worker of a call is told, so that it traces; nothing where nobody wants it.

    Only in the process of the call, after its fork: the first time it starts the thread that sends.

    Raises:
        MissingError: Traces are wanted, and a package is not installed.
    """
    settings = _settings()
    if settings is None:
        return {}
    check()
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from pipecat.utils.tracing.setup import (
        setup_tracing,  # pyright: ignore[reportUnknownVariableType]
    )

    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        setup_tracing(service_name=SERVICE, exporter=tracing.exporter(settings))
    return {
        "enable_tracing": True,
        "conversation_id": plan.id,
        "additional_span_attributes": {
            "offhook.bot": plan.bot.name,
            "offhook.pipeline": plan.config.name,
            "offhook.transport": plan.transport,
        },
    }


async def flush() -> None:
    """Send what a call's spans still have to leave; before its process ends without a word."""
    if _settings() is None or not _installed():
        return
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        # The SDK waits as long as its exporter does, whatever it is told.
        sent = asyncio.ensure_future(asyncio.to_thread(provider.force_flush))
        await asyncio.wait({sent}, timeout=FLUSH_SECS)


def _installed() -> bool:
    """Whether the extra is here; Pipecat's services trace themselves only where the SDK is."""
    parents = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
    try:
        return all(find_spec(name) for name in parents)
    except ModuleNotFoundError:
        return False


def _settings() -> tracing.TraceSettings | None:
    # The exporter reads OpenTelemetry's variables from there as well, headers and all.
    return tracing.TraceSettings.read(os.environ)  # noqa: TID251
