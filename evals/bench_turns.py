"""`offhook bench turns`: how often each policy cuts the caller off, against how long it waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from evals.corpus import utterances
from evals.report import Report
from evals.turn_moments import Moment, Turn, turns
from processors.stable_transcript import Act, Commit, Rules, Settle, StableTranscript
from processors.unfinished import asked_for

SILENCES_MS = (200, 400, 600, 800, 1000, 1200, 1500)
_FALLBACK_MS = 3000
"""Pipecat's default: silence, from the voice detector's word on, that overrules smart-turn."""
_RESUMED_MS = 90.0
"""Voice that takes an early answer back, as in the pipeline."""

Policy = Callable[[Turn], float | None]
"""When the turn is taken for over, on the turn's clock; None if never."""


@dataclass(frozen=True)
class Outcome:
    """What a policy did with one turn."""

    turn: Turn
    commit_ms: float | None

    @property
    def cut(self) -> bool:
        """Whether the caller had more to say."""
        return self.commit_ms is not None and self.commit_ms < self.turn.end_ms

    @property
    def wait_ms(self) -> float | None:
        """From the caller's last sample; None when it was not waited for, or for ever."""
        return None if self.commit_ms is None or self.cut else self.commit_ms - self.turn.end_ms


def bench_turns(*, every: int = 1) -> Report:
    """Let every policy judge the corpus. Needs no network, no weights, and about a minute.

    Figures, for each policy and for each kind of turn: `false_cut_in_rate_<policy>[_<kind>]`, the
    share of turns that ended before the caller's last word did, and `wait_ms_<policy>[_<kind>]`,
    from the caller's last sample to the end of the turn, where they were not cut off.

    Args:
        every: Take one of so many turns.

    Raises:
        MissingError: A package with the recordings is not installed.
    """
    heard = turns(utterances()[::every])
    report = Report()
    for name, policy in policies().items():
        tell(report, name, [Outcome(turn, policy(turn)) for turn in heard])
    return report


def policies() -> dict[str, Policy]:
    """Each by its name in the figures."""
    voted, words = Rules(), Rules(vote=False)
    chosen: dict[str, Policy] = {
        "smart_turn": smart_turn,
        "stable": by_rules(words),
        "both": by_rules(voted),
    }
    for silence_ms in SILENCES_MS:
        rules = Rules(vote=False, hold_ms=0, commit_ms=silence_ms)
        chosen[f"silence_{silence_ms}"] = by_rules(rules)
    for pause_ms in (500, 700, 900):
        chosen[f"stable_{pause_ms}"] = by_rules(replace(words, commit_ms=pause_ms))
    for hold_ms in (0, 1000, 2000):
        chosen[f"both_hold_{hold_ms}"] = by_rules(replace(voted, hold_ms=hold_ms))
    for patience_ms in (700, 1300, 1600, 2000):
        chosen[f"both_patience_{patience_ms}"] = by_rules(replace(voted, patience_ms=patience_ms))
    return chosen


def by_rules(rules: Rules) -> Policy:
    """`StableTranscript` by these rules, told what the pipeline would tell it."""

    def decide(turn: Turn) -> float | None:
        core = StableTranscript(rules)
        core.expects = asked_for(turn.utterance.asked)
        return next((m.at_ms for m in turn.moments if _commits(core, m)), None)

    return decide


def smart_turn(turn: Turn) -> float | None:
    """Pipecat's default: smart-turn's verdict and a final transcript, or three seconds."""
    complete = final = False
    silent_at_ms: float | None = None
    for moment in turn.moments:
        match moment.what:
            case "speaks":
                complete = final = False
                silent_at_ms = None
            case "silent":
                silent_at_ms = moment.at_ms
            case "vote" if silent_at_ms is not None:
                complete = moment.complete
            case "final":
                final = True
            case "partial":
                final = False
            case _:
                pass
        waited_ms = 0.0 if silent_at_ms is None else moment.at_ms - silent_at_ms
        if final and (complete or waited_ms >= _FALLBACK_MS):
            return moment.at_ms
    return None


def tell(report: Report, policy: str, outcomes: Sequence[Outcome]) -> None:
    """Add a policy's figures, for all turns and for each kind."""
    kinds = dict.fromkeys(outcome.turn.utterance.kind for outcome in outcomes)
    groups = {policy: list(outcomes)} | {
        f"{policy}_{kind}": [o for o in outcomes if o.turn.utterance.kind == kind] for kind in kinds
    }
    for name, group in groups.items():
        report.value(f"false_cut_in_rate_{name}", sum(o.cut for o in group) / len(group), "ratio")
        waits_ms = [o.wait_ms for o in group if o.wait_ms is not None]
        report.percentiles(f"wait_ms_{name}", waits_ms, "ms")


def curve(report: Report) -> str:
    """The figures as a table: a line for each policy, a column for each kind."""
    names = [name for name in report.figures if name.startswith("false_cut_in_rate_")]
    suffixes = ("", "_sentence", "_pause", "_spelled")
    lines = [f"{'policy':20}" + "".join(f"{s.strip('_') or 'all':>22}" for s in suffixes)]
    for name in names:
        policy = name.removeprefix("false_cut_in_rate_")
        if not policy.endswith(suffixes[1:]):
            lines.append(f"{policy:20}" + "".join(_cell(report, policy + s) for s in suffixes))
    return "\n".join(lines)


def _cell(report: Report, name: str) -> str:
    rate = float(report.figures.get(f"false_cut_in_rate_{name}", {}).get("value", 0))
    waits = report.figures.get(f"wait_ms_{name}", {})
    return f"{rate:>8.1%} {waits.get('p50', ''):>6}/{waits.get('p95', ''):<6}"


def _told(core: StableTranscript, moment: Moment) -> list[Act]:
    at_ms, quiet_ms = moment.at_ms, moment.quiet_ms
    match moment.what:
        case "speaks":
            if not core.is_open:
                core.begin()
            return core.speaks()
        case "silent":
            return core.silent(at_ms - quiet_ms, at_ms)
        case "vote":
            return core.vote(at_ms, complete=moment.complete, quiet_ms=quiet_ms)
        case "partial":
            return core.partial(moment.text, at_ms, quiet_ms=quiet_ms)
        case "final":
            return core.final(moment.text, at_ms, quiet_ms=quiet_ms)
        case "audio":
            if core.guessing and moment.voiced_ms >= _RESUMED_MS:
                return core.resumes()
            return core.look(at_ms, quiet_ms=quiet_ms)


def _commits(core: StableTranscript, moment: Moment) -> bool:
    """Tell the core of one moment; whether it takes the turn for over."""
    acts = _told(core, moment)
    for act in acts:
        if isinstance(act, Settle):
            acts = [*acts, *core.final(act.text, moment.at_ms, quiet_ms=moment.quiet_ms)]
    return any(isinstance(act, Commit) for act in acts)
