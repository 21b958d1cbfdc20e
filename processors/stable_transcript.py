"""When the caller's words are stable enough to start an answer, and when the turn is over.

`StableTranscript` decides, from partial and final transcripts, the voice detector and smart-turn's
verdict. It is pure: it is told what happened and when, and says what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pipecat.turns.user_stop.eager_match_policy import NormalizedMatch

from processors.unfinished import Expects, complete, unfinished

_match = NormalizedMatch()


@dataclass(frozen=True)
class Rules:
    """What has to be so before something is done; milliseconds of silence, by the voice detector.

    Args:
        equal: Partials in a row that agree, whatever their dress, before an answer is started.
        quiet_ms: Silence before an answer is started. Closures inside a word last up to 100 ms; a
            start at a longer pause between words is wasted.
        settle_ms: A single partial will do if it came after this much silence: it covers the
            last word. Streaming recognisers lag by about 120 ms.
        commit_ms: Silence before the turn can be over.
        vote: Whether smart-turn must agree; if it does not, `patience_ms` decides.
        vote_wait_ms: For so long its verdict is waited for.
        patience_ms: Silence after which the turn is over although smart-turn expects more.
        hold_ms: The same where the words look unfinished; 0 switches the look at the words off.
        final_ms: Silence after which the words that are there must do, partial ones as well.
    """

    equal: int = 2
    quiet_ms: float = 130.0
    settle_ms: float = 130.0
    commit_ms: float = 0.0
    vote: bool = True
    vote_wait_ms: float = 900.0
    patience_ms: float = 1000.0
    hold_ms: float = 1500.0
    final_ms: float = 900.0


@dataclass(frozen=True)
class Speculate:
    """Start an answer to these words."""

    text: str


@dataclass(frozen=True)
class Withdraw:
    """Drop the answer that was started."""


@dataclass(frozen=True)
class Settle:
    """No final transcript came for these words: take them for final, and tell it as one."""

    text: str


@dataclass(frozen=True)
class Commit:
    """The turn is over."""

    text: str
    confirms: bool
    """Whether the answer that was started is the answer."""


Act = Speculate | Withdraw | Settle | Commit


@dataclass
class StableTranscript:
    """Follows one caller through their turns.

    Feed it in the order of time. `now_ms` is any clock that only goes forward; `quiet_ms` is for
    how long there has been no voice, 0 while there is some: both are known before the voice
    detector says so, and a turn does not end on a caller who has just begun to go on.
    """

    rules: Rules = field(default_factory=Rules)
    may_guess: Callable[[], bool] = lambda: True
    """Whether an answer may be started early; asked before each."""
    expects: Expects | None = None
    """What the bot has just asked for."""
    _open: bool = False
    _finals: list[str] = field(default_factory=list[str])
    _partial: str = ""
    _equal: int = 0
    _settled: bool = False
    _covered: bool = False
    """Whether a final transcript came after everything that was heard."""
    _likely: bool = False
    """Whether the recogniser itself takes this for the end."""
    _speaking: bool = False
    _silent_at_ms: float | None = None
    """Since when it has been silent; None while the caller speaks."""
    _complete: bool | None = None
    """Smart-turn's verdict on this silence."""
    _started_on: str | None = None
    _refused_on: str | None = None
    _kept: bool = False
    """Whether the turn ended on the answer that was started."""
    _settling: bool = False

    @property
    def words(self) -> str:
        """What was said in this turn, as far as it is known."""
        return " ".join(part for part in [*self._finals, self._partial] if part)

    @property
    def guessing(self) -> bool:
        """Whether an answer runs that the turn has not confirmed."""
        return self._started_on is not None and self._open

    @property
    def is_open(self) -> bool:
        """Whether a turn goes on."""
        return self._open

    @property
    def is_silent(self) -> bool:
        """Whether the voice detector hears nothing."""
        return not self._speaking

    def begin(self) -> None:
        """A turn begins; nothing was heard of it yet."""
        self._finals.clear()
        self._forget_partial()
        self._started_on = self._refused_on = None
        self._covered = self._kept = self._settling = False
        self._open = True

    def reopen(self) -> None:
        """The turn that was committed goes on after all."""
        self._open, self._kept, self._started_on = True, False, None

    def end(self) -> list[Act]:
        """The turn is over, whoever says so: no answer stays held."""
        acts = self._withdraw()
        self._open = False
        return acts

    def partial(self, text: str, now_ms: float, *, quiet_ms: float = 0.0) -> list[Act]:
        """A transcript of what was said since the last final, which may change yet."""
        same = bool(self._partial) and _match.matches(self._partial, text)
        self._equal = self._equal + 1 if same else 1
        self._partial = text.strip()
        self._covered = False
        self._likely = self._likely and same
        self._settled = quiet_ms >= self.rules.settle_ms
        return self.look(now_ms, quiet_ms=quiet_ms)

    def final(self, text: str, now_ms: float, *, quiet_ms: float = 0.0) -> list[Act]:
        """A transcript of a stretch of the turn, for good."""
        if not text.strip():
            return []
        self._finals.append(text.strip())
        self._forget_partial()
        self._covered = True
        return self.look(now_ms, quiet_ms=quiet_ms)

    def likely_end(self, text: str, now_ms: float) -> list[Act]:
        """The recogniser takes these words, since the last final, for the last ones."""
        self._partial, self._likely = text.strip(), True
        return self.look(now_ms)

    def unlikely_end(self) -> list[Act]:
        """The recogniser takes that back."""
        self._likely = False
        return self._withdraw()

    def speaks(self) -> list[Act]:
        """The voice detector hears the caller."""
        self._speaking = True
        self._silent_at_ms = self._complete = None
        # There may be words in it that no transcript has.
        self._covered = self._settling = False
        return self.resumes()

    def resumes(self) -> list[Act]:
        """There is voice again, perhaps too short for the voice detector to say so."""
        self._likely = self._settled = False
        self._equal = 0
        return self._withdraw()

    def silent(self, since_ms: float, now_ms: float) -> list[Act]:
        """The voice detector hears the caller no more, and has not since `since_ms`."""
        self._speaking = False
        self._silent_at_ms = since_ms
        return self.look(now_ms, quiet_ms=now_ms - since_ms)

    def vote(self, now_ms: float, *, complete: bool, quiet_ms: float) -> list[Act]:
        """Smart-turn has judged this silence."""
        if self._speaking:
            return []
        self._complete = complete
        return self.look(now_ms, quiet_ms=quiet_ms)

    def refused(self) -> bool:
        """The model gives no answer: it wants a tool, which no guess may call, or it failed.

        Returns:
            Whether that crossed the end of the turn, which counts on the answer: ask again.
        """
        lost, self._kept = self._kept, False
        self._refused_on, self._started_on = self._started_on, None
        return lost

    def heard(self) -> None:
        """The answer has begun to be heard: what becomes of the rest loses no turn."""
        self._kept = False

    def look(self, now_ms: float, *, quiet_ms: float = 0.0) -> list[Act]:
        """What there is to do now, with time having passed."""
        if not self._open or not self.words:
            return []
        if self._silent_at_ms is None and not self._speaking:
            # Words too soft for the voice detector.
            self._silent_at_ms = now_ms - quiet_ms
        words = self.words
        # What was started on other words answers what the caller did not say.
        acts = [] if self._is_started_on(words) else self._withdraw()
        if quiet_ms <= 0 and not self._likely:
            return acts
        return acts + (self._finish(now_ms) or self._start(words, quiet_ms))

    def _is_started_on(self, words: str) -> bool:
        return self._started_on is not None and _match.matches(self._started_on, words)

    def _start(self, words: str, quiet_ms: float) -> list[Act]:
        if self._started_on is not None or not self._is_stable(quiet_ms):
            return []
        if self._refused_on is not None and _match.matches(self._refused_on, words):
            return []
        if not self.may_guess():
            return []
        self._started_on = words
        return [Speculate(words)]

    def _is_stable(self, quiet_ms: float) -> bool:
        if self._likely:
            return True
        if quiet_ms < self.rules.quiet_ms or self._looks_unfinished():
            return False
        return self._covered or self._settled or self._equal >= self.rules.equal

    def _finish(self, now_ms: float) -> list[Act]:
        if self._speaking or self._silent_at_ms is None:
            return []
        silence_ms = now_ms - self._silent_at_ms
        if silence_ms < self._needed_ms():
            return []
        if self._covered or (silence_ms >= self.rules.final_ms and not self._partial):
            return self._commit()
        if silence_ms >= self.rules.final_ms and not self._settling:
            self._settling = True
            return [Settle(self._partial)]
        return []

    def _commit(self) -> list[Act]:
        self._kept = self._started_on is not None
        self._open = False
        return [Commit(self.words, self._kept)]

    def _needed_ms(self) -> float:
        rules = self.rules
        if self.rules.hold_ms and self.expects and complete(self.words, self.expects):
            return rules.commit_ms
        needed_ms = max(rules.commit_ms, rules.hold_ms if self._looks_unfinished() else 0.0)
        if not rules.vote or self._complete:
            return needed_ms
        return max(needed_ms, rules.vote_wait_ms if self._complete is None else rules.patience_ms)

    def _looks_unfinished(self) -> bool:
        return self.rules.hold_ms > 0 and bool(unfinished(self.words, expects=self.expects))

    def _withdraw(self) -> list[Act]:
        if self._started_on is None or not self._open:
            return []
        self._started_on = None
        return [Withdraw()]

    def _forget_partial(self) -> None:
        self._partial = ""
        self._equal = 0
        self._settled = self._likely = False
