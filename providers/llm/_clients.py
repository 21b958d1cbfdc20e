"""The HTTP under the vendors' clients: no proxy before loopback, no long wait before a retry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pipecat.utils.http import connection_limits

from providers.addresses import of_this_machine
from providers.reach import refuse_long_waits

RETRIES = 1
"""Requests made again where a connection was closed while idle, or the vendor had a hiccup."""


@dataclass(frozen=True)
class Endpoint:
    """Where a model is, and by which key."""

    vendor: str
    """As errors name it."""
    url: str
    key: str = field(repr=False)


def trusts_proxies(url: str) -> bool:
    """Whether a proxy of the environment may stand before `url`: not before this machine."""
    return not of_this_machine(url)


def http_options(url: str) -> dict[str, Any]:
    """What the HTTP client under a vendor's is made with.

    Connections are kept between turns, however long the caller talks.
    """
    trusted = trusts_proxies(url)
    return {
        "trust_env": trusted,
        # Anthropic's client looks for proxies whatever `trust_env` says.
        "mounts": {} if trusted else dict.fromkeys(("all://", "http://", "https://")),
        "limits": connection_limits(
            max_keepalive_connections=100, max_connections=1000, keepalive_expiry=None
        ),
        "event_hooks": {"response": [refuse_long_waits]},
    }
