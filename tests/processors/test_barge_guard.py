"""Held soon, never for long; stopped by words and by much voice, not by coughs and nods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.barge_guard import (
    BURST_MS,
    HOLD_MS,
    NEXT_MS,
    NOD_MS,
    ONSET_MS,
    THINKING_MS,
    VOICE_MS,
    VOICE_UNHEARD_MS,
    Act,
    BargeInGuard,
    Bot,
    Busy,
    LastNod,
    Ruling,
)

pytestmark = pytest.mark.unit

WINDOW_MS = 32.0
SAYING = Bot(said=("The practice is open from nine to five.",))
ASKING = Bot(said=("Shall I book it for you?",))

spans = st.lists(st.tuples(st.integers(0, 1500), st.integers(20, 2000)), min_size=1, max_size=8)


@dataclass
class Caller:
    """Feeds a guard as the detector does, window by window."""

    guard: BargeInGuard
    bot: Bot = SAYING
    now_ms: float = 0.0

    def sound(self, quiet_ms: float, voiced_ms: float) -> list[tuple[float, Ruling]]:
        rulings: list[tuple[float, Ruling]] = []
        for length_ms, is_voice in ((quiet_ms, False), (voiced_ms, True)):
            run_ms = 0.0
            while run_ms < length_ms:
                run_ms += WINDOW_MS
                self.now_ms += WINDOW_MS
                voiced = (run_ms, 0.0) if is_voice else (0.0, run_ms)
                ruling = self.guard.voice(*voiced, now_ms=self.now_ms, bot=self.bot)
                rulings += [(self.now_ms, ruling)] if ruling else []
                if ruling and ruling.act is Act.INTERRUPT:
                    return rulings
        return rulings

    def say(self, text: str) -> Ruling | None:
        return self.guard.words(text, now_ms=self.now_ms, bot=self.bot)


def acts(rulings: Sequence[tuple[float, Ruling]]) -> list[Act]:
    return [ruling.act for _, ruling in rulings]


@given(spans, st.booleans())
def test_what_is_held_is_let_go_within_the_limit(
    sounds: list[tuple[int, int]], partials: bool
) -> None:
    caller = Caller(BargeInGuard(partials=partials))
    rulings = [r for quiet, voiced in sounds for r in caller.sound(quiet, voiced)]
    rulings += caller.sound(2 * HOLD_MS, 0)
    assert not caller.guard.paused
    held_at_ms: float | None = None
    for at_ms, ruling in rulings:
        assert (ruling.act is Act.PAUSE) == (held_at_ms is None)
        if held_at_ms is not None:
            assert at_ms - held_at_ms <= HOLD_MS + WINDOW_MS
        held_at_ms = at_ms if ruling.act is Act.PAUSE else None


@given(st.lists(st.integers(300, 1500), min_size=1, max_size=10))
def test_no_series_of_bursts_stops_the_bot(quiets: list[int]) -> None:
    caller = Caller(BargeInGuard())
    rulings = [r for quiet in quiets for r in caller.sound(quiet, BURST_MS - WINDOW_MS)]
    assert Act.INTERRUPT not in acts(rulings)


@pytest.mark.parametrize(("partials", "limit_ms"), [(False, VOICE_MS), (True, VOICE_UNHEARD_MS)])
def test_long_voice_holds_the_bot_and_then_stops_it(partials: bool, limit_ms: int) -> None:
    caller = Caller(BargeInGuard(partials=partials))
    (held_at_ms, held), (stopped_at_ms, stopped) = caller.sound(0, limit_ms + WINDOW_MS)
    assert (held.act, stopped.act) == (Act.PAUSE, Act.INTERRUPT)
    assert held_at_ms == ONSET_MS
    assert limit_ms <= stopped_at_ms < limit_ms + WINDOW_MS


def test_a_dip_inside_speech_lets_nothing_go() -> None:
    caller = Caller(BargeInGuard())
    rulings = caller.sound(0, 160) + caller.sound(64, 640)
    assert acts(rulings) == [Act.PAUSE, Act.INTERRUPT]


def test_words_stop_the_bot_at_once() -> None:
    caller = Caller(BargeInGuard(partials=True))
    assert acts(caller.sound(0, 128)) == [Act.PAUSE]
    assert caller.say("what about Tuesday") == Ruling(Act.INTERRUPT)


def test_words_that_come_after_the_bot_went_on_stop_it_all_the_same() -> None:
    caller = Caller(BargeInGuard())
    assert acts(caller.sound(0, 200) + caller.sound(600, 0)) == [Act.PAUSE, Act.RESUME]
    assert caller.say("stop") == Ruling(Act.INTERRUPT)


@pytest.mark.parametrize("text", ["Uh-huh.", "right", "yeah, okay", "I see"])
def test_a_backchannel_lets_it_go_on(text: str) -> None:
    caller = Caller(BargeInGuard(partials=True))
    caller.sound(0, 320)
    assert caller.say(text) is None
    [(_, ruling)] = caller.sound(400, 0)
    assert ruling == Ruling(Act.RESUME, "backchannel")


def test_a_long_backchannel_is_none_the_less() -> None:
    caller = Caller(BargeInGuard(partials=True))
    caller.sound(0, 400)
    caller.say("mm-hm")
    assert acts(caller.sound(0, 400)) == []
    assert acts(caller.sound(400, 0)) == [Act.RESUME]


@pytest.mark.parametrize("text", ["yes", "uh-huh", "sure"])
def test_after_a_question_they_are_answers(text: str) -> None:
    caller = Caller(BargeInGuard(partials=True), ASKING)
    caller.sound(0, 200)
    assert caller.say(text) == Ruling(Act.INTERRUPT)


def test_a_backchannel_that_goes_on_as_a_sentence_stops_it() -> None:
    caller = Caller(BargeInGuard(partials=True))
    caller.sound(0, 320)
    assert caller.say("yeah") is None
    assert caller.say("yeah but I wanted Tuesday") == Ruling(Act.INTERRUPT)


def test_its_own_words_do_not_stop_the_bot() -> None:
    caller = Caller(BargeInGuard(partials=True))
    caller.sound(0, 200)
    assert caller.say("open from nine to five") == Ruling(Act.RESUME, "echo")


def test_what_sounds_like_the_bot_does_not_even_hold_it() -> None:
    caller = Caller(BargeInGuard(), Bot(said=SAYING.said, echo=True))
    assert caller.sound(0, 5000) == []
    assert caller.say("lovely weather") is None
    assert caller.say("stop") == Ruling(Act.INTERRUPT)


def test_a_second_voice_in_the_middle_of_an_echo_does() -> None:
    caller = Caller(BargeInGuard(), Bot(echo=True))
    caller.sound(0, 1000)
    caller.bot = SAYING
    rulings = list[tuple[float, Ruling]]()
    for run_ms in range(1032, 2000, 32):
        caller.now_ms += 32
        ruling = caller.guard.voice(run_ms, 0.0, now_ms=caller.now_ms, bot=caller.bot)
        rulings += [(caller.now_ms, ruling)] if ruling else []
    assert acts(rulings)[:2] == [Act.PAUSE, Act.INTERRUPT]


@given(st.text(max_size=5).filter(lambda text: not any(c.isalnum() for c in text)))
def test_no_words_are_no_words(text: str) -> None:
    assert Caller(BargeInGuard()).say(text.replace("_", "")) is None


@pytest.mark.parametrize("text", ["sure", "ok", "oh", "right"])
def test_in_another_language_any_word_stops_it(text: str) -> None:
    caller = Caller(BargeInGuard(partials=True, english=False))
    caller.sound(0, 200)
    assert caller.say(text) == Ruling(Act.INTERRUPT)


def test_in_another_language_no_word_is_heard_through_an_echo() -> None:
    caller = Caller(BargeInGuard(english=False), Bot(said=SAYING.said, echo=True))
    assert caller.say("no") is None


@given(
    before_ms=st.integers(0, 3 * NOD_MS), after_ms=st.integers(0, 3 * NEXT_MS), more=st.booleans()
)
def test_a_nod_close_to_the_bots_end_is_its_answer(
    before_ms: int, after_ms: int, more: bool
) -> None:
    nod = LastNod()
    nod.heard(0)
    nod.stopped(before_ms)
    close = before_ms <= NOD_MS
    assert nod.answers(before_ms + after_ms, goes_on=more) == (
        close and (more or after_ms >= NEXT_MS)
    )


def test_a_nod_for_which_the_bot_was_held_counts_from_its_going_on() -> None:
    nod = LastNod()
    nod.heard(0)
    nod.went_on(NOD_MS)
    nod.stopped(2 * NOD_MS)
    assert nod.answers(2 * NOD_MS + NEXT_MS, goes_on=False)


def test_a_nod_that_the_bot_spoke_after_answers_nothing() -> None:
    nod = LastNod()
    nod.heard(0)
    nod.stopped(0)
    nod.forget()
    nod.went_on(100)
    assert not nod.answers(1000, goes_on=True)


def test_a_bot_is_busy_from_the_turns_end_to_its_own() -> None:
    busy = Busy()
    assert not busy.at(0)
    busy.asked(100)
    assert busy.at(100 + THINKING_MS - 1)
    busy.started()
    assert busy.at(1e9)
    busy.stopped()
    assert not busy.at(1e9)


def test_a_bot_that_never_answers_is_not_busy_for_ever() -> None:
    busy = Busy()
    busy.asked(0)
    assert not busy.at(THINKING_MS)


def test_a_tool_keeps_it_busy_and_its_result_makes_it_think() -> None:
    busy = Busy()
    busy.calls(2, 0)
    assert busy.at(1e6)
    busy.calls(-1, 1e6)
    busy.calls(-1, 1e6)
    assert busy.at(1e6 + THINKING_MS - 1)
    assert not busy.at(1e6 + THINKING_MS)
