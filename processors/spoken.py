"""Which of the bot's words were heard, and which were cut off by an interruption."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from pipecat.frames.frames import (
    AggregatedTextFrame,
    AggregatedTextProgressFrame,
    AudioRawFrame,
    Frame,
    InterruptionFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from processors.speakable import speakable

HELD_NS = "held_ns"
"""Metadata of audio: for how long the reply that it belongs to was held; its words came sooner."""
_ROUNDING_MS = 60.0
"""Chunks and resamplers round: a sentence this close to its end was heard to the end."""
_MS_PER_LETTER = 65.0
"""Where nothing better is known of a voice: people speak at 55 to 70."""


@dataclass
class _Sentence:
    id: int
    text: str
    audio_ms: float = 0.0
    complete: bool = False
    """Whether all its audio is known."""
    early: bool = False
    """Whether the voice told it before its audio: then nothing tells where the next begins."""
    marks: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Pairs of time (ns) and letters heard by then, where the voice tells."""


class SpokenText:
    """Keeps count of sentences given to the voice and of audio that was played. Pure.

    Args:
        weigh: How long a written word takes to say, in letters.
    """

    def __init__(self, weigh: Callable[[str], int] = len) -> None:
        self._weigh = weigh
        self._sentences: list[_Sentence] = []
        self._played_ms = 0.0
        self._now_ns = 0
        self._cut_off = False
        self._fence = 0
        """So many sentences were given to the voice before an interruption; the rest come after
        the reply that it ended, of which nobody may have told yet that it is over."""
        self._ms_per_letter = _MS_PER_LETTER

    def sentence(self, sentence_id: int, text: str) -> None:
        """A sentence will be spoken, after those before it."""
        if not text.strip() or any(sentence.id == sentence_id for sentence in self._sentences):
            return
        last = self._sentences[-1] if self._coming() else None
        if last and last.early and not last.complete:
            last.text = f"{last.text} {text}"
        else:
            self._sentences.append(_Sentence(sentence_id, text))

    def generated(self, ms: float) -> None:
        """The voice made so much audio of the first sentence that is not complete."""
        for sentence in self._coming():
            if not sentence.complete:
                sentence.audio_ms += ms
                return

    def complete(self, sentence_id: int | None) -> None:
        """The voice made all the audio of a sentence, or with None of all sentences.

        A sentence that has none yet is not complete: it was only told before it is spoken.
        """
        for sentence in self._coming():
            if sentence.complete or sentence_id not in (None, sentence.id):
                continue
            if sentence_id is not None and not sentence.audio_ms:
                sentence.early = True
                continue
            sentence.complete = True
            self._learn(sentence)

    def word(self, sentence_id: int, heard: str, at_ns: int) -> None:
        """At `at_ns`, so much of a sentence's text has been said, by the voice's own account."""
        for sentence in self._sentences:
            if sentence.id == sentence_id:
                sentence.marks.append((at_ns, len(heard.rstrip())))

    def played(self, ms: float, at_ns: int) -> None:
        """So much of the audio was played by `at_ns`."""
        self._played_ms += ms
        self._now_ns = at_ns

    def interrupted(self) -> None:
        """What is not played yet never will be."""
        self._cut_off = True
        self._fence = len(self._sentences)
        if not self._played_ms:
            self._reset()

    def take(self) -> tuple[str, str]:
        """The bot fell silent: the words heard, and the words cut off, since it was so last.

        Unless it was interrupted nothing is cut off; what it has still to say it says later.
        """
        heard: list[str] = []
        cut: list[str] = []
        left_ms = self._played_ms
        ended = self._sentences[: self._fence] if self._cut_off else self._sentences
        remaining = self._sentences[len(ended) :]
        for sentence in ended:
            if not self._cut_off and self._is_unsaid(sentence, left_ms):
                remaining.append(sentence)
                continue
            end = self._letters(sentence, left_ms) if self._cut_off else len(sentence.text)
            left_ms = 0.0 if end < len(sentence.text) else max(left_ms - sentence.audio_ms, 0.0)
            heard.append(sentence.text[:end].strip())
            cut.append(sentence.text[end:].strip())
        self._reset()
        self._sentences = remaining
        return " ".join(filter(None, heard)), " ".join(filter(None, cut))

    def _coming(self) -> list[_Sentence]:
        """Those whose sound the voice still makes."""
        return self._sentences[self._fence :]

    def _is_unsaid(self, sentence: _Sentence, left_ms: float) -> bool:
        return left_ms <= 0 and not sentence.marks

    def _letters(self, sentence: _Sentence, left_ms: float) -> int:
        """How many letters of a sentence were heard, to the end of a word."""
        if sentence.marks:
            return max((count for at, count in sentence.marks if at <= self._now_ns), default=0)
        if left_ms <= 0:
            return 0
        if sentence.complete and left_ms >= sentence.audio_ms - _ROUNDING_MS:
            return len(sentence.text)
        words = list(re.finditer(r"\S+", sentence.text))
        weights = [self._weigh(word[0]) + 1 for word in words]
        whole_ms = sentence.audio_ms
        if not sentence.complete:
            whole_ms = max(whole_ms, sum(weights) * self._ms_per_letter)
        said = sum(weights) * left_ms / whole_ms if whole_ms else 0.0
        end = 0
        for word, weight in zip(words, weights, strict=True):
            # A word counts if more than half of it was heard.
            if said <= weight / 2:
                break
            said -= weight
            end = word.end()
        return end

    def _learn(self, sentence: _Sentence) -> None:
        letters = sum(self._weigh(word) + 1 for word in sentence.text.split())
        if sentence.audio_ms and letters:
            self._ms_per_letter = sentence.audio_ms / letters

    def _reset(self) -> None:
        self._sentences = []
        self._played_ms = 0.0
        self._cut_off = False
        self._fence = 0


