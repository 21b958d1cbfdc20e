"""When a wait for the bot is long enough for a word, and for which. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

SOON_MS = 250
"""An answer expected within it is waited for: a word just before it would be in its way."""
_REMEMBERED = 5
"""Answers that the estimate is the median of: enough that one slow one does not count, few enough
to follow a model that grows slow."""


@dataclass(frozen=True)
class FillerLines:
    """What may be said while the caller waits."""

    phrases: tuple[str, ...]
    """For any wait; taken in turn."""
    tools: Mapping[str, str]
    """For the wait for a tool: its name and the sentence."""
    after_ms: float
    """How long a silence, from the caller's last sample, may last."""


@dataclass
class _Turn:
    """A wait for the bot: since the caller's turn opened."""

    since_ms: float | None = None
    """When the answer was last asked for: as the turn was committed, or as a tool was done."""
    first_ms: float = 0.0
    """When the turn was committed."""
    asked: bool = False
    """Whether the model is known to be at work on it."""
    early: bool = False
    """Whether it was so before the turn was committed."""
    voiced_ms: float | None = None
    """When the voice was given the first sentence."""
    heard: bool = False
    """Whether there was a first sound."""
    sounded: bool = False
    """Whether the answer has begun; what the model says before a tool runs is none."""
    sound_until_ms: float = float("-inf")
    """When what the model has said so far is over."""
    made: bool = False
    """Whether the voice has made all of it."""
    phrase_said: bool = False
    sentence_said: bool = False
    line_until_ms: float = float("-inf")
    """When the line that was said is over."""


