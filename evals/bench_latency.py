"""`offhook bench latency`: how soon the bot is heard and silent, beside a plain Pipecat bot.

The pipeline is the real one, in real time, on simulated vendors; the caller's speech is human and
has pauses inside sentences. Every figure is read off the two tracks of the call.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from errors import ConfigError
from evals.latency_bars import summary
from evals.latency_cells import (
    CELLS,
    FINAL_MS,
    GREETING,
    Job,
    Notes,
    behaviour,
    injected_ms,
    run_cell,
)
from evals.latency_trace import Event, table, timeline
from evals.latency_truth import Sound, Span, Turn, locate, read_sounds, read_turns
from evals.latency_turns import RATE_HZ, Saying, sayings, timed_lines
from evals.report import Report, percentile
from evals.simulators.behaviour import Line
from evals.simulators.vendors import Vendors
from pipelines.config import nearest
from records.recording import read_tracks

TURNS = 50
"""How many turns a call has."""
_SOUNDS = 44
"""The most sounds of a call."""


@dataclass(frozen=True)
class LatencyOptions:
    """What the command line asked for."""

    turns: int = TURNS
    """Turns, or sounds, of each call; there are at most 44 sounds."""
    cells: tuple[str, ...] = tuple(CELLS)
    jobs: int = 2
    """Calls at a time, each in a process of its own."""
    trace: bool = False
    """Whether each turn's timeline is printed."""
    keep: Path | None = None
    """Where the recordings are kept; None throws them away."""


@dataclass(frozen=True)
class Script:
    """What a cell's caller plays, and what a recogniser hears of it."""

    texts: tuple[str, ...]
    ask: bytes
    clips: tuple[bytes, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of a cell's call."""

    turns: tuple[Turn, ...] = ()
    sounds: tuple[Sound | None, ...] = ()
    texts: tuple[str, ...] = ()
    """Words of the turns, or names of the sounds."""
    events: tuple[Event, ...] = ()
    """Steps inside the line, on the tracks' clock."""
    spent: Mapping[str, int] = field(default_factory=Counter[str])
    """What the vendors produced: `tokens`, `characters`."""
    lost: int = 0
    """Clips that the machine was too busy to play in one piece."""
    late_ms: tuple[float, ...] = ()
    """How late the call's process woke from its short sleeps: what a busy machine costs."""
    heard_all: bool = True
    """Whether the words that were recognised were the script's."""

    @property
    def ears_ms(self) -> list[float]:
        """The turns' ear latencies."""
        return [turn.ear_ms for turn in self.turns if turn.ear_ms is not None]

    def traces(self) -> str:
        """Each turn's timeline, and the medians; what the bot did at each sound."""
        if self.sounds:
            told = zip(self.texts, self.sounds, strict=True)
            return "\n".join(f"{text:24} {_told(sound)}" for text, sound in told)
        rows = [
            (text, timeline(self.events, turn.end_ms, turn.end_ms + turn.ear_ms), turn.ear_ms)
            for text, turn in zip(self.texts, self.turns, strict=True)
            if turn.ear_ms is not None
        ]
        return table(rows)


def _told(sound: Sound | None) -> str:
    if sound is None:
        return "the bot was silent anyway"
    if not sound.paused:
        return "not noticed"
    return f"{'went on' if sound.went_on else 'stopped'} after {sound.silent_ms:.0f} ms"


def bench_latency(options: LatencyOptions) -> Report:
    """Make the calls, judge their tracks, and print how ours compares.

    Raises:
        ConfigError: There is no such cell.
        MissingError: The test speech is not installed.
        OffhookError: A call failed.
    """
    outcomes = measure(options)
    report = figures(outcomes)
    for name, outcome in outcomes.items() if options.trace else ():
        _say(f"{name}\n{outcome.traces()}\n")
    _say(f"{summary(report)}\n")
    return report


def measure(options: LatencyOptions) -> dict[str, Outcome]:
    """Make the calls, then judge their tracks; what came of each cell.

    Raises:
        ConfigError: There is no such cell.
        MissingError: The test speech is not installed.
        OffhookError: A call failed.
    """
    for name in options.cells:
        if name not in CELLS:
            raise ConfigError(
                f"There is no cell {name!r}{nearest(name, list(CELLS))}. "
                f"The cells are: {', '.join(CELLS)}.",
                field="cells",
            )
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        return asyncio.run(_measure(options, folder))


async def _measure(options: LatencyOptions, folder: Path) -> dict[str, Outcome]:
    scripts = {
        kind: _script(kind, options.turns) for kind in ("turns", "sounds") if _wanted(kind, options)
    }
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=spawn, max_tasks_per_child=1) as pool:
        free = asyncio.Semaphore(options.jobs)
        called = await asyncio.gather(
            *(
                _run(name, scripts[CELLS[name].script], folder, pool=pool, free=free)
                for name in options.cells
            )
        )
    # Judged only now: the calls had the machine to themselves.
    return {
        name: _judge(job, notes, spent, script=scripts[CELLS[name].script])
        for name, (job, notes, spent) in zip(options.cells, called, strict=True)
    }


