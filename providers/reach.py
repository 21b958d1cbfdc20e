"""Whether a server listens where a provider's settings say."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


def answers(url: str, timeout_secs: float = 1.0) -> bool:
    """Whether a TCP connection to the server of `url` can be made. Blocks up to the timeout."""
    parts = urlsplit(url)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout_secs):
            return True
    except OSError:
        return False
