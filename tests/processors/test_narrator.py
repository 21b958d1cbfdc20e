"""Frames that go by become the events of the call, each once and in order."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import pytest
from pipecat.frames.frames import (
    AggregatedTextFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    ErrorFrame,
    Frame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.observers.base_observer import FramePushed
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.errors import ErrorCategory
from pipecat.utils.text.base_text_aggregator import TextType

from processors.narrator import FILLER_MS, Narrator, Watched
from processors.spoken import SpokenObserver
from records.ear import Answer, BargeIn, CutIn
from records.events import (
    BargedIn,
    CallerStarted,
    CallEvent,
    Failed,
    FalseStop,
    Heard,
    ReplyEnded,
    Retried,
    Turn,
)

pytestmark = pytest.mark.unit

CHUNK_MS = 500
Kind = TypeVar("Kind")


class _Filler(OutputAudioRawFrame):
    pass


def sound(kind: type[OutputAudioRawFrame] = TTSAudioRawFrame) -> OutputAudioRawFrame:
    return kind(np.full(16 * CHUNK_MS, 3000, "<i2").tobytes(), 16_000, 1)


class _Call:
    def __init__(self) -> None:
        self.ears, self.turns, self.wits = FrameProcessor(), FrameProcessor(), FrameProcessor()
        self.voice, self.mouth, self.other = FrameProcessor(), FrameProcessor(), FrameProcessor()
        self.told: list[CallEvent] = []
        self.now_ms = 0
        watched = Watched(
            ears=self.ears,
            turns=self.turns,
            wits=self.wits,
            mouth=self.mouth,
            voice=self.voice,
            is_filler=lambda frame: isinstance(frame, _Filler),
            forgives=lambda error: error.error == "forgiven",
            providers={self.wits: "groq", self.voice: "cartesia"},
        )
        self.narrator = Narrator(
            self.told.append,
            lambda: self.now_ms,
            watched=watched,
            spoken=SpokenObserver(self.voice, self.mouth),
        )

    async def push(self, source: FrameProcessor, *frames: Frame, at_ms: int = 0) -> None:
        self.now_ms = max(self.now_ms, at_ms)
        down = FrameDirection.DOWNSTREAM
        for frame in frames:
            pushed = FramePushed(source, self.other, frame, down, self.now_ms * 1_000_000)
            await self.narrator.on_push_frame(pushed)

    async def ask(self, words: str) -> None:
        await self.push(self.turns, UserStartedSpeakingFrame())
        await self.push(self.ears, TranscriptionFrame(words, "", ""))
        await self.push(self.turns, UserStoppedSpeakingFrame())

    async def generate(self, text: str) -> None:
        sentence = AggregatedTextFrame(text, TextType.SENTENCE)
        sentence.will_be_spoken = True
        await self.push(self.voice, sentence, sound(), TTSStoppedFrame())

    def kinds(self) -> list[str]:
        return [event.kind for event in self.told]

    def only(self, kind: type[Kind]) -> Kind:
        (found,) = [event for event in self.told if isinstance(event, kind)]
        return found


async def test_an_exchange_is_told_in_order() -> None:
    call = _Call()
    await call.ask("hello")
    await call.generate("Good day.")
    await call.push(call.mouth, BotStartedSpeakingFrame(), sound(), at_ms=1000)
    call.narrator.ear(Answer(100, 600))
    await call.push(call.mouth, BotStoppedSpeakingFrame(), at_ms=2000)
    assert call.kinds() == [
        "caller_started", "heard", "caller_stopped", "reply_started", "reply_ended", "turn",
    ]  # fmt: skip
    turn = call.only(Turn)
    assert (turn.heard, turn.answered, turn.ear_ms) == ("hello", "Good day.", 500)


async def test_a_filler_is_neither_a_reply_nor_its_words() -> None:
    call = _Call()
    await call.ask("hello")
    await call.push(call.mouth, sound(_Filler), at_ms=1000)
    await call.generate("Good day.")
    await call.push(call.mouth, BotStartedSpeakingFrame(), sound(), at_ms=2000)
    await call.push(call.turns, InterruptionFrame())
    await call.push(call.mouth, BotStoppedSpeakingFrame(), at_ms=2500)
    assert call.only(ReplyEnded).spoken == "Good day."
    await call.push(call.other, sound(), at_ms=4000)
    assert call.only(Turn).answered == "Good day."


async def test_partials_carry_the_whole_turns_words() -> None:
    call = _Call()
    await call.ask("i would like")
    await call.push(call.ears, InterimTranscriptionFrame("an app", "", ""))
    last = call.told[-1]
    assert isinstance(last, Heard)
    assert (last.text, last.final) == ("i would like an app", False)


async def test_a_turn_waits_for_the_ears_last_word_and_comes_before_the_calls_end() -> None:
    call = _Call()
    await call.ask("hello")
    await call.push(call.mouth, BotStartedSpeakingFrame(), sound(), at_ms=1000)
    call.narrator.ear(Answer(100, 600))
    await call.push(call.mouth, BotStoppedSpeakingFrame(), at_ms=1100)
    assert call.kinds()[-1] == "reply_ended"
    call.narrator.ear(CutIn(600, 700))
    await call.push(call.mouth, CancelFrame(), at_ms=1110)
    assert call.kinds()[-2:] == ["cut_in", "turn"]
    assert call.only(Turn).ear_ms is None


async def test_a_barge_in_is_told_with_its_stop_time() -> None:
    call = _Call()
    await call.push(call.mouth, BotStartedSpeakingFrame(), sound(), at_ms=900)
    await call.push(call.turns, UserStartedSpeakingFrame(), InterruptionFrame(), at_ms=1200)
    await call.push(call.mouth, BotStoppedSpeakingFrame(), at_ms=1250)
    call.narrator.ear(BargeIn(1000, 1240.4))
    assert call.only(BargedIn).stop_ms == 240
    assert call.only(CallerStarted).interrupts


async def test_a_nod_is_no_barge_in_and_its_late_words_are_of_no_turn() -> None:
    call = _Call()
    await call.ask("hello")
    await call.push(call.mouth, BotStartedSpeakingFrame(), sound(), at_ms=1000)
    call.narrator.ear(Answer(100, 700))
    call.narrator.false_stop(520, "backchannel")
    call.narrator.ear(BargeIn(4000, 4100))
    call.narrator.ear(Answer(4400, 4620))
    await call.push(call.ears, TranscriptionFrame("uh-huh", "", ""), at_ms=4900)
    await call.push(call.mouth, BotStoppedSpeakingFrame(), at_ms=6000)
    await call.ask("thanks")
    assert "barged_in" not in call.kinds()
    turn = call.only(Turn)
    assert (turn.heard, turn.ear_ms) == ("hello", 600)
    assert [event.text for event in call.told if isinstance(event, Heard)] == [
        "hello", "uh-huh", "thanks",
    ]  # fmt: skip


@pytest.mark.parametrize(("later_ms", "interrupts"), [(FILLER_MS, True), (FILLER_MS + 1, False)])
async def test_who_speaks_over_a_filler_interrupts(later_ms: int, interrupts: bool) -> None:
    call = _Call()
    await call.push(call.mouth, sound(_Filler), at_ms=1000)
    await call.push(call.turns, UserStartedSpeakingFrame(), at_ms=1000 + later_ms)
    assert call.only(CallerStarted).interrupts == interrupts


async def test_a_false_stop_is_told_with_its_reason() -> None:
    call = _Call()
    call.narrator.false_stop(399.6, "backchannel")
    assert call.told == [FalseStop(at_ms=0, paused_ms=400, why="backchannel")]


async def test_a_failure_is_told_once_where_it_began() -> None:
    call = _Call()
    error = ErrorFrame("no way", processor=call.voice)
    await call.push(call.voice, error)
    await call.push(call.mouth, error)
    failed = call.only(Failed)
    assert (failed.message, failed.provider) == ("no way", "cartesia")


async def test_a_failure_of_no_provider_names_none() -> None:
    call = _Call()
    await call.push(call.mouth, ErrorFrame("no line", processor=call.mouth))
    assert call.only(Failed).provider is None


async def test_a_failure_that_is_made_good_is_a_retry() -> None:
    call = _Call()
    error = ErrorFrame("forgiven", category=ErrorCategory.SERVER, processor=call.wits)
    await call.push(call.wits, error)
    await call.push(call.turns, error)
    assert call.told == [Retried(at_ms=0, code="server", provider="groq")]
