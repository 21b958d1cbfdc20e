"""The HTTP under the vendors' clients: no proxy before loopback, no long wait before a retry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pipecat.utils.http import connection_limits

RETRIES = 1
"""Requests made again where a connection was closed while idle, or the vendor had a hiccup."""
_LONGEST_WAIT_SECS = 1.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Endpoint:
    """Where a model is, and by which key."""

    vendor: str
    """As errors name it."""
    url: str
    key: str


def trusts_proxies(url: str) -> bool:
    """Whether a proxy of the environment may stand before `url`: not before this machine."""
    return urlsplit(url).hostname not in _LOOPBACK


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
        "event_hooks": {"response": [_refuse_long_waits]},
    }


async def _refuse_long_waits(response: Any) -> None:
    """Let no client sleep for a minute because `Retry-After` says so: a caller is on the line."""
    wait = response.headers.get("retry-after", "0")
    if not wait.replace(".", "", 1).isdigit() or float(wait) > _LONGEST_WAIT_SECS:
        response.headers["x-should-retry"] = "false"
