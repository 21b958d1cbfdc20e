"""The one clock of what is decided between frames."""

from __future__ import annotations

import time


def now_ms() -> float:
    """Milliseconds on a clock that only goes forward, the event loop's own."""
    return time.monotonic() * 1000
