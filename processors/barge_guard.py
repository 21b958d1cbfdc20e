"""Is the caller who is heard over the bot interrupting, or was it a cough, or "uh-huh"? Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from processors.backchannel import is_backchannel, is_urgent, plain, repeats

ONSET_MS = 64
"""Voice in one run after which the bot is held: two windows of Silero."""
WARY_ONSET_MS = 160
"""The same for a while after a false alarm, so that a bark each second does not make it stutter."""
WARY_FOR_MS = 3_000
VOICE_MS = 608
"""So much voice without a break wants to speak, where the recogniser tells nothing until it is
over; a slow "okay" or "oh" of the human in `evals/noises.py` lasts up to 576."""
VOICE_UNHEARD_MS = 750
"""So much does where it tells words: it would have told the first."""
BURST_MS = 160
"""Less voice than this is hardly a word."""
BURST_QUIET_MS = 250
"""Silence after which a burst was a noise..."""
WORD_QUIET_MS = 420
"""...and what may have been a word: a partial transcript follows a word by 200 to 400 ms."""
ECHO_TAIL_MS = 250
"""A bot that is held is still heard for as long as its echo takes."""
BACKCHANNEL_QUIET_MS = 160
"""Silence after a backchannel after which nothing more comes."""
HOLD_MS = 900
"""The longest time to be undecided; a caller who hears nothing for a second thinks it is over."""
NOD_MS = 1_000
"""A backchannel so close to the bot's end was an answer."""
NEXT_MS = 200
"""A bot that is silent for so long has ended; some voices stop between two sentences."""
THINKING_MS = 10_000
"""A bot that was not heard for so long after the caller's turn is not about to speak."""

FalseAlarm = Literal["noise", "backchannel", "echo"]


class Act(Enum):
    """What is to be done with the bot."""

    PAUSE = "pause"
    RESUME = "resume"
    INTERRUPT = "interrupt"


@dataclass(frozen=True)
class Ruling:
    """What is to be done, and for a false alarm what it was."""

    act: Act
    why: FalseAlarm = "noise"


@dataclass(frozen=True)
class Bot:
    """What is known of the bot at the moment."""

    said: tuple[str, ...] = ()
    """Its last sentences, the present one at the end."""
    echo: bool = False
    """Whether the microphone sounds like the bot itself."""

    @property
    def asked(self) -> bool:
        """Whether it is asking something: then "yes" is an answer."""
        return bool(self.said) and self.said[-1].rstrip().endswith("?")


