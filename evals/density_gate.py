"""Whether a number of calls is within the bars, and which number to try next. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from evals.callers_talk import Asked
from evals.density_ear import LATE_MS, Reply
from evals.report import percentile

OVERHEAD_MS = 40.0
"""Bar of the own overhead's 95th percentile."""
CALLER_LATE_MS = 10.0
"""Bar of the callers' and the vendors' own lateness, 99th percentile: beyond it they, and not the
host, are measured."""
_UNDECIDED_SECS = 3.0
"""A turn that ended so shortly before the window did may still be answered."""

Outcome = Literal["passed", "broken", "void"]


@dataclass
class Step:
    """What a number of calls went through in a window of time."""

    calls: int
    own_ms: list[float] = field(default_factory=list[float])
    """Own overhead of each answered turn."""
    latest_ms: list[float] = field(default_factory=list[float])
    """How late the worst frame of each reply was."""
    unanswered: int = 0
    cut_ins: int = 0
    refused: int = 0
    """Calls that the host did not take."""
    ended: int = 0
    """Calls that did not last."""
    callers_late_ms: list[float] = field(default_factory=list[float])
    vendors_late_ms: list[float] = field(default_factory=list[float])
    cpu_cores: float = 0.0
    """Of the host, all its processes."""
    memory_mb: list[float] = field(default_factory=list[float])
    """Proportional, of each call's process."""
    loop_ms: float = 0.0
    """What a fixed piece of work took on the host's core right after."""
    stolen_cores: float = 0.0
    """Of the host's core, what the machine's own host gave to others meanwhile."""

    def take(
        self,
        asked: Iterable[Asked],
        replies: Iterable[Reply],
        *,
        window: tuple[float, float],
        injected_ms: float,
    ) -> None:
        """Add what one call went through.

        Args:
            asked: The turns of its caller.
            replies: Of its bot.
            window: From and to, in seconds on the clock of both.
            injected_ms: What the vendors alone take.
        """
        since, until = window
        for turn in asked:
            if not since <= turn.end_secs <= until:
                continue
            if turn.ear_ms is not None:
                self.own_ms.append(turn.ear_ms - injected_ms)
            elif turn.cut_in:
                self.cut_ins += 1
            else:
                self.unanswered += turn.given_up or until - turn.end_secs > _UNDECIDED_SECS
        self.latest_ms += [r.latest_ms for r in replies if since <= r.start_secs <= until]

    @property
    def own_p95_ms(self) -> float:
        """Infinite if nothing was answered."""
        return percentile(sorted(self.own_ms), 95) if self.own_ms else float("inf")

    @property
    def others_p99_ms(self) -> float:
        """How late the callers or the vendors were, whoever was later; 0 if nobody noted it."""
        notes = (self.callers_late_ms, self.vendors_late_ms)
        return max((percentile(sorted(late), 99) for late in notes if late), default=0.0)


@dataclass(frozen=True)
class Verdict:
    """What is said of a step."""

    outcome: Outcome
    why: str = ""


def judge(step: Step) -> Verdict:
    """Whether that many calls are within the bars; void if the callers were late themselves."""
    if step.refused:
        return Verdict("broken", f"the host refused {step.refused}")
    if step.others_p99_ms > CALLER_LATE_MS:
        return Verdict("void", f"callers or vendors were {step.others_p99_ms:.0f} ms late")
    latest_ms = max(step.latest_ms, default=0.0)
    faults = [
        (bool(step.ended), f"{step.ended} calls ended"),
        (bool(step.unanswered), f"{step.unanswered} turns unanswered"),
        (step.own_p95_ms > OVERHEAD_MS, f"own overhead p95 {step.own_p95_ms:.0f} ms"),
        (latest_ms > LATE_MS, f"a frame {latest_ms:.0f} ms late"),
    ]
    found = [text for broken, text in faults if broken]
    return Verdict("broken", ", ".join(found)) if found else Verdict("passed")


class Search:
    """Looks for the most calls that pass: up in strides, then one by one between.

    A void step ends the way up, as a broken one does: more calls would only make the callers later.

    Args:
        first: Where to begin.
        stride: By how much to go up.
        most: Never more than these.
    """

    def __init__(self, *, first: int = 2, stride: int = 2, most: int = 40) -> None:
        self._most = most
        self._stride = stride
        self.passed = 0
        """The largest number that passed so far."""
        self._broken = most + 1
        self._void = False
        self._next = min(first, most)

    @property
    def next(self) -> int | None:
        """How many calls to try; None when it is known."""
        if self._broken - self.passed <= 1:
            return None
        return self._next

    @property
    def is_bound(self) -> bool:
        """Whether more might have passed: the callers were late first, or nobody tried."""
        return self._void or self._broken > self._most

    def tell(self, calls: int, outcome: Outcome) -> None:
        """What came of a try."""
        if outcome == "passed":
            self.passed = max(self.passed, calls)
        elif calls < self._broken:
            self._broken, self._void = calls, outcome == "void"
        if self._broken > self._most:
            self._next = min(self.passed + self._stride, self._most)
        else:
            self._next = (self.passed + self._broken) // 2
