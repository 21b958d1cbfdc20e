"""What a caller hears of the bot, packet by packet: when replies begin and what in them is late.

Pure: time is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from records.gate import Samples

QUIET_SECS = 0.6
"""A bot that was not heard for so long has ended its reply."""
LATE_MS = 40.0
"""A frame that is heard later than this after it was due is heard as a gap."""
_AUDIBLE = 300
"""Of 32768; the simulated voice peaks at 1600 where it is quietest."""


@dataclass
class Reply:
    """One stretch of the bot's speech, as a caller hears it who plays what comes at once."""

    start_secs: float
    """First audible sample."""
    end_secs: float
    """End of the last frame so far."""
    frames: int = 0
    late_frames: int = 0
    """Those more than `LATE_MS` behind a reply that had flowed on from its first sample."""
    latest_ms: float = 0.0
    """How far behind it the worst frame was."""


class BotEar:
    """Sorts the packets of one call into replies."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        """In order; the last may go on."""
        self._due_secs = 0.0

    def hear(self, samples: Samples, *, at_secs: float, rate_hz: int) -> None:
        """Take a packet.

        Args:
            samples: Mono.
            at_secs: When it came.
            rate_hz: Of the samples.
        """
        if not len(samples):
            return
        loud = np.abs(samples.astype(np.int32)) >= _AUDIBLE
        first = int(loud.argmax())
        if not loud[first]:
            return
        secs = len(samples) / rate_hz
        if not self.speaking(at_secs):
            self._begin(at_secs, skipped_secs=first / rate_hz)
        self._play(at_secs, secs)

    def speaking(self, now_secs: float) -> bool:
        """Whether the bot was heard within the last `QUIET_SECS`."""
        return bool(self.replies) and now_secs - self.replies[-1].end_secs < QUIET_SECS

    def _begin(self, at_secs: float, *, skipped_secs: float) -> None:
        self.replies.append(Reply(start_secs=at_secs + skipped_secs, end_secs=at_secs))
        self._due_secs = at_secs

    def _play(self, at_secs: float, secs: float) -> None:
        reply = self.replies[-1]
        played_secs = max(at_secs, reply.end_secs)
        late_ms = (played_secs - self._due_secs) * 1000
        reply.end_secs = played_secs + secs
        reply.frames += 1
        reply.latest_ms = max(reply.latest_ms, late_ms)
        reply.late_frames += late_ms > LATE_MS
        self._due_secs += secs
