"""When a request to a service is tried again, and how long it waits until then."""

from __future__ import annotations

from dataclasses import dataclass

_BUSY = 429


@dataclass(frozen=True)
class Patience:
    """How much is put into one request before it counts as failed."""

    tries: int = 4
    try_secs: float = 4.0
    """Longest wait for one answer."""
    total_secs: float = 10.0
    """Longest time for all tries and the waits between them."""
    base_secs: float = 0.25
    """The first wait is drawn from 0 to this; each next one from twice as much."""
    cap_secs: float = 2.0
    """No wait is drawn from more than this."""


@dataclass(frozen=True)
class Miss:
    """A try that brought nothing."""

    status: int | None
    """HTTP status; None if there was no answer that could be read."""
    retry_after_secs: float | None = None
    """When the service asks to be left alone until."""

    @property
    def passing(self) -> bool:
        """Whether the same request may well succeed later."""
        return self.status is None or self.status == _BUSY or self.status >= 500


def wait_secs(
    patience: Patience, miss: Miss, *, tries: int, spent_secs: float, luck: float
) -> float | None:
    """How long to wait before the next try; None to give up.

    Full jitter: the wait is drawn from the whole of a window that doubles, so that callers who
    failed together do not come back together. It is never shorter than the service asked for.

    Args:
        patience: The bounds.
        miss: What came of the last try.
        tries: How many there were.
        spent_secs: How long they took, with the waits between them.
        luck: Drawn evenly from 0 to 1.
    """
    if not miss.passing or tries >= patience.tries:
        return None
    window = min(patience.cap_secs, patience.base_secs * 2 ** (tries - 1))
    wait = luck * window + (miss.retry_after_secs or 0.0)
    return wait if spent_secs + wait < patience.total_secs else None
