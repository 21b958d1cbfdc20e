"""How servers are reached: whether one listens, and how long it may ask us to wait."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_LONGEST_WAIT_SECS = 1.0


def answers(url: str, timeout_secs: float = 1.0) -> bool:
    """Whether a TCP connection to the server of `url` can be made. Blocks up to the timeout."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
        with socket.create_connection((parts.hostname or "", port), timeout_secs):
            return True
    except (OSError, ValueError):  # ValueError: no address at all
        return False


async def refuse_long_waits(response: Any) -> None:
    """Let no client sleep for a minute because `Retry-After` says so: a caller is on the line.

    Args:
        response: That of an HTTP client under a vendor's, which has just come.
    """
    wait = response.headers.get("retry-after", "0")
    if not wait.replace(".", "", 1).isdigit() or float(wait) > _LONGEST_WAIT_SECS:
        response.headers["x-should-retry"] = "false"