def _wanted(kind: str, options: LatencyOptions) -> bool:
    return any(CELLS[name].script == kind for name in options.cells)


async def _run(
    name: str,
    script: Script,
    folder: Path,
    *,
    pool: ProcessPoolExecutor,
    free: asyncio.Semaphore,
) -> tuple[Job, Notes, Counter[str]]:
    async with free, Vendors(behaviour(CELLS[name], script.lines)) as vendors:
        job = Job(name, vendors.url, folder, script.ask, script.clips)
        notes = await asyncio.get_running_loop().run_in_executor(pool, partial(run_cell, job))
        return job, notes, Counter(vendors.desk.spent)


def _script(kind: str, count: int) -> Script:
    said = sayings(count if kind == "turns" else 1, pause_ms=FINAL_MS)
    if kind == "turns":
        lines = tuple(line for saying in said for line in saying.lines)
        return Script(
            tuple(saying.text for saying in said), b"", tuple(s.audio for s in said), lines
        )
    return _disturbance(said[0], count)


def _disturbance(ask: Saying, count: int) -> Script:
    """Sounds over answers; the recogniser hears words only in those that have them."""
    from evals.noises import noises

    clips: list[bytes] = []
    texts: list[str] = []
    lines: list[Line] = []
    for noise in noises()[: min(count, _SOUNDS)]:
        spans = [(noise.text, 0, len(noise.samples) * 1000 // RATE_HZ)]
        clips.append(noise.audio)
        texts.append(noise.name)
        lines += [*ask.lines, *timed_lines(noise.audio, spans, pause_ms=FINAL_MS)]
    return Script(tuple(texts), ask.audio, tuple(clips), tuple(lines))


def _judge(job: Job, notes: Notes, spent: Mapping[str, int], *, script: Script) -> Outcome:
    tracks = read_tracks(job.audio)
    spans = locate(tracks, job.played, notes.said_at_ms)
    behind_ms = _behind_ms(notes, spans)
    there = [number for number, span in enumerate(spans) if span]
    events = tuple(Event(e.step, e.at_ms - behind_ms, e.text) for e in notes.events)
    finals = " ".join(event.text for event in events if event.step == "final")
    script_words = " ".join(line.text for line in script.lines)
    outcome = partial(
        Outcome,
        events=events,
        spent=spent,
        lost=len(spans) - len(there),
        late_ms=notes.late_ms,
        heard_all=finals.split() == script_words.split(),
    )
    if CELLS[job.cell].script == "turns":
        texts = tuple(script.texts[number] for number in there)
        return outcome(texts=texts, turns=tuple(read_turns(tracks, [s for s in spans if s])))
    replies_ms = [at_ms - behind_ms for at_ms in notes.replies_at_ms]
    texts = tuple(script.texts[number // 2] for number in there if number % 2)
    sounds = read_sounds(tracks, [s for s in spans[1::2] if s], replies_ms)
    return outcome(texts=texts, sounds=tuple(sounds))


def _behind_ms(notes: Notes, spans: Sequence[Span | None]) -> float:
    """By how much the loop's clock is ahead of the tracks'.

    A clip's first 20 ms are sent up to 20 ms after it was queued, and are heard by then.
    """
    pairs = zip(notes.said_at_ms, spans, strict=True)
    ahead_ms = sorted(said_ms - span[0] for said_ms, span in pairs if span)
    return percentile(ahead_ms, 50) - 10


def figures(outcomes: Mapping[str, Outcome]) -> Report:
    """The figures that these cells give."""
    report = Report()
    for name, outcome in outcomes.items():
        if CELLS[name].script == "turns":
            _turn_figures(report, name, outcome)
        else:
            _sound_figures(report, name, outcome)
    if "plain" in outcomes and "early" in outcomes:
        for what in ("tokens", "characters"):
            ratio = _a_turn(outcomes["early"], what) / _a_turn(outcomes["plain"], what)
            report.value(f"regret_{what}_ratio", ratio, "ratio")
    report.percentiles("woken_late_ms", [ms for o in outcomes.values() for ms in o.late_ms], "ms")
    report.value("lost_clips", sum(outcome.lost for outcome in outcomes.values()), "count")
    report.value("misheard_calls", sum(not o.heard_all for o in outcomes.values()), "count")
    return report


_EARS = {
    "plain": "ear_latency_ms",
    "baseline": "ear_latency_baseline_ms",
    "early": "ear_latency_speculative_ms",
    "late": "ear_latency_speculative_late_ms",
    "slow": "first_sound_slow_ms",
    "slow_baseline": "first_sound_slow_baseline_ms",
}
_SUFFIXES = {"early": "", "sounds": "", "baseline": "_baseline", "sounds_baseline": "_baseline"}


def _turn_figures(report: Report, name: str, outcome: Outcome) -> None:
    ears_ms = outcome.ears_ms
    if name == "bare":
        own_ms = [ear_ms - injected_ms(CELLS[name].profile) for ear_ms in ears_ms]
        report.percentiles("own_overhead_ms", own_ms, "ms")
        return
    report.percentiles(_EARS[name], ears_ms, "ms")
    suffix = _SUFFIXES.get(name, f"_{name}")
    stops_ms = [turn.stop_ms for turn in outcome.turns if turn.stop_ms is not None]
    report.percentiles(f"barge_in_stop{suffix}_ms", stops_ms, "ms")
    turns = len(outcome.turns)
    cut = sum(turn.cut_ins > 0 for turn in outcome.turns)
    report.value(f"false_cut_in_rate{suffix}", cut / turns, "ratio")
    report.value(f"unanswered_rate{suffix}", 1 - len(ears_ms) / turns, "ratio")


def _sound_figures(report: Report, name: str, outcome: Outcome) -> None:
    suffix = _SUFFIXES[name]
    sounds = [sound for sound in outcome.sounds if sound is not None]
    if not sounds:
        return
    report.value(f"sounds{suffix}", len(sounds), "count")
    stops = sum(not sound.went_on for sound in sounds)
    report.value(f"false_stop_rate{suffix}", stops / len(sounds), "ratio")
    report.value(f"pause_rate{suffix}", sum(s.paused for s in sounds) / len(sounds), "ratio")
    resumed_ms = [sound.silent_ms for sound in sounds if sound.paused and sound.went_on]
    report.percentiles(f"resume{suffix}_ms", resumed_ms, "ms")


def _a_turn(outcome: Outcome, what: str) -> float:
    spent = outcome.spent.get(what, 0)
    greeting = len(GREETING) if what == "characters" else 0
    return (spent - greeting) / max(1, len(outcome.ears_ms))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201