@dataclass
class FillerClock:
    """Decides when a wait is long enough for a word, and which. Pure; times are in ms.

    At most one phrase a turn, and one sentence about a tool after it; never once the answer is
    heard, never while the caller speaks, and never the same line twice in a row. Where the model
    says something and runs a tool, the silence counts from its last sound or from the tool's start.
    """

    lines: FillerLines
    _turn: _Turn = field(default_factory=_Turn)
    _tools: dict[str, tuple[str, float]] = field(default_factory=dict[str, tuple[str, float]])
    _waits_ms: dict[bool, deque[float]] = field(default_factory=lambda: _memories())
    """From the commit to the first sound, of answers begun early and of the others."""
    _speaking: bool = False
    _ended_ms: float = float("-inf")
    _last: str = ""
    _next: int = 0

    @property
    def busy(self) -> bool:
        """Whether the voice is at work, or may be needed at any moment.

        It is so from the caller's first word until the answer to it is made, and from the start of
        the call until the greeting is.
        """
        return self._speaking or bool(self._tools) or not self._turn.made

    def caller_started(self) -> None:
        """The caller is heard."""
        self._speaking = True

    def caller_stopped(self, ended_ms: float) -> None:
        """The caller is not heard any more; `ended_ms`: their last sample."""
        self._speaking = False
        self._ended_ms = ended_ms

    def opened(self) -> None:
        """The caller has the turn: whatever the bot was about to say, nobody waits for it."""
        self._turn = _Turn()
        self._tools.clear()

    def committed(self, now_ms: float) -> None:
        """The caller's turn is over."""
        turn = self._turn
        turn.since_ms = turn.first_ms = now_ms
        if self._ended_ms == float("-inf"):
            self._ended_ms = now_ms

    def asked(self, *, early: bool = False) -> None:
        """The model is at work on an answer; `early`: since before the turn was committed."""
        self._turn.asked, self._turn.early = True, early
        self._turn.made = False

    def gave_up(self) -> None:
        """The model is done; unless a tool runs, there is nothing more to wait for."""
        self._turn.asked = False

    def voiced(self, now_ms: float) -> None:
        """The voice has been given the answer's beginning."""
        if self._turn.voiced_ms is None:
            self._turn.voiced_ms = now_ms

    def sounded(self, now_ms: float, length_ms: float) -> None:
        """Some more of the bot's sound is here, to be heard for so long after what there was."""
        turn = self._turn
        if not turn.heard and turn.since_ms is not None:
            self._waits_ms[turn.early].append(now_ms - turn.first_ms)
        turn.heard = True
        # What the model said before the tool may come after the news that the tool runs.
        turn.sounded = not self._tools
        turn.sound_until_ms = max(turn.sound_until_ms, now_ms) + length_ms
        turn.line_until_ms = float("-inf")

    def made(self) -> None:
        """The voice has made all that it was given."""
        self._turn.made = True

    def tool_started(self, call_id: str, name: str, now_ms: float) -> None:
        """A tool runs; whatever the model said before it is not the answer."""
        turn = self._turn
        self._tools[call_id] = (name, now_ms)
        if turn.sounded:
            turn.sounded = False
            turn.sound_until_ms = max(turn.sound_until_ms, now_ms)

    def tool_ended(self, call_id: str, now_ms: float) -> None:
        """It is done, or was given up; the model, or the voice, has its result now."""
        turn = self._turn
        if self._tools.pop(call_id, None) and turn.since_ms is not None:
            turn.since_ms, turn.voiced_ms = now_ms, None
            turn.made = False

    def due(self) -> float | None:
        """When to speak if nothing happens until then; None if there is nothing to wait for."""
        turn = self._turn
        if self._speaking or turn.sounded or turn.since_ms is None:
            return None
        times = [at for at, _ in self._sentences_due()]
        if not turn.phrase_said and (turn.asked or self._tools):
            times.append(self._phrase_due(turn.since_ms))
        return min(times, default=None)

    def take(self, now_ms: float, ready: Mapping[str, float]) -> str | None:
        """What to say at this moment, if anything; it counts as said.

        Args:
            now_ms: The time.
            ready: The lines whose sound is there, and for how long each is heard, in ms.
        """
        due_ms = self.due()
        if due_ms is None or now_ms < due_ms:
            return None
        turn = self._turn
        told = [text for at, text in self._sentences_due() if at <= now_ms]
        turn.sentence_said = turn.sentence_said or bool(told)
        wanted = told if turn.phrase_said else [*told, *self._rotated()]
        turn.phrase_said = True
        line = next((text for text in wanted if text in ready and text != self._last), None)
        if line is None:
            return None
        if line in self.lines.phrases:
            self._next = self.lines.phrases.index(line) + 1
        self._last = line
        turn.line_until_ms = now_ms + ready[line]
        return line

    def _phrase_due(self, since_ms: float) -> float:
        turn = self._turn
        quiet_ms = max(self._ended_ms, turn.sound_until_ms)
        due_ms = max(quiet_ms + self.lines.after_ms, turn.first_ms)
        if self._tools:
            return due_ms
        expected_ms = self._expected_ms(since_ms)
        if expected_ms is not None and expected_ms <= due_ms + SOON_MS:
            due_ms = max(due_ms, expected_ms + SOON_MS)
        if turn.voiced_ms is not None:
            due_ms = max(due_ms, turn.voiced_ms + SOON_MS)
        return due_ms

    def _expected_ms(self, since_ms: float) -> float | None:
        """When the answer should sound; None where there is nothing to tell it from."""
        waits_ms = self._waits_ms[self._turn.early]
        if waits_ms:
            return since_ms + median(waits_ms)
        # One that was begun early may be there at once, one that was not never is.
        return since_ms if self._turn.early else None

    def _sentences_due(self) -> list[tuple[float, str]]:
        turn = self._turn
        if turn.sentence_said:
            return []
        quiet_ms = max(self._ended_ms, turn.first_ms, turn.sound_until_ms, turn.line_until_ms)
        return [
            (max(began_ms, quiet_ms) + self.lines.after_ms, self.lines.tools[name])
            for name, began_ms in self._tools.values()
            if name in self.lines.tools
        ]

    def _rotated(self) -> tuple[str, ...]:
        phrases = self.lines.phrases
        first = self._next % len(phrases) if phrases else 0
        return phrases[first:] + phrases[:first]


def _memories() -> dict[bool, deque[float]]:
    return {early: deque(maxlen=_REMEMBERED) for early in (False, True)}
