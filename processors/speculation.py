"""What early answers gain and waste in this call, and whether the next one is worth starting."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

CHARS_PER_TOKEN = 4.0
"""English text in the tokens of today's models; for counting what was thrown away."""
_NEWEST = 0.3
"""Weight of the newest value in a running average: a change shows within three turns."""
_LEAST_GAIN_MS = 30.0
"""A shorter gain nobody hears."""
_VOICE_SLACK_MS = 30.0
"""The voice is started early when its text is expected no later than this after the turn's end."""
_LOOK_AGAIN = 8
"""Without early answers nothing is learnt about them, so each so many turns one is tried."""
_FREE_CHARS = 600
"""What a call may waste before it is judged: two answers."""
_REMEMBERED = 64


@dataclass
class Average:
    """A running average that forgets; `value` is None until something was measured."""

    value: float | None = None

    def feed(self, measured: float) -> None:
        """Take a measurement."""
        known = measured if self.value is None else self.value
        self.value = known + _NEWEST * (measured - known)


@dataclass(frozen=True)
class Worth:
    """Whether to start an answer before the turn is over, and its voice with it."""

    answer: bool
    voice: bool


@dataclass(frozen=True)
class Regret:
    """What was generated for early answers that were thrown away, since the call began."""

    replies: int
    characters_read: int
    """Of the conversation, by the model, each time anew."""
    characters_written: int
    """By the model."""
    characters_voiced: int
    """Given to the voice."""

    @property
    def tokens_read(self) -> int:
        """Estimated from the characters."""
        return round(self.characters_read / CHARS_PER_TOKEN)

    @property
    def tokens_written(self) -> int:
        """Estimated from the characters."""
        return round(self.characters_written / CHARS_PER_TOKEN)


@dataclass
class _Reply:
    generation: int
    asked_ms: float
    early: bool
    voice: bool
    read: int = 0
    written: int = 0
    voiced: int = 0
    clause_ms: float | None = None
    sound_ms: float | None = None
    dropped: bool = False
    ended_ms: float | None = None
    """When the turn that it answers was over."""


@dataclass
class Speculations:
    """Numbers the replies of one call in the order they are asked for, and keeps their books. Pure.

    Args:
        ratio: How much may be generated for each part that is used; beyond it no answer is
            started early until enough was used.
        voice: Whether the voice may be started early as well.
    """

    ratio: float = 1.6
    voice: bool = True
    _next: int = 0
    _replies: deque[_Reply] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _gap: Average = field(default_factory=Average)
    _lead: Average = field(default_factory=Average)
    _sound: Average = field(default_factory=Average)
    _turns_without: int = 0
    _thrown: int = 0
    _read_in_vain: int = 0
    _written: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    _voiced: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})

    def asked(self, *, early: bool, now_ms: float, read: int = 0) -> int:
        """A reply is asked of the model, who reads so many characters for it.

        Returns:
            Its number, larger than all before.
        """
        self._next += 1
        voice = self.worth().voice if early else True
        self._replies.append(_Reply(self._next, now_ms, early, voice, read))
        return self._next

    def withdrawn(self) -> int | None:
        """The newest reply is taken back: its number; None if there is none to take back."""
        newest = self._replies[-1] if self._replies else None
        if newest is None or not newest.early or newest.dropped or newest.ended_ms is not None:
            return None
        self.drop(newest.generation)
        return newest.generation

    def drop(self, generation: int) -> None:
        """A reply is thrown away, also when its turn is over already."""
        reply = self._find(generation)
        if reply is None or reply.dropped or not reply.early:
            return
        reply.dropped = True
        self._thrown += 1
        self._read_in_vain += reply.read
        self._move(self._written, reply.written)
        self._move(self._voiced, reply.voiced)

    def ended(self, now_ms: float) -> int:
        """The turn is over: the early reply that this confirms; 0 if there is none."""
        newest = self._replies[-1] if self._replies else None
        if newest is None or not newest.early or newest.dropped:
            self._turns_without += 1
            return 0
        if newest.ended_ms is None:
            newest.ended_ms = now_ms
            self._gap.feed(now_ms - newest.asked_ms)
            self._turns_without = 0
        return newest.generation

    def is_dropped(self, generation: int) -> bool:
        """Whether that reply was thrown away."""
        reply = self._find(generation)
        return reply is not None and reply.dropped

    def wrote(self, generation: int, characters: int) -> None:
        """The model wrote so much of a reply."""
        if reply := self._find(generation):
            reply.written += characters
            self._written[reply.dropped] += characters

    def clause(self, generation: int, now_ms: float) -> None:
        """The first clause of a reply can be spoken."""
        reply = self._find(generation)
        if reply and reply.clause_ms is None:
            reply.clause_ms = now_ms
            self._lead.feed(now_ms - reply.asked_ms)

    def voiced(self, generation: int, characters: int) -> None:
        """So much of a reply was given to the voice."""
        if reply := self._find(generation):
            reply.voiced += characters
            self._voiced[reply.dropped] += characters

    def sound(self, generation: int, now_ms: float) -> None:
        """The first sound of a reply is there."""
        reply = self._find(generation)
        if reply and reply.sound_ms is None and reply.clause_ms is not None:
            reply.sound_ms = now_ms
            # A clause that was kept back for the end of the turn says nothing of the voice.
            if reply.voice or reply.ended_ms is None:
                self._sound.feed(now_ms - reply.clause_ms)

    def speaks_early(self, generation: int) -> bool:
        """Whether the voice of that reply is started before its turn is over."""
        reply = self._find(generation)
        return reply is None or reply.voice

    def worth(self) -> Worth:
        """Whether an early answer would gain what it may waste, by what is known of this call."""
        affordable = self._affordable(self._written)
        answer = affordable and (self._gains() or self._turns_without >= _LOOK_AGAIN)
        voice = self.voice and answer and self._affordable(self._voiced) and self._voice_gains()
        return Worth(answer, voice)

    @property
    def newest(self) -> int:
        """The number of the newest reply; 0 before the first."""
        return self._next

    @property
    def regret(self) -> Regret:
        """What was thrown away so far."""
        return Regret(self._thrown, self._read_in_vain, self._written[True], self._voiced[True])

    @property
    def expected_ms(self) -> float | None:
        """From asking the model to the first sound, as replies go in this call."""
        known = [part.value for part in (self._lead, self._sound) if part.value is not None]
        return sum(known) if len(known) == 2 else None

    def _gains(self) -> bool:
        gap, whole = self._gap.value, self.expected_ms
        return gap is None or whole is None or min(gap, whole) >= _LEAST_GAIN_MS

    def _voice_gains(self) -> bool:
        gap, lead = self._gap.value, self._lead.value
        return gap is None or lead is None or gap > lead - _VOICE_SLACK_MS

    def _affordable(self, characters: dict[bool, int]) -> bool:
        wasted, used = characters[True], characters[False]
        return wasted <= _FREE_CHARS or wasted <= (self.ratio - 1) * used

    def _find(self, generation: int) -> _Reply | None:
        found = (reply for reply in reversed(self._replies) if reply.generation == generation)
        return next(found, None)

    @staticmethod
    def _move(characters: dict[bool, int], count: int) -> None:
        characters[False] -= count
        characters[True] += count
