"""The latency bench: its judgement on tracks whose truth is known, and one short call of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from errors import ConfigError
from evals.bench_latency import LatencyOptions, bench_latency, figures, measure
from evals.latency_bars import summary
from evals.latency_trace import Event, table, timeline
from evals.latency_truth import Sound, Turn, locate, read_sounds, read_turns
from evals.latency_turns import RATE_HZ, sayings, timed_lines
from evals.report import Report
from evals.simulators._ears import stretches
from records.gate import Samples
from tests.support.speech import Spans, voice

pytestmark = pytest.mark.integration

NEAR_MS = 12


def tracks(caller: Spans, bot: Spans, *, length_ms: int) -> Samples:
    return np.stack([voice(caller, length_ms), voice(bot, length_ms)], axis=1)


def read(
    caller: Spans, bot: Spans, turns: list[tuple[int, int]], *, length_ms: int = 12_000
) -> list[Turn]:
    return read_turns(tracks(caller, bot, length_ms=length_ms), turns)


def test_an_answer_is_timed_from_the_last_speech_of_the_turn_to_the_first_of_the_bot() -> None:
    [turn] = read([(1000, 2000), (2600, 3500)], [(4100, 6000)], [(1000, 3500)])
    assert turn.ear_ms == pytest.approx(600, abs=NEAR_MS)
    assert turn.stop_ms is None
    assert turn.cut_ins == 0


def test_a_bot_that_is_spoken_over_is_timed_until_it_falls_silent() -> None:
    first, second = read(
        [(1000, 2000), (4000, 6000)],
        [(2700, 4300), (6500, 8000)],
        [(1000, 2000), (4000, 6000)],
    )
    assert first.ear_ms == pytest.approx(700, abs=NEAR_MS)
    assert second.stop_ms == pytest.approx(300, abs=NEAR_MS)
    assert second.ear_ms == pytest.approx(500, abs=NEAR_MS)
    assert second.cut_ins == 0, "the reply that is spoken over is no cut-in"


def test_a_bot_that_speaks_in_a_pause_of_the_turn_has_cut_in() -> None:
    [turn] = read([(1000, 2000), (2800, 4000)], [(2600, 3000), (4500, 6000)], [(1000, 4000)])
    assert turn.cut_ins == 1
    assert turn.ear_ms == pytest.approx(500, abs=NEAR_MS), "the answer after it still counts"


def test_a_bot_that_talks_into_the_end_of_the_turn_gives_no_ear_latency() -> None:
    [turn] = read([(1000, 2000), (2800, 4000)], [(2600, 6000)], [(1000, 4000)])
    assert turn == Turn(turn.start_ms, turn.end_ms, ear_ms=None, stop_ms=None, cut_ins=1)


def test_what_is_said_after_the_next_turn_began_is_no_answer() -> None:
    first, second = read(
        [(1000, 2000), (8000, 9000)], [(9500, 11_000)], [(1000, 2000), (8000, 9000)]
    )
    assert first.ear_ms is None
    assert second.ear_ms == pytest.approx(500, abs=NEAR_MS)


def test_the_pulse_of_a_voice_is_no_end_of_it() -> None:
    [turn] = read([(2000, 3000)], [(500, 2000), (2150, 2300), (3600, 5000)], [(2000, 3000)])
    assert turn.ear_ms == pytest.approx(600, abs=NEAR_MS)


@pytest.mark.parametrize(
    ("bot", "replies_ms", "expected"),
    [
        ([(500, 9000)], [], Sound(0, went_on=True)),
        ([(500, 2200), (2600, 9000)], [], Sound(400, went_on=True)),
        ([(500, 2200), (3800, 9000)], [], Sound(1600, went_on=False)),
        ([(500, 2200), (2900, 9000)], [2850.0], Sound(700, went_on=False)),
        ([(500, 2200)], [], Sound(float("inf"), went_on=False)),
    ],
    ids=["unmoved", "resumed", "too late", "another reply", "silent for good"],
)
def test_a_sound_over_the_bot(bot: Spans, replies_ms: list[float], expected: Sound) -> None:
    made = tracks([(2000, 2400)], bot, length_ms=10_000)
    [sound] = read_sounds(made, [(2000, 2400)], replies_ms)
    assert sound is not None
    assert sound.silent_ms == pytest.approx(expected.silent_ms, abs=NEAR_MS)
    assert sound.went_on is expected.went_on


def test_a_sound_while_the_bot_is_silent_says_nothing() -> None:
    made = tracks([(2000, 2400)], [(4000, 6000)], length_ms=10_000)
    assert read_sounds(made, [(2000, 2400)], []) == [None]


def test_clips_are_found_where_they_were_played_and_a_broken_one_is_not() -> None:
    generator = np.random.default_rng(0)
    clips = [generator.integers(-3000, 3000, 16_000).astype("<i2") for _ in range(3)]
    caller = np.zeros(16_000 * 8, np.int16)
    caller[1600:17_600] = clips[0]
    caller[32_000:40_000] = clips[1][:8000]
    caller[64_000:80_000] = clips[2]
    again = [*clips, clips[0]]
    caller[100_000:116_000] = clips[0]
    made = np.stack([caller, caller], axis=1)
    found = locate(made, [clip.tobytes() for clip in again], [5090, 6990, 8990, 11_240])
    assert found == [(100, 1100), None, (4000, 5000), (6250, 7250)]


def test_a_broken_clip_is_not_taken_for_a_later_one_of_its_kind() -> None:
    clip = np.random.default_rng(0).integers(-3000, 3000, 8000).astype("<i2")
    caller = np.zeros(16_000 * 6, np.int16)
    for start, length in ((0, 8000), (32_000, 4000), (64_000, 8000)):
        caller[start : start + length] = clip[:length]
    found = locate(np.stack([caller, caller], axis=1), [clip.tobytes()] * 3, [0, 2000, 4000])
    assert found == [(0, 500), None, (4000, 4500)]


def test_a_timeline_is_of_the_steps_that_led_to_the_answer() -> None:
    events = [
        Event("request", 900),
        Event("token", 950),
        Event("partial", 1100),
        Event("final", 1350),
        Event("commit", 1355),
        Event("request", 1360),
        Event("token", 1520),
        Event("speak", 1540),
        Event("voice", 1650),
        Event("request", 3000),
    ]
    found = timeline(events, end_ms=1000, audible_ms=1660)
    assert found == {
        "partial": 100, "final": 350, "commit": 355, "request": 360,
        "token": 520, "speak": 540, "voice": 650,
    }  # fmt: skip
    assert table([("hello", found, 660)]).splitlines()[-1].split()[0] == "100"


def test_each_word_ends_in_the_stretch_where_it_was_said() -> None:
    audio = voice([(0, 1000), (1600, 2200)], 2200).tobytes()
    spans = [("four five", 0, 1000), ("six", 1600, 2200)]
    first, second = timed_lines(audio, spans, pause_ms=350)
    assert first.text == "four five"
    assert second.text == "six"
    assert first.ends_ms == pytest.approx((490, 980), abs=20)
    assert second.ends_ms == pytest.approx((580,), abs=20)


def test_the_turns_are_human_and_end_with_their_last_word() -> None:
    turns = sayings(54)
    assert 1 / 4 < sum(turn.pauses > 0 for turn in turns) / len(turns) < 1 / 2
    for turn in turns:
        voiced = stretches(turn.audio, sample_rate_hz=RATE_HZ, pause_ms=350)
        assert voiced[-1][-1] == pytest.approx(turn.secs * 1000, abs=10)
        assert " ".join(line.text for line in turn.lines) == turn.text
        assert len(turn.lines) >= turn.pauses + 1


def test_a_cell_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'earlier'.*did you mean 'early'"):
        bench_latency(LatencyOptions(cells=("earlier",)))


def test_the_bars_say_by_how_much_they_are_missed() -> None:
    report = Report()
    report.percentiles("barge_in_stop_ms", [300, 300], "ms")
    report.percentiles("barge_in_stop_baseline_ms", [400, 400], "ms")
    lines = [" ".join(line.split()) for line in summary(report).splitlines()]
    assert "barge_in_stop_ms 300.0 (300.0) 400.0 (400.0)" in lines
    assert "barge_in_stop_ms p50 300 bar 280 missed by 20" in lines
    assert "barge_in_stop_ms p95 300 bar 400 met" in lines


def test_both_bots_are_called_and_measured(tmp_path: Path) -> None:
    options = LatencyOptions(turns=2, cells=("bare", "baseline"), keep=tmp_path)
    outcomes = measure(options)
    report = figures(outcomes)
    assert report.figures["misheard_calls"]["value"] == 0
    assert {"own_overhead_ms", "ear_latency_baseline_ms"} <= set(report.figures)
    for outcome in outcomes.values():
        assert outcome.heard_all
        assert len(outcome.turns) + outcome.lost == 2
        assert outcome.spent["tokens"] > 20
        assert outcome.traces().splitlines()[-1].endswith("median")
