"""An answer is started on words that look final, and kept exactly when the turn ends on them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.stable_transcript import (
    Act,
    Commit,
    Rules,
    Settle,
    Speculate,
    StableTranscript,
    Withdraw,
)
from processors.unfinished import Expects

pytestmark = pytest.mark.unit

PAUSE = Rules(vote=False, commit_ms=200, hold_ms=0, final_ms=900)
WORDS = Rules(vote=False, commit_ms=200, hold_ms=1500, final_ms=900)
VOTE = Rules(vote=True, commit_ms=0, hold_ms=0, patience_ms=1000, final_ms=900)


def turn(rules: Rules = PAUSE) -> StableTranscript:
    """A turn that has just begun, with the caller speaking."""
    core = StableTranscript(rules)
    core.begin()
    assert core.speaks() == []
    return core


def test_equal_partials_start_an_answer_once_it_is_quiet() -> None:
    core = turn()
    assert core.partial("what time", 0) == []
    assert core.partial("What time?", 100) == []
    assert core.look(150, quiet_ms=100) == []
    assert core.look(200, quiet_ms=160) == [Speculate("What time?")]
    assert core.look(250, quiet_ms=200) == []


def test_one_partial_will_do_if_it_covers_the_silence() -> None:
    core = turn()
    assert core.partial("what time is", 0) == []
    assert core.look(60, quiet_ms=160) == []
    assert core.partial("what time is it", 100, quiet_ms=160) == [Speculate("what time is it")]


def test_the_final_confirms_it_whatever_its_dress() -> None:
    core = turn()
    core.partial("what time is it", 0, quiet_ms=160)
    assert core.silent(since_ms=-200, now_ms=40) == []
    assert core.final("What time is it?", 100, quiet_ms=300) == [Commit("What time is it?", True)]


def test_a_final_beats_the_partial() -> None:
    core = turn()
    core.partial("what time", 0, quiet_ms=160)
    core.silent(since_ms=-200, now_ms=40)
    acts = core.final("What time is it", 100, quiet_ms=300)
    assert acts == [Withdraw(), Commit("What time is it", False)]


def test_other_words_withdraw_it() -> None:
    core = turn()
    core.partial("i would like", 0, quiet_ms=160)
    assert core.partial("i would like to", 100) == [Withdraw()]


def test_resumed_speech_withdraws_it() -> None:
    core = turn()
    core.partial("i would like", 0, quiet_ms=160)
    assert core.resumes() == [Withdraw()]
    assert core.resumes() == []


def test_segments_of_a_turn_belong_together() -> None:
    core = turn()
    core.final("i would like", 0)
    core.speaks()
    assert core.partial("an appointment", 500, quiet_ms=160) == [
        Speculate("i would like an appointment")
    ]


def test_a_turn_is_not_over_while_a_final_is_due() -> None:
    core = turn()
    core.final("yes", 0)
    core.partial("please", 100)
    core.silent(since_ms=150, now_ms=350)
    assert core.look(500, quiet_ms=10) == []
    assert core.final("please", 600, quiet_ms=10) == [Commit("yes please", False)]


def test_without_a_final_the_stable_words_are_settled_and_count_as_one() -> None:
    core = turn()
    core.partial("hello", 0)
    core.silent(since_ms=0, now_ms=200)
    assert core.look(899, quiet_ms=10) == []
    assert core.look(900, quiet_ms=10) == [Settle("hello")]
    assert core.look(910, quiet_ms=10) == []
    assert core.final("hello", 920, quiet_ms=10) == [Commit("hello", False)]


def test_a_turn_does_not_end_on_a_caller_who_has_just_begun_to_go_on() -> None:
    core = turn()
    core.final("i would like", 0)
    core.silent(since_ms=0, now_ms=150)
    assert core.look(900, quiet_ms=0) == []
    assert core.look(940, quiet_ms=30)[-1].__class__ is Commit


def test_a_noise_after_the_final_delays_the_end_and_no_more() -> None:
    core = turn()
    core.final("hello", 0)
    core.speaks()
    core.silent(since_ms=300, now_ms=500)
    assert core.look(1100, quiet_ms=10) == []
    assert core.look(1200, quiet_ms=10) == [Commit("hello", False)]


@pytest.mark.parametrize("text", ["my number is oh seven", "i would like to and", "b r o w n"])
def test_unfinished_words_hold_the_turn_open_and_start_nothing(text: str) -> None:
    core = turn(WORDS)
    core.final(text, 0)
    core.silent(since_ms=0, now_ms=200)
    assert core.look(1400, quiet_ms=1400) == []
    assert core.look(1500, quiet_ms=1500) == [Commit(text, False)]


def test_what_the_bot_has_asked_for_holds_it_too() -> None:
    core = turn(WORDS)
    core.expects = Expects.PHONE
    core.final("seven seven", 0)
    core.silent(since_ms=0, now_ms=200)
    assert core.look(1400, quiet_ms=1400) == []


@pytest.mark.parametrize(("complete", "at_ms"), [(True, 400), (False, 1000)])
def test_smart_turn_has_a_vote(complete: bool, at_ms: int) -> None:
    core = turn(VOTE)
    core.final("yes", 100)
    core.silent(since_ms=0, now_ms=200)
    core.look(300, quiet_ms=300)
    acts = core.vote(400, complete=complete, quiet_ms=400) + core.look(at_ms, quiet_ms=at_ms)
    assert acts == [Commit("yes", True)]


def test_a_verdict_on_an_earlier_silence_counts_for_nothing() -> None:
    core = turn(VOTE)
    core.final("yes", 100)
    core.silent(since_ms=0, now_ms=200)
    core.speaks()
    assert core.vote(400, complete=True, quiet_ms=0) == []


def test_a_verdict_that_comes_as_the_caller_goes_on_ends_nothing() -> None:
    core = turn(VOTE)
    core.final("yes", 100)
    core.silent(since_ms=0, now_ms=200)
    assert core.vote(400, complete=True, quiet_ms=0) == []
    assert core.is_open


def test_a_verdict_counts_also_for_a_turn_that_begins_after_it() -> None:
    core = StableTranscript(VOTE)
    core.speaks()
    core.silent(since_ms=0, now_ms=200)
    core.vote(300, complete=True, quiet_ms=300)
    core.begin()
    assert core.final("no stop", 500, quiet_ms=500) == [Commit("no stop", False)]


def test_words_too_soft_for_the_detector_end_a_turn_too() -> None:
    core = StableTranscript(PAUSE)
    core.begin()
    assert core.final("stop", 1000, quiet_ms=300) == [Commit("stop", False)]


def test_an_answer_that_broke_off_after_it_was_heard_loses_no_turn() -> None:
    core = turn()
    core.likely_end("how much", 0)
    core.silent(since_ms=0, now_ms=200)
    core.final("how much", 250, quiet_ms=250)
    core.heard()
    assert not core.refused()


def test_a_verdict_that_never_comes_is_not_waited_for() -> None:
    core = turn(VOTE)
    core.final("yes", 100)
    assert core.silent(since_ms=0, now_ms=200) == [Speculate("yes")]
    assert core.look(900, quiet_ms=900) == [Commit("yes", True)]


def test_what_was_asked_for_and_is_complete_needs_no_vote() -> None:
    core = turn(replace(VOTE, hold_ms=1500))
    core.expects = Expects.PHONE
    core.final("oh seven seven double one two three four five six seven", 100)
    core.silent(since_ms=0, now_ms=200)
    assert not core.is_open


def test_the_recognisers_own_opinion_starts_an_answer_at_once() -> None:
    core = turn()
    assert core.likely_end("what time", 0) == [Speculate("what time")]
    assert core.unlikely_end() == [Withdraw()]


def test_a_refused_answer_is_not_asked_for_again_on_the_same_words() -> None:
    core = turn()
    core.likely_end("how much", 0)
    assert not core.refused()
    assert core.final("How much?", 100, quiet_ms=300) == []
    assert core.partial("and when", 200, quiet_ms=160) == [Speculate("How much? and when")]


def test_an_answer_refused_after_the_end_is_lost_once() -> None:
    core = turn()
    core.likely_end("how much", 0)
    core.silent(since_ms=0, now_ms=200)
    assert core.final("how much", 250, quiet_ms=250)[-1] == Commit("how much", True)
    assert core.refused()
    assert not core.refused()


def test_nothing_is_started_where_it_is_switched_off() -> None:
    core = turn()
    core.may_guess = lambda: False
    assert core.likely_end("what time", 0) == []


def test_a_turn_that_something_else_ends_leaves_nothing_held() -> None:
    core = turn()
    core.likely_end("what time", 0)
    assert core.end() == [Withdraw()]
    assert core.look(5000, quiet_ms=5000) == []


def test_a_turn_that_goes_on_after_all_can_end_again() -> None:
    core = turn()
    core.final("yes", 0)
    core.silent(since_ms=0, now_ms=200)
    assert not core.is_open
    core.reopen()
    core.speaks()
    core.silent(since_ms=600, now_ms=800)
    core.final("please", 900, quiet_ms=300)
    assert not core.is_open


steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["partial", "final", "likely", "unlikely", "speaks", "resumes", "silent", "vote",
             "look", "refused", "begin", "end"]
        ),
        st.sampled_from(["yes", "yes please", "No.", "and"]),
        st.integers(1, 700),
        st.booleans(),
    ),
    max_size=60,
)  # fmt: skip


def play(core: StableTranscript, kind: str, text: str, now_ms: float, *, flag: bool) -> list[Act]:
    """Do one step of a random conversation."""
    quiet_ms = 400.0 if flag else 0.0
    match kind:
        case "partial":
            return core.partial(text, now_ms, quiet_ms=quiet_ms)
        case "final":
            return core.final(text, now_ms, quiet_ms=quiet_ms)
        case "likely":
            return core.likely_end(text, now_ms)
        case "unlikely":
            return core.unlikely_end()
        case "speaks":
            return core.speaks()
        case "resumes":
            return core.resumes()
        case "silent":
            return core.silent(now_ms - 200, now_ms)
        case "vote":
            return core.vote(now_ms, complete=flag, quiet_ms=quiet_ms)
        case "end":
            return core.end()
        case _:
            return core.look(now_ms, quiet_ms=quiet_ms)


@settings(max_examples=500)
@given(steps, st.sampled_from([PAUSE, WORDS, VOTE]))
def test_every_answer_is_kept_or_withdrawn_and_a_turn_ends_once(
    conversation: list[tuple[str, str, int, bool]], rules: Rules
) -> None:
    core = StableTranscript(replace(rules))
    now_ms, running, is_open = 0.0, False, False
    for kind, text, wait_ms, flag in conversation:
        now_ms += wait_ms
        if kind == "begin":
            assert all(isinstance(act, Withdraw) for act in core.end())
            core.begin()
            running, is_open = False, True
            continue
        if kind == "refused":
            core.refused()
            running = False
            continue
        for act in play(core, kind, text, now_ms, flag=flag):
            assert is_open
            match act:
                case Speculate(words):
                    assert not running
                    assert words.strip()
                    running = True
                case Withdraw():
                    assert running
                    running = False
                case Commit(words, confirms):
                    assert confirms == running
                    assert words
                    running = is_open = False
                case Settle(words):
                    assert words
        is_open = is_open and kind != "end"
        assert core.is_open == is_open
