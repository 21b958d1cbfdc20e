"""What an ear hears on the two tracks: answers, cut-ins and barge-ins.

The same code measures live, a chunk at a time, and a finished recording; both give the same
figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from records.gate import FRAME_MS, EnergyGate, Run, Samples

PAUSE_MS = 200
"""A shorter silence inside the bot's speech is part of it."""
LONG_PAUSE_MS = 400
"""After it the bot's speech answers the caller even if the bot was the last one heard."""
REACTION_MS = 250
"""Nobody answers sooner than this: a caller heard within it was not done speaking."""
UTTERANCE_GAP_MS = 500
SETTLED_MS = 1_000
"""The bot has fallen silent when it was not heard for so long."""
_STEP_MS = 20
_LATE_MS = 100
"""Speech is known 30 ms after it began, weak beginnings somewhat later."""


@dataclass(frozen=True)
class Answer:
    """The bot answered: the gap a caller hears.

    Known as soon as the bot is heard, and taken back by a `CutIn` with the same `bot_start_ms` if
    the caller turns out to have had more to say.
    """

    caller_end_ms: float
    """Caller's last speech sample, on the clock of the tracks."""
    bot_start_ms: float
    """Bot's first audible sample."""

    @property
    def ear_ms(self) -> float:
        """The ear latency."""
        return self.bot_start_ms - self.caller_end_ms


@dataclass(frozen=True)
class CutIn:
    """The bot started while the caller had more to say."""

    bot_start_ms: float
    caller_more_ms: float
    """Where the caller was heard after the bot's start."""


@dataclass(frozen=True)
class BargeIn:
    """The caller spoke over the bot, and the bot fell silent.

    Two tracks cannot tell whether it gave up or only paused: a bot that goes on after a pause is
    heard as a barge-in and an answer.
    """

    caller_start_ms: float
    """First speech sample of the caller's last utterance begun over the bot."""
    bot_end_ms: float
    """Last audible bot sample."""

    @property
    def stop_ms(self) -> float:
        """How long the bot was heard over the caller."""
        return self.bot_end_ms - self.caller_start_ms


EarEvent = Answer | CutIn | BargeIn


class Ear:
    """Turns two aligned tracks into what the caller experienced, in the order of the call.

    An answer is told 50 ms after the bot's first audible sample, a cut-in within 0.4 s, a barge-in
    one second after the bot's last.
    """

    def __init__(self, rate_hz: int = 16_000) -> None:
        self._per_ms = rate_hz / 1000
        self._step = self._samples(_STEP_MS)
        self._rest = np.empty((0, 2), np.int16)
        frames = _STEP_MS // FRAME_MS
        self._caller = EnergyGate(rate_hz, step_frames=frames)
        self._bot = EnergyGate(rate_hz, room=False, step_frames=frames)
        self._newest: Run | None = None
        self._turn_start: int | None = None
        self._doubtful: Answer | None = None
        self._settled = True

    def feed(self, tracks: Samples) -> list[EarEvent]:
        """Take the next samples of both tracks.

        Args:
            tracks: One row a sample; the caller in the first column, the bot in the second.
        """
        self._rest = np.concatenate((self._rest, tracks))
        whole = len(self._rest) // self._step * self._step
        steps, self._rest = self._rest[:whole], self._rest[whole:]
        events: list[EarEvent] = []
        for start in range(0, whole, self._step):
            step = steps[start : start + self._step]
            self._caller.feed(step[:, 0])
            self._bot.feed(step[:, 1])
            events += self._judge(self._bot.position)
        return events

    def finish(self) -> list[EarEvent]:
        """Say what remains to be said once the tracks are over."""
        return self.feed(np.zeros((self._samples(2 * SETTLED_MS), 2), np.int16))

    def _judge(self, now: int) -> list[EarEvent]:
        events = self._doubt(now)
        for run in self._unjudged():
            events += self._bot_spoke(run)
            self._newest = run
        newest = self._newest
        if newest is None or newest.open or now - newest.end < self._samples(SETTLED_MS):
            return events
        return events + self._settle(newest.end)

    def _doubt(self, now: int) -> list[EarEvent]:
        """Take the last answer back if the caller went on before they can have heard it."""
        answer = self._doubtful
        if answer is None or self._ms(now) < answer.bot_start_ms + REACTION_MS + _LATE_MS:
            return []
        self._doubtful = None
        start = self._samples(answer.bot_start_ms)
        until = start + self._samples(REACTION_MS)
        more = [run for run in self._caller.runs if run.start < until and run.end > start]
        more_ms = [self._ms(max(run.start, start)) for run in more]
        return [CutIn(answer.bot_start_ms, more_ms[0])] if more_ms else []

    def _unjudged(self) -> list[Run]:
        runs, newest = self._bot.runs, self._newest
        if not runs or runs[-1] is newest:
            return []
        return [run for run in runs if newest is None or run.start > newest.start]

    def _bot_spoke(self, run: Run) -> list[EarEvent]:
        words = self._words_before(run.start)
        answers = words is not None and self._paused(run.start, words)
        if self._newest is None or self._settled or answers:
            events = self._settle(self._newest.end) if self._newest else []
            self._turn_start = run.start
            self._settled = False
            return [*events, self._verdict(words, run.start)] if words and answers else events
        return []

    def _paused(self, start: int, words: Run) -> bool:
        """Whether the bot's silence before `start` was the caller's turn."""
        if self._newest is None:
            return True
        pause = start - self._newest.end
        caller_was_last = words.end > self._newest.end
        return pause >= self._samples(PAUSE_MS if caller_was_last else LONG_PAUSE_MS)

    def _words_before(self, start: int) -> Run | None:
        """Caller's last speech begun before `start` and heard since the bot's turn began."""
        since = -1 if self._turn_start is None else self._turn_start
        runs = [run for run in self._caller.runs if run.start < start and run.end > since]
        return runs[-1] if runs else None

    def _verdict(self, words: Run, start: int) -> EarEvent:
        if words.end > start:
            return CutIn(self._ms(start), self._ms(start))
        self._doubtful = Answer(self._ms(words.end), self._ms(start))
        return self._doubtful

    def _settle(self, bot_end: int) -> list[EarEvent]:
        """End the bot's turn, and say if the caller spoke over it."""
        if self._settled or self._turn_start is None:
            return []
        self._settled = True
        earliest = self._turn_start + self._samples(REACTION_MS)
        onsets = [start for start in self._utterances() if earliest <= start < bot_end]
        return [BargeIn(self._ms(onsets[-1]), self._ms(bot_end))] if onsets else []

    def _utterances(self) -> list[int]:
        """Where the caller began to speak after a silence."""
        runs = list(self._caller.runs)
        gap = self._samples(UTTERANCE_GAP_MS)
        return [
            run.start
            for before, run in zip([None, *runs], runs, strict=False)
            if before is None or run.start - before.end >= gap
        ]

    def _samples(self, ms: float) -> int:
        return round(ms * self._per_ms)

    def _ms(self, samples: int) -> float:
        return samples / self._per_ms


def hear(tracks: Samples, rate_hz: int) -> list[EarEvent]:
    """Everything that is heard on a finished recording, in order; no answer that was taken back."""
    ear = Ear(rate_hz)
    events = ear.feed(tracks) + ear.finish()
    cut_in = {event.bot_start_ms for event in events if isinstance(event, CutIn)}
    return [
        event
        for event in events
        if not (isinstance(event, Answer) and event.bot_start_ms in cut_in)
    ]
