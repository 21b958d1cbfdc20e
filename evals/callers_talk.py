"""What a caller says and when: each turn after the bot has finished, 20 ms at a time.

Pure: time is an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evals.density_ear import BotEar

PACKET_SECS = 0.02
NO_ANSWER_SECS = 8.0
"""Then the caller goes on without an answer."""


@dataclass(frozen=True)
class Clip:
    """One turn, cut into packets."""

    packets: tuple[bytes, ...]
    """Of 20 ms, in the form in which they are sent."""
    padding_secs: float = 0.0
    """Silence at the end, behind the last speech."""


@dataclass
class Asked:
    """A turn that was said, and its answer."""

    end_secs: float
    """The last speech sample."""
    answer_secs: float | None = None
    """The first audible sample of the bot after it; None without an answer."""
    cut_in: bool = False
    """Whether the bot was heard before the turn was over."""
    given_up: bool = False
    """Whether the caller went on without an answer."""

    @property
    def ear_ms(self) -> float | None:
        """From the end of the turn to the answer; None without one that can be timed."""
        if self.answer_secs is None or self.cut_in:
            return None
        return (self.answer_secs - self.end_secs) * 1000


class Talker:
    """Says the clips in a circle; the greeting is heard to its end first.

    Args:
        clips: At least one.
        silence: What is sent while nothing is said.
        ear: Hears the bot of the same call.
    """

    def __init__(self, clips: Sequence[Clip], silence: bytes, ear: BotEar) -> None:
        self.asked: list[Asked] = []
        """In order; the last may be unanswered as yet."""
        self._clips = clips
        self._silence = silence
        self._ear = ear
        self._said = 0
        self._at = 0
        """The next packet of the clip that is being said; 0 while the caller listens."""
        self._replies = 0
        """How many replies were heard when the last turn began."""
        self._since_secs: float | None = None

    def packet(self, due_secs: float) -> bytes:
        """The packet that is due at that time; to be asked for once every 20 ms."""
        if self._since_secs is None:
            self._since_secs = due_secs
        if self._at == 0 and not self._turn_comes(due_secs):
            return self._silence
        clip = self._clips[self._said % len(self._clips)]
        if self._at == 0:
            self._replies = len(self._ear.replies)
        packet = clip.packets[self._at]
        self._at += 1
        if self._at == len(clip.packets):
            self._end(due_secs - clip.padding_secs, due_secs)
        return packet

    def _turn_comes(self, now_secs: float) -> bool:
        """Whether the bot has said what it had to say."""
        self._note_answer()
        assert self._since_secs is not None
        if len(self._ear.replies) == self._replies:
            gives_up = now_secs - self._since_secs > NO_ANSWER_SECS
            if gives_up and self.asked:
                self.asked[-1].given_up = True
            return gives_up
        return not self._ear.speaking(now_secs)

    def _note_answer(self) -> None:
        if not self.asked or self.asked[-1].answer_secs is not None:
            return
        asked = self.asked[-1]
        new = self._ear.replies[self._replies :]
        answers = [reply for reply in new if reply.start_secs >= asked.end_secs]
        asked.cut_in = len(answers) < len(new)
        if answers:
            asked.answer_secs = answers[0].start_secs

    def _end(self, end_secs: float, now_secs: float) -> None:
        self.asked.append(Asked(end_secs))
        self._said += 1
        self._at = 0
        self._since_secs = now_secs