class SpokenObserver(BaseObserver):
    """Feeds `SpokenText` from the frames that the voice and the output push.

    Either register it with the worker, or let another observer hand it each frame by `see()`
    before it calls `take()`: Pipecat runs every observer in a task of its own, so two registered
    ones are not in step.

    Args:
        voice: The TTS service.
        output: The transport's output.
    """

    def __init__(self, voice: FrameProcessor, output: FrameProcessor) -> None:
        # The voice passes on sentences that another processor has made.
        super().__init__()
        self._voice = voice
        self._output = output
        self._text = SpokenText(lambda word: len(speakable(word)))

    async def on_push_frame(self, data: FramePushed) -> None:
        """Look at a frame."""
        self.see(data)

    def see(self, data: FramePushed) -> None:
        """Look at a frame; call it once for each push."""
        if isinstance(data.frame, InterruptionFrame):
            # A held answer that was let go while it was on its way to the voice is dropped too.
            passes = data.source is self._voice and data.direction is FrameDirection.DOWNSTREAM
            if data.first_push or passes:
                self._text.interrupted()
        elif data.direction is FrameDirection.DOWNSTREAM:
            if data.source is self._voice:
                self._made(data.frame)
            elif data.source is self._output and isinstance(data.frame, TTSAudioRawFrame):
                held_ns = data.frame.metadata.get(HELD_NS, 0)
                self._text.played(_ms(data.frame), data.timestamp - held_ns)

    def take(self) -> tuple[str, str]:
        """The bot fell silent: the words heard, and the words cut off; see `SpokenText.take`."""
        return self._text.take()

    def _made(self, frame: Frame) -> None:
        if isinstance(frame, TTSAudioRawFrame):
            self._text.generated(_ms(frame))
        elif isinstance(frame, AggregatedTextProgressFrame):
            self._text.word(frame.segment_id, frame.accumulated_text, frame.pts or 0)
        elif isinstance(frame, TTSStoppedFrame):
            self._text.complete(None)
        elif isinstance(frame, TTSTextFrame):
            # A word comes with its time, a sentence once its audio is made.
            if frame.segment_id is not None and not frame.pts:
                self._text.complete(frame.segment_id)
        elif isinstance(frame, AggregatedTextFrame) and frame.will_be_spoken:
            self._text.sentence(frame.id, frame.text)


def _ms(frame: AudioRawFrame) -> float:
    return frame.num_frames * 1000 / frame.sample_rate
