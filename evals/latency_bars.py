"""What the latency bench is measured against: the bars, and the plain Pipecat bot beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evals.report import Report

Figure = Mapping[str, float | int | str]


@dataclass(frozen=True)
class Bar:
    """The most that a figure may be."""

    figure: str
    stat: str
    """`p50`, `p95` or `value`."""
    limit: float


BARS = (
    Bar("own_overhead_ms", "p50", 15),
    Bar("own_overhead_ms", "p95", 40),
    Bar("ear_latency_speculative_ms", "p50", 500),
    Bar("ear_latency_speculative_late_ms", "p50", 630),
    Bar("regret_tokens_ratio", "value", 1.6),
    Bar("regret_characters_ratio", "value", 1.6),
    Bar("first_sound_slow_ms", "p50", 750),
    Bar("barge_in_stop_ms", "p50", 280),
    Bar("barge_in_stop_ms", "p95", 400),
    Bar("false_stop_rate", "value", 0.05),
    Bar("resume_ms", "p95", 1000),
)
BESIDE = {
    "ear_latency_ms": "ear_latency_baseline_ms",
    "ear_latency_speculative_ms": "ear_latency_baseline_ms",
    "ear_latency_speculative_late_ms": "ear_latency_baseline_ms",
    "first_sound_slow_ms": "first_sound_slow_baseline_ms",
    "barge_in_stop_ms": "barge_in_stop_baseline_ms",
    "false_cut_in_rate": "false_cut_in_rate_baseline",
    "unanswered_rate": "unanswered_rate_baseline",
    "false_stop_rate": "false_stop_rate_baseline",
    "pause_rate": "pause_rate_baseline",
}
"""Our figures, and those of the plain bot."""


def summary(report: Report) -> str:
    """Ours and the plain bot's figures side by side, then each bar: met, or missed by how much."""
    figures = report.figures
    lines = [f"{'':32} {'Offhook':>18} {'plain Pipecat':>18}"]
    for ours, plain in BESIDE.items():
        if ours in figures and plain in figures:
            lines.append(f"{ours:32} {_shown(figures[ours]):>18} {_shown(figures[plain]):>18}")
    lines.append("")
    lines += [_verdict(bar, figures[bar.figure]) for bar in BARS if bar.figure in figures]
    if "false_cut_in_rate" in figures and "false_cut_in_rate_baseline" in figures:
        plain = float(figures["false_cut_in_rate_baseline"]["value"])
        bar = Bar("false_cut_in_rate", "value", plain)
        lines.append(_verdict(bar, figures["false_cut_in_rate"]))
    return "\n".join(lines)


def _shown(figure: Figure) -> str:
    if "value" in figure:
        return f"{figure['value']}"
    return f"{figure['p50']} ({figure['p95']})"


def _verdict(bar: Bar, figure: Figure) -> str:
    found = float(figure[bar.stat])
    name = bar.figure if bar.stat == "value" else f"{bar.figure} {bar.stat}"
    verdict = "met" if found <= bar.limit else f"missed by {found - bar.limit:g}"
    return f"{name:40} {found:>9g}  bar {bar.limit:>7g}  {verdict}"
