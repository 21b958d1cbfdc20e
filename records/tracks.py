"""Places the caller's and the bot's audio on one clock: the caller's samples, as they arrive."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16_000
"""Of both tracks of a recording."""

JOIN_MS = 80
"""Bot audio that comes no later than this after the last goes right behind it: chunks jitter."""
GAP_MS = 400
"""The caller's audio may be this late; what is missing longer becomes silence."""
_HOLD_MS = 200
"""How long silence of the bot is held back for a chunk that still belongs there."""
_AHEAD_MS = 5_000
"""Bot audio further ahead of the clock was never played in time; it is dropped."""
_ARRIVALS = 50


@dataclass
class _Track:
    """A track's samples that are not yet taken, and where it ends."""

    chunks: deque[NDArray[np.int16]] = field(default_factory=deque[NDArray[np.int16]])
    end: int = 0

    def add(self, samples: NDArray[np.int16]) -> None:
        if len(samples):
            self.chunks.append(samples)
            self.end += len(samples)

    def pad_to(self, position: int) -> None:
        if position > self.end:
            self.add(np.zeros(position - self.end, np.int16))

    def take(self, into: NDArray[np.int16]) -> None:
        """Move the oldest samples there, as many as fit in; there are enough."""
        at = 0
        while at < len(into):
            chunk = self.chunks.popleft()
            fits = len(into) - at
            if len(chunk) > fits:
                self.chunks.appendleft(chunk[fits:])
                chunk = chunk[:fits]
            into[at : at + len(chunk)] = chunk
            at += len(chunk)


class TwoTrack:
    """Aligns two live streams of audio into pairs of samples (left caller, right bot).

    Feed it what arrived and what was played, each with the time it happened, and call `take()`
    for what can no longer change. It holds about 0.2 s of audio, and at most a few seconds.

    Args:
        rate_hz: Of both streams.
        join_ms: See `JOIN_MS`.
        gap_ms: See `GAP_MS`.
    """

    def __init__(
        self, rate_hz: int = RATE_HZ, *, join_ms: int = JOIN_MS, gap_ms: int = GAP_MS
    ) -> None:
        self._rate_hz = rate_hz
        self._join = rate_hz * join_ms // 1000
        self._gap = rate_hz * gap_ms // 1000
        self._hold = rate_hz * _HOLD_MS // 1000
        self._ahead = rate_hz * _AHEAD_MS // 1000
        self._caller = _Track()
        self._bot = _Track()
        self._taken = 0
        self._filling = False
        self._owed = 0
        self._arrivals: deque[float] = deque(maxlen=_ARRIVALS)
        self.dropped = 0
        """Bot samples thrown away because they came faster than they can be played."""

    def caller(self, audio: bytes, at_secs: float) -> None:
        """Add audio of the caller whose last sample arrived at `at_secs`."""
        samples = np.frombuffer(audio, np.int16)
        now = self._go_on(at_secs)
        if self._filling:
            self._caller.pad_to(now - len(samples))
            self._filling = False
        self._caller.add(samples)
        self._arrivals.append(self._caller.end - at_secs * self._rate_hz)

    def bot(self, audio: bytes, at_secs: float, *, lasting: int | None = None) -> None:
        """Add audio of the bot that had been played by `at_secs`.

        Args:
            audio: What is known of it; a resampler keeps some back and gives it later.
            at_secs: When its last sample was played.
            lasting: Samples it lasts, if `audio` is more or less than it.
        """
        samples = np.frombuffer(audio, np.int16)
        lasting = len(samples) if lasting is None else lasting
        start = self._go_on(at_secs) - lasting
        if lasting and start - self._bot.end - self._owed > self._join:
            self._bot.pad_to(start)
            self._owed = 0
        self._owed = max(self._owed + lasting - len(samples), 0)
        room = max(start + lasting + self._ahead - self._bot.end, 0)
        self.dropped += max(len(samples) - room, 0)
        self._bot.add(samples[:room])

    def tick(self, at_secs: float) -> None:
        """Let time pass although nothing arrives."""
        self._go_on(at_secs)

    def take(self) -> NDArray[np.int16]:
        """What can no longer change, one row a sample: caller, bot."""
        return self._take_to(min(self._caller.end, self._bot.end))

    def close(self) -> NDArray[np.int16]:
        """The rest of both tracks, padded to equal length."""
        end = max(self._caller.end, self._bot.end)
        self._caller.pad_to(end)
        self._bot.pad_to(end)
        return self._take_to(end)

    def _go_on(self, at_secs: float) -> int:
        """Fill what is missing up to `at_secs` with silence; return that time in samples."""
        clock = at_secs * self._rate_hz
        if not self._arrivals:
            self._arrivals.append(-clock)
        # An arrival can be late and never early, so the earliest of the last ones tells the time.
        now = round(clock + max(self._arrivals))
        if now - self._gap > self._caller.end:
            self._caller.pad_to(now - self._gap)
            self._filling = True
        self._bot.pad_to(now - self._hold)
        return now

    def _take_to(self, end: int) -> NDArray[np.int16]:
        pairs = np.empty((end - self._taken, 2), np.int16)
        self._taken = end
        self._caller.take(pairs[:, 0])
        self._bot.take(pairs[:, 1])
        return pairs
