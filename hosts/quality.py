"""Whether the calls that run are served well enough for one more. Pure."""

from __future__ import annotations

from dataclasses import dataclass

LAG_MS = 25.0
"""A loop this late misses the slot of a 20 ms packet, the pace of the audio on every transport.

It is chosen for that, not measured: nothing fails on a host past its edge, it is only late.
"""
LAGGING_SHARE = 1 / 3
"""One call alone may be slow by its own doing; of so many it is the machine."""
BAD_SECS = 2.0
"""A call that begins makes its loop late for a moment; four pulses in a row are no chance."""
GOOD_SECS = 5.0
"""Longer than it takes to shut, so that the door does not flap with each call that ends."""
LATE_SECS = 1.25
"""How long a frame that left more than 40 ms late is held against the host: two pulses and a half,
so that a frame every second is bad all the time. 40 ms is the design's bound for any frame.
"""
SILENT_SECS = 1.5
"""A call that tells nothing for three pulses has a loop that is late by as much."""
START_SECS = 3.0
"""How long a call begins, from its first pulse on: how it is meanwhile says nothing of the host."""
FORGOTTEN_SECS = 10.0
"""By then a host has ended a call that tells nothing."""


@dataclass
class _Reading:
    """The last that a call told."""

    lag_p99_ms: float
    at_secs: float
    began_secs: float
    """When it told of itself for the first time."""
    late_at_secs: float = float("-inf")
    """When it last told of a late frame."""

    def begins(self, now_secs: float) -> bool:
        return now_secs - self.began_secs < START_SECS

    def lags(self, now_secs: float) -> bool:
        return self.lag_p99_ms > LAG_MS or now_secs - self.at_secs > SILENT_SECS


class QualityDoor:
    """Shut while the calls that run are served badly; nobody is let in then.

    Bad is: more than a third of the calls have loops that are late, or any sends audio late. After
    two seconds of that without a break it shuts, after five of the contrary it opens. Calls that
    only begin do not count; without others it is open. Times are seconds on any one clock that only
    goes forward.
    """

    def __init__(self) -> None:
        self._readings: dict[str, _Reading] = {}
        self._bad = False
        self._since_secs = 0.0
        """When it turned bad, or good."""
        self._shut = False

    def feed(self, name: str, *, lag_p99_ms: float, late_frames: int, now_secs: float) -> None:
        """A call tells how it is.

        Args:
            name: Of the call.
            lag_p99_ms: How late its loop ran what was due, since it last told.
            late_frames: Audio frames that left more than 40 ms late, since it last told.
            now_secs: The time.
        """
        # What silence since the last news has meant is settled before the news.
        self._settle(now_secs)
        before = self._readings.get(name)
        began_secs = before.began_secs if before else now_secs
        late_at_secs = before.late_at_secs if before else float("-inf")
        if late_frames > 0 and now_secs - began_secs >= START_SECS:
            late_at_secs = now_secs
        self._readings[name] = _Reading(lag_p99_ms, now_secs, began_secs, late_at_secs)
        self._settle(now_secs)

    def forget(self, name: str, now_secs: float) -> None:
        """A call is over."""
        self._settle(now_secs)
        self._readings.pop(name, None)
        self._settle(now_secs)

    def shut(self, now_secs: float) -> bool:
        """Whether nobody may come in."""
        self._settle(now_secs)
        return self._shut

    def opens_in_secs(self, now_secs: float) -> float:
        """How long it stays shut at least; 0 where it is open."""
        if not self.shut(now_secs):
            return 0.0
        return GOOD_SECS if self._bad else self._since_secs + GOOD_SECS - now_secs

    def _settle(self, now_secs: float) -> None:
        self._readings = {
            name: reading
            for name, reading in self._readings.items()
            if now_secs - reading.at_secs <= FORGOTTEN_SECS
        }
        if not self._readings:
            self._bad = self._shut = False
            return
        bad = self._is_bad(now_secs)
        if bad != self._bad:
            self._bad, self._since_secs = bad, now_secs
        if now_secs - self._since_secs >= (BAD_SECS if bad else GOOD_SECS):
            self._shut = bad

    def _is_bad(self, now_secs: float) -> bool:
        readings = [it for it in self._readings.values() if not it.begins(now_secs)]
        lagging = sum(reading.lags(now_secs) for reading in readings)
        late = any(now_secs - reading.late_at_secs < LATE_SECS for reading in readings)
        return late or lagging > LAGGING_SHARE * len(readings)
