"""What the bot does about a caller who says nothing: ask, ask again, take leave. Pure.

Pipecat's user idle controller tells of the silence: it counts from the bot's last sound, and not
while the caller or the bot has the turn, or a tool runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Patience:
    """Counts the silences of a caller in a row.

    Args:
        prompts: What is asked at the first silence, the second, ...
        goodbye: What is said at the one after them.
    """

    prompts: Sequence[str]
    goodbye: str
    _silences: int = 0
    _leaving: bool = False

    def silent(self) -> str:
        """The caller was silent for long; what to say to that."""
        self._leaving = self._silences >= len(self.prompts)
        if self._leaving:
            return self.goodbye
        self._silences += 1
        return self.prompts[self._silences - 1]

    def spoke(self) -> None:
        """The caller began a turn: all is well, even in the middle of the goodbye."""
        self._silences = 0
        self._leaving = False

    def said(self) -> bool:
        """The bot has said what it had to say; whether that was the goodbye, unanswered."""
        return self._leaving
