"""How each policy ends a turn, and how that is counted."""

from __future__ import annotations

import numpy as np
import pytest

from errors import MissingError
from evals.bench_turns import Outcome, bench_turns, by_rules, curve, policies, smart_turn, tell
from evals.corpus import Utterance
from evals.prompts import Word
from evals.report import Report
from evals.turn_moments import Moment, Turn
from processors.stable_transcript import Rules

pytestmark = pytest.mark.integration


def turn(*, pause_ms: int = 800, votes: tuple[bool, bool] = (True, True), first: str) -> Turn:
    """Two stretches of a second, with a pause between: `first`, and "tomorrow at four"."""
    words = (Word(first, 1000), Word("tomorrow at four", 2000 + pause_ms))
    samples = np.zeros(0, np.int16)
    said = Utterance("made", "pause", samples, words, 2000 + pause_ms)
    ends_ms = (1000, 2000 + pause_ms)
    moments = [
        Moment(float(at_ms), "audio", quiet_ms=_quiet_ms(at_ms, ends_ms))
        for at_ms in range(20, 8000, 20)
    ]
    for end_ms, word, complete in zip(ends_ms, words, votes, strict=True):
        moments += [
            Moment(end_ms - 800, "speaks"),
            Moment(end_ms + 130, "partial", word.text, quiet_ms=130),
            Moment(end_ms + 200, "silent", quiet_ms=200),
            Moment(end_ms + 260, "vote", quiet_ms=260, complete=complete),
            Moment(end_ms + 350, "final", word.text, quiet_ms=350),
        ]
    return Turn(said, ends_ms[1], tuple(sorted(moments, key=lambda moment: moment.at_ms)))


def _quiet_ms(at_ms: int, ends_ms: tuple[int, int]) -> float:
    first, second = ends_ms
    if at_ms > second:
        return at_ms - second
    return at_ms - first if first < at_ms <= second - 1000 else 0.0


def test_a_final_while_the_words_look_finished_ends_the_turn() -> None:
    outcome = Outcome(judged := turn(first="I will come"), by_rules(Rules(vote=False))(judged))
    assert outcome.cut and outcome.wait_ms is None


def test_words_that_look_unfinished_are_waited_for() -> None:
    outcome = Outcome(judged := turn(first="I will come and"), by_rules(Rules(vote=False))(judged))
    assert not outcome.cut and outcome.wait_ms == 350


def test_a_vote_against_it_is_waited_for() -> None:
    judged = turn(first="I will come", votes=(False, True), pause_ms=700)
    outcome = Outcome(judged, by_rules(Rules(vote=True, patience_ms=1000))(judged))
    assert outcome.wait_ms == 350


def test_silence_needs_no_more_than_itself_and_a_final() -> None:
    judged = turn(first="I will come and")
    for silence_ms, wait_ms in ((200, None), (1200, 1200)):
        policy = by_rules(Rules(vote=False, hold_ms=0, commit_ms=silence_ms))
        assert Outcome(judged, policy(judged)).wait_ms == wait_ms


def test_smart_turn_waits_three_seconds_when_it_expects_more() -> None:
    judged = turn(first="I will come", votes=(False, False))
    assert Outcome(judged, smart_turn(judged)).wait_ms == pytest.approx(3200, abs=20)
    judged = turn(first="I will come", votes=(False, True))
    assert Outcome(judged, smart_turn(judged)).wait_ms == 350


def test_figures_are_told_for_all_turns_and_for_each_kind() -> None:
    judged = turn(first="I will come")
    report = Report()
    tell(report, "stable", [Outcome(judged, 1350), Outcome(judged, judged.end_ms + 350)])
    assert report.figures["false_cut_in_rate_stable"]["value"] == 0.5
    assert report.figures["false_cut_in_rate_stable_pause"]["value"] == 0.5
    assert report.figures["wait_ms_stable"]["p50"] == 350
    assert report.figures["wait_ms_stable"]["n"] == 1
    assert "50.0%" in curve(report)


def test_the_policies_that_are_compared_have_a_name_each() -> None:
    assert {"stable", "smart_turn", "both", "silence_600"} <= set(policies())


def test_the_bench_tells_every_policy_and_kind() -> None:
    try:
        report = bench_turns(every=16)
    except MissingError as error:
        pytest.skip(error.message)
    for policy in policies():
        assert f"false_cut_in_rate_{policy}" in report.figures
    for kind in ("sentence", "pause", "spelled"):
        assert f"false_cut_in_rate_both_{kind}" in report.figures
    assert report.figures["wait_ms_both_sentence"]["p50"]
