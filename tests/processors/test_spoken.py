"""What was heard and what was cut are all that was said, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import (
    AggregatedTextFrame,
    AggregatedTextProgressFrame,
    Frame,
    InterruptionFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    TTSTextFrame,
)
from pipecat.observers.base_observer import FramePushed
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.utils.text.base_text_aggregator import TextType

from processors.spoken import SpokenObserver, SpokenText

pytestmark = pytest.mark.unit

Sentences = list[tuple[str, float]]

_sentences: st.SearchStrategy[Sentences] = st.lists(
    st.tuples(st.text("abc .", min_size=1, max_size=30), st.floats(1, 5000)), max_size=5
)


def said(sentences: Sentences, played_ms: float, *, interrupted: bool = True) -> tuple[str, str]:
    spoken = SpokenText()
    for number, (text, ms) in enumerate(sentences):
        spoken.sentence(number, text)
        spoken.generated(ms)
        spoken.complete(number)
    spoken.played(played_ms, 1)
    if interrupted:
        spoken.interrupted()
    return spoken.take()


def test_a_reply_that_was_played_was_heard() -> None:
    assert said([("One two.", 1000), ("Three.", 500)], 1500) == ("One two. Three.", "")


def test_a_few_lost_samples_cut_no_word() -> None:
    heard = said([("One two.", 1000), ("Three.", 500)], 1490, interrupted=False)

    assert heard == ("One two. Three.", "")


def test_an_interruption_cuts_at_a_word() -> None:
    heard, cut = said([("one two three four", 2000), ("five", 1000)], 1000)

    assert (heard, cut) == ("one two", "three four five")


@given(_sentences, st.floats(1, 30_000))
def test_every_word_was_heard_or_cut(sentences: Sentences, played_ms: float) -> None:
    heard, cut = said(sentences, played_ms)

    words = [word for text, _ in sentences for word in text.split()]
    assert (heard.split() + cut.split()) == words


@given(_sentences, st.floats(1, 30_000), st.floats(0, 5000))
def test_who_listens_longer_hears_no_less(
    sentences: Sentences, played_ms: float, more_ms: float
) -> None:
    assert len(said(sentences, played_ms + more_ms)[0]) >= len(said(sentences, played_ms)[0])


def test_a_word_weighs_what_it_takes_to_say() -> None:
    spoken = SpokenText(lambda word: 20 if word == "$80" else len(word))
    spoken.sentence(1, "It is $80 now")
    spoken.generated(3000)
    spoken.complete(1)
    spoken.played(1000, 1)
    spoken.interrupted()

    assert spoken.take() == ("It is", "$80 now")


def test_a_sentence_that_the_voice_has_not_finished_is_estimated() -> None:
    spoken = SpokenText()
    spoken.sentence(1, "ten letter words stand here")
    spoken.generated(400)
    spoken.played(400, 1)
    spoken.interrupted()
    heard, cut = spoken.take()

    assert heard == "ten"
    assert cut == "letter words stand here"


def test_what_is_still_to_be_said_is_said_later() -> None:
    spoken = SpokenText()
    for number, text in enumerate(("One.", "Two.")):
        spoken.sentence(number, text)
        spoken.generated(1000)
        spoken.complete(number)
    spoken.played(1000, 1)

    assert spoken.take() == ("One.", "")
    spoken.played(1000, 2)
    assert spoken.take() == ("Two.", "")


def test_what_was_never_begun_is_forgotten() -> None:
    spoken = SpokenText()
    spoken.sentence(1, "Never mind.")
    spoken.interrupted()
    spoken.sentence(2, "Yes.")
    spoken.generated(400)
    spoken.complete(2)
    spoken.played(400, 1)

    assert spoken.take() == ("Yes.", "")


def test_a_voice_that_times_its_words_is_believed() -> None:
    spoken = SpokenText()
    spoken.sentence(1, "one two three")
    spoken.generated(9000)
    spoken.word(1, "one", 100)
    spoken.word(1, "one two ", 200)
    spoken.word(1, "one two three", 900)
    spoken.played(10, 250)
    spoken.interrupted()

    assert spoken.take() == ("one two", "three")


@given(_sentences, st.integers(0, 5), st.floats(1, 30_000))
def test_a_voice_that_tells_its_text_first_loses_no_word(
    sentences: Sentences, ahead: int, played_ms: float
) -> None:
    spoken = SpokenText()
    for number, (text, ms) in enumerate(sentences):
        spoken.sentence(number, text)
        spoken.complete(number)
        if number >= ahead:
            spoken.generated(ms)
    spoken.generated(sum(ms for _, ms in sentences[:ahead]))
    spoken.complete(None)
    spoken.played(played_ms, 1)
    spoken.interrupted()
    heard, cut = spoken.take()

    words = [word for text, _ in sentences for word in text.split()]
    assert (heard.split() + cut.split()) == words


def test_a_voice_that_tells_its_text_first_is_cut_where_it_was() -> None:
    spoken = SpokenText()
    for number, text in enumerate(("one two", "ten six", "odd end")):
        spoken.sentence(number, text)
        spoken.complete(number)
    spoken.generated(2400)
    spoken.complete(None)
    spoken.played(1200, 1)
    spoken.interrupted()

    assert spoken.take() == ("one two ten", "six odd end")


class _Frames:
    """Pushes frames past an observer, as a pipeline does."""

    def __init__(self) -> None:
        self.voice, self.output, self.other = FrameProcessor(), FrameProcessor(), FrameProcessor()
        self.observer = SpokenObserver(self.voice, self.output)

    def push(
        self, source: FrameProcessor, frame: Frame, at_ns: int = 0, *, first: bool = True
    ) -> None:
        down = FrameDirection.DOWNSTREAM
        self.observer.see(FramePushed(source, self.other, frame, down, at_ns, first))

    def sentence(self, text: str) -> AggregatedTextFrame:
        frame = AggregatedTextFrame(text, TextType.SENTENCE)
        frame.will_be_spoken = True
        self.push(self.voice, frame)
        return frame

    def generate(self, source: FrameProcessor, secs: float, at_ns: int = 0) -> None:
        self.push(source, TTSAudioRawFrame(bytes(int(24_000 * secs) * 2), 24_000, 1), at_ns)


def test_follows_a_voice_without_word_times() -> None:
    frames = _Frames()
    first = frames.sentence("It costs $80 in all.")
    frames.generate(frames.voice, 3.0)
    frames.push(frames.voice, TTSTextFrame(first.text, TextType.SENTENCE, segment_id=first.id))
    frames.sentence("Shall I book it?")
    frames.generate(frames.voice, 1.0)
    frames.push(frames.voice, TTSStoppedFrame())
    for _ in range(90):
        frames.generate(frames.output, 0.02)
    frames.push(frames.other, InterruptionFrame())

    assert frames.observer.take() == ("It costs $80", "in all. Shall I book it?")


def test_follows_a_voice_that_tells_its_text_first() -> None:
    frames = _Frames()
    for text in ("One two.", "Six ten."):
        sentence = frames.sentence(text)
        frames.push(frames.voice, TTSTextFrame(text, TextType.SENTENCE, segment_id=sentence.id))
    frames.generate(frames.voice, 2.0)
    frames.push(frames.voice, TTSStoppedFrame())
    frames.generate(frames.output, 0.5)
    frames.push(frames.other, InterruptionFrame())

    assert frames.observer.take() == ("One", "two. Six ten.")


def test_follows_a_voice_with_word_times() -> None:
    frames = _Frames()
    sentence = frames.sentence("One two three.")
    frames.generate(frames.voice, 3.0)
    for words, at_ns in (("One", 1), ("One two", 500), ("One two three.", 2000)):
        progress = AggregatedTextProgressFrame(
            segment_id=sentence.id,
            context_id=None,
            text=sentence.text,
            text_type=TextType.SENTENCE,
            accumulated_text=words,
            remaining_text="",
        )
        progress.pts = at_ns
        frames.push(frames.voice, progress)
        word = TTSTextFrame(words.split()[-1], TextType.WORD, segment_id=sentence.id)
        word.pts = at_ns
        frames.push(frames.voice, word)
    frames.generate(frames.output, 0.02, at_ns=600)
    frames.push(frames.other, InterruptionFrame())

    assert frames.observer.take() == ("One two", "three.")


def test_text_that_is_not_spoken_is_not_counted() -> None:
    frames = _Frames()
    frames.push(frames.voice, AggregatedTextFrame("print(1)", "code"))
    frames.push(frames.other, AggregatedTextFrame("elsewhere", TextType.SENTENCE))

    assert frames.observer.take() == ("", "")


def test_what_slips_by_an_interruption_on_its_way_is_not_taken_for_what_follows() -> None:
    frames = _Frames()
    interruption = InterruptionFrame()
    frames.push(frames.other, interruption)
    frames.sentence("You said hello.")
    frames.generate(frames.voice, 1.0)
    frames.push(frames.voice, interruption, first=False)
    frames.sentence("Good-bye.")
    frames.generate(frames.voice, 0.5)
    frames.push(frames.voice, TTSStoppedFrame())
    frames.generate(frames.output, 0.5)

    assert frames.observer.take() == ("Good-bye.", "")


def test_what_is_begun_after_an_interruption_belongs_to_the_next_reply() -> None:
    spoken = SpokenText()
    spoken.sentence(1, "One two three four.")
    spoken.generated(1000)
    spoken.complete(1)
    spoken.played(500, 0)
    spoken.interrupted()
    # The voice is sooner than the word that the bot fell silent.
    spoken.sentence(2, "Good-bye.")
    spoken.generated(400)
    spoken.complete(2)
    heard, cut = spoken.take()
    assert (heard, cut) == ("One two", "three four.")
    spoken.played(400, 0)
    assert spoken.take() == ("Good-bye.", "")
