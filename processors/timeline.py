"""When what happened on the way to one answer, and what of it the caller waited for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Moment = Literal[
    "quiet", "transcript", "committed", "tools_began", "tools_ended", "asked", "clause", "voiced",
    "released",
]  # fmt: skip
"""In order: the VAD heard silence, the last final transcript came, the turn was over, the first
tool ran, the last tool was done, the model was asked, the voice got its first clause, made its
first audio, and the gate behind it let the first audio through."""

_PATH: tuple[tuple[Moment, str], ...] = (
    ("quiet", "endpointing_wait"),
    ("transcript", "transcription"),
    ("committed", "turn_detection"),
    ("tools_began", "llm_inference"),
    ("tools_ended", "function_handler"),
    ("asked", "pipeline"),
    ("clause", "llm_inference"),
    ("voiced", "speech_synthesis"),
    ("released", "pipeline"),
)
"""What the time up to each moment was spent on, in the words of Pipecat's latency observer."""
_BEFORE_COMMIT = ("quiet", "transcript")


@dataclass
class Timeline:
    """The moments of one answer. Pure; times are milliseconds on any one clock."""

    speculated: bool = False
    """Whether the newest request was made before the turn was over."""
    tried: bool = False
    """Whether any was."""
    _at_ms: dict[Moment, float] = field(default_factory=dict[Moment, float])

    @property
    def committed(self) -> bool:
        """Whether the caller's turn is over."""
        return "committed" in self._at_ms

    def request(self, *, early: bool) -> None:
        """The model is asked; `early`: before the turn is over."""
        self.speculated = early
        self.tried = self.tried or early

    def mark(self, moment: Moment, at_ms: float) -> None:
        """It happened, maybe again: the last time counts.

        What the turn did not wait for, a transcript that came after it was over, is left out.
        """
        if not (moment in _BEFORE_COMMIT and self.committed):
            self._at_ms[moment] = at_ms

    def first(self, moment: Moment, at_ms: float) -> None:
        """It happened; the first time since it was forgotten counts."""
        self._at_ms.setdefault(moment, at_ms)

    def forget(self, moment: Moment) -> None:
        """It was for a reply that nobody will hear."""
        self._at_ms.pop(moment, None)

    def path(self, since_ms: float | None, until_ms: float) -> list[tuple[str, float]]:
        """What the caller waited for, one thing after the other, in keys and seconds.

        Each step is counted from where the one before it ended, so what was done while something
        else was waited for counts nothing: a reply that was ready when the turn ended cost no
        time. The steps add up to the whole wait.

        Args:
            since_ms: The caller's last sample; None counts from the end of the turn.
            until_ms: The answer's first audible sample.
        """
        start_ms = self._at_ms.get("committed") if since_ms is None else since_ms
        if start_ms is None or start_ms > until_ms:
            return []
        spent: list[tuple[str, float]] = []
        reached_ms = start_ms
        for moment, key in _PATH:
            at_ms = min(self._at_ms.get(moment, reached_ms), until_ms)
            if at_ms > reached_ms:
                spent.append((key, (at_ms - reached_ms) / 1000))
                reached_ms = at_ms
        return [*spent, ("output_transport", (until_ms - reached_ms) / 1000)]