@dataclass
class BargeInGuard:
    """Decides about one stretch of the caller's sound over the bot after another. Pure.

    Tell it of the voice and the words while the bot is busy; it says what to do, or None.
    """

    partials: bool = False
    """Whether the recogniser tells words before the end."""
    english: bool = True
    """Whether the lists of backchannels and of urgent words are in the caller's language."""
    _paused_at_ms: float | None = None
    _wary_until_ms: float = float("-inf")
    _voiced_ms: float = 0.0
    """Of the present run, as told last."""
    _total_ms: float = 0.0
    """Of voice since the pause, and of the run that caused it."""
    _own_ms: float = 0.0
    """Of that run, what no echo explains, since one last did."""
    _spent: bool = False
    """Whether the present run was judged already."""
    _echoed: bool = False
    """Whether what was heard since the pause was the bot's own sound at first."""
    _nods: bool = False
    """Whether the words since the pause are backchannels."""

    @property
    def paused(self) -> bool:
        """Whether the bot is held."""
        return self._paused_at_ms is not None

    def voice(self, voiced_ms: float, quiet_ms: float, *, now_ms: float, bot: Bot) -> Ruling | None:
        """The caller's present run of voice, or of none; one of both is 0."""
        gained_ms = max(0.0, voiced_ms - self._voiced_ms) if voiced_ms else 0.0
        self._voiced_ms = voiced_ms
        if not voiced_ms:
            self._spent = False
        own = voiced_ms > 0 and not self._is_echo(now_ms, bot)
        self._own_ms = self._own_ms + gained_ms if own else 0.0
        if self._paused_at_ms is None:
            return self._onset(now_ms)
        self._total_ms += gained_ms if own else 0.0
        return self._judge(quiet_ms, now_ms, bot)

    def words(self, text: str, *, now_ms: float, bot: Bot) -> Ruling | None:
        """All that is understood of the present utterance."""
        if not plain(text):
            return None
        if repeats(text, bot.said, echo=bot.echo):
            return self._resume("echo", now_ms)
        if self.is_nod(text, bot):
            self._nods = True
            return None
        if bot.echo and not (self.english and is_urgent(text)):
            return None
        return self._interrupt()

    def is_nod(self, text: str, bot: Bot) -> bool:
        """Whether those words of the caller's only say "I am listening"."""
        answers = bot.asked or repeats(text, bot.said, echo=bot.echo)
        return self.english and is_backchannel(text) and not answers

    def clear(self) -> None:
        """A turn has begun, or the bot is idle."""
        self._paused_at_ms = None
        self._voiced_ms = self._total_ms = self._own_ms = 0.0
        self._spent = self._nods = self._echoed = False

    def _onset(self, now_ms: float) -> Ruling | None:
        needed_ms = WARY_ONSET_MS if now_ms < self._wary_until_ms else ONSET_MS
        if self._spent or self._own_ms < needed_ms:
            return None
        self._paused_at_ms = now_ms
        self._total_ms = self._own_ms
        self._nods = self._echoed = False
        return Ruling(Act.PAUSE)

    def _judge(self, quiet_ms: float, now_ms: float, bot: Bot) -> Ruling | None:
        held_ms = now_ms - (self._paused_at_ms or 0.0)
        if self._nods:
            over = quiet_ms >= BACKCHANNEL_QUIET_MS or held_ms >= HOLD_MS
            return self._resume("backchannel", now_ms) if over else None
        if self._own_ms >= (VOICE_UNHEARD_MS if self.partials else VOICE_MS):
            return self._interrupt()
        enough_ms = BURST_QUIET_MS if self._total_ms < BURST_MS else WORD_QUIET_MS
        if quiet_ms >= enough_ms or held_ms >= HOLD_MS:
            return self._resume("echo" if self._echoed else "noise", now_ms)
        return None

    def _is_echo(self, now_ms: float, bot: Bot) -> bool:
        """Whether what is heard is the bot, or the end of what it said before it was held."""
        if self._paused_at_ms is None:
            return bot.echo
        tail = bot.echo and now_ms - self._paused_at_ms <= ECHO_TAIL_MS
        self._echoed = self._echoed or tail
        return tail

    def _resume(self, why: FalseAlarm, now_ms: float) -> Ruling | None:
        if self._paused_at_ms is None:
            return None
        voiced_ms = self._voiced_ms
        self.clear()
        self._voiced_ms, self._spent = voiced_ms, voiced_ms > 0 and why != "echo"
        self._wary_until_ms = now_ms + WARY_FOR_MS
        return Ruling(Act.RESUME, why)

    def _interrupt(self) -> Ruling:
        self.clear()
        return Ruling(Act.INTERRUPT)


@dataclass
class LastNod:
    """Whether a backchannel was the answer to what the bot said last. Pure."""

    _at_ms: float | None = None
    _stopped_at_ms: float = float("-inf")

    def heard(self, now_ms: float) -> None:
        """There was one, and it was let pass."""
        self._at_ms = now_ms

    def went_on(self, now_ms: float) -> None:
        """The bot was held for it until now."""
        if self._at_ms is not None:
            self._at_ms = now_ms

    def forget(self) -> None:
        """Something else was said since."""
        self._at_ms = None

    def stopped(self, now_ms: float) -> None:
        """The bot is silent."""
        self._stopped_at_ms = now_ms

    def answers(self, now_ms: float, *, goes_on: bool) -> bool:
        """Whether it was one, now that the bot is idle; `goes_on`: the caller speaks again."""
        if self._at_ms is None or self._stopped_at_ms - self._at_ms > NOD_MS:
            return False
        return goes_on or now_ms - self._stopped_at_ms >= NEXT_MS


@dataclass
class Busy:
    """Whether the bot speaks, or thinks of what to say. Pure."""

    speaking: bool = False
    _calls: int = 0
    _asked_at_ms: float | None = None

    def asked(self, now_ms: float) -> None:
        """The caller's turn is over, or a tool has answered."""
        self._asked_at_ms = now_ms

    def started(self) -> None:
        """The bot is heard."""
        self.speaking = True
        self._asked_at_ms = None

    def stopped(self) -> None:
        """The bot is silent."""
        self.speaking = False

    def calls(self, change: int, now_ms: float) -> None:
        """So many more tools are at work."""
        self._calls = max(0, self._calls + change)
        if change < 0:
            self.asked(now_ms)

    def interrupted(self) -> None:
        """The caller's turn has begun; nothing is to be said."""
        self._asked_at_ms = None
        self._calls = 0

    def at(self, now_ms: float) -> bool:
        """Whether it is busy at that time."""
        thinks = self._asked_at_ms is not None and now_ms - self._asked_at_ms < THINKING_MS
        return self.speaking or self._calls > 0 or thinks
