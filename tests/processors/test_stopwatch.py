"""The moments of an answer are those of the frames that the stages push."""

from __future__ import annotations

import numpy as np
import pytest
from pipecat.frames.frames import (
    AggregatedTextFrame,
    Frame,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    LLMContextFrame,
    LLMFullResponseStartFrame,
    OutputAudioRawFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    UserStoppedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import FramePushed
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.text.base_text_aggregator import TextType

from processors.latency import Turns
from processors.stopwatch import Stopwatch, Watched
from records.ear import Answer
from records.events import Turn

pytestmark = pytest.mark.unit

RATE_HZ = 16_000
CHUNK_MS = 40


class _Filler(OutputAudioRawFrame):
    pass


def sound(
    kind: type[OutputAudioRawFrame] = TTSAudioRawFrame, *, quiet_ms: int = 0, level: int = 3000
) -> OutputAudioRawFrame:
    """A chunk that begins with a silence."""
    samples = np.full(RATE_HZ * CHUNK_MS // 1000, level, "<i2")
    samples[: RATE_HZ * quiet_ms // 1000] = 0
    return kind(samples.tobytes(), RATE_HZ, 1)


class _Line:
    """Pushes frames past a stopwatch, as a pipeline does."""

    def __init__(self) -> None:
        stages = [FrameProcessor() for _ in range(7)]
        self.ears, self.turns, self.wits, self.clauses, self.voice, self.gate, self.mouth = stages
        watched = Watched(
            ears=self.ears,
            turns=self.turns,
            wits=self.wits,
            mouth=self.mouth,
            voice=self.voice,
            gate=self.gate,
            is_filler=lambda frame: isinstance(frame, _Filler),
        )
        self.log = Turns(800)
        self._watch = Stopwatch(watched, self.log)
        self.log.caller_started(0)
        self._next = dict(zip(stages, [*stages[1:], FrameProcessor()], strict=True))

    def push(self, source: FrameProcessor, frame: Frame, at_ms: int) -> None:
        down = FrameDirection.DOWNSTREAM
        self._watch.see(FramePushed(source, self._next[source], frame, down, at_ms * 1_000_000))

    def begin(self, *, speculation: bool = False, at_ms: int) -> None:
        """The model is asked, and its start frame runs down the line."""
        self.push(self.turns, LLMContextFrame(LLMContext(), speculation=speculation), at_ms)
        for stage in (self.wits, self.clauses, self.voice, self.gate):
            self.push(stage, LLMFullResponseStartFrame(), at_ms)

    def answer(self, *, clause_ms: int, voiced_ms: int) -> None:
        clause = AggregatedTextFrame("Hi.", TextType.SENTENCE)
        self.push(self.clauses, clause, clause_ms)
        self.push(self.voice, sound(), voiced_ms)

    def hear(self, *, quiet_ms: int = 200, final_ms: int = 350) -> None:
        self.push(self.turns, VADUserStoppedSpeakingFrame(), quiet_ms)
        self.push(self.ears, TranscriptionFrame("hello", "", ""), final_ms)
        self.log.heard("hello", final_ms)

    def end(self, ear_ms: int) -> Turn:
        self.log.ear(Answer(0, ear_ms), 1)
        self.log.reply_ended("Hi.")
        turn = self.log.due(9000)
        assert turn is not None
        return turn


def stages(turn: Turn) -> dict[str, int]:
    return {part.stage: part.ms for part in turn.parts}


def test_a_plain_reply() -> None:
    line = _Line()
    line.hear()
    line.push(line.turns, UserStoppedSpeakingFrame(), 400)
    line.begin(at_ms=405)
    line.answer(clause_ms=600, voiced_ms=700)
    line.push(line.gate, sound(), 701)
    line.push(line.mouth, sound(quiet_ms=10), 750)
    turn = line.end(720)
    assert not turn.speculated
    assert stages(turn) == {
        "endpointing": 250, "stt": 150, "llm": 195, "tts": 100, "own": 6, "transport": 19,
    }  # fmt: skip


def test_a_reply_that_waited_for_the_turns_end() -> None:
    line = _Line()
    line.begin(speculation=True, at_ms=100)
    line.answer(clause_ms=200, voiced_ms=300)
    line.hear()
    line.push(line.turns, UserStoppedSpeakingFrame(), 600)
    line.push(line.gate, sound(), 605)
    line.push(line.mouth, sound(), 660)
    turn = line.end(620)
    assert turn.speculated
    assert "llm" not in stages(turn)
    assert stages(turn) == {"endpointing": 450, "stt": 150, "own": 5, "transport": 15}


def test_what_was_done_for_a_withdrawn_reply_does_not_count() -> None:
    line = _Line()
    line.begin(speculation=True, at_ms=50)
    line.answer(clause_ms=100, voiced_ms=150)
    line.hear()
    line.push(line.turns, UserStoppedSpeakingFrame(), 400)
    line.begin(at_ms=400)
    line.answer(clause_ms=600, voiced_ms=700)
    line.push(line.gate, sound(), 700)
    line.push(line.mouth, sound(), 740)
    turn = line.end(700)
    assert not turn.speculated
    assert stages(turn) == {"endpointing": 250, "stt": 150, "llm": 200, "tts": 100}


def test_a_tool_has_its_own_part() -> None:
    line = _Line()
    line.hear()
    line.push(line.turns, UserStoppedSpeakingFrame(), 400)
    line.begin(at_ms=400)
    line.push(line.wits, FunctionCallInProgressFrame("slots", "1", {}), 600)
    line.push(line.wits, FunctionCallResultFrame("slots", "1", {}, {}), 900)
    line.begin(at_ms=900)
    line.answer(clause_ms=1000, voiced_ms=1100)
    line.push(line.mouth, sound(), 1140)
    found = stages(line.end(1100))
    assert (found["tools"], found["llm"], found["tts"]) == (300, 300, 100)


def test_a_filler_is_no_answer() -> None:
    line = _Line()
    line.hear()
    line.push(line.turns, UserStoppedSpeakingFrame(), 400)
    line.push(line.mouth, sound(_Filler), 740)
    line.push(line.mouth, sound(), 1440)
    turn = line.end(700)
    assert (turn.ear_ms, turn.filler_ms, turn.answer_ms) == (700, 700, 1400)


def test_silence_and_other_sounds_are_no_answer() -> None:
    line = _Line()
    line.hear()
    line.push(line.mouth, sound(level=100), 500)
    line.push(line.mouth, sound(OutputAudioRawFrame), 600)
    line.log.reply_ended("")
    assert line.log.due(9000) is None
