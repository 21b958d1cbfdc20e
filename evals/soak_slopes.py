"""Whether a figure grows with the number of calls: a robust slope, and what it may be by chance.

Pure. Theil and Sen: the median of the slopes between all pairs of samples; Kendall's distribution
gives its 95 % interval, whatever the noise is like.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_Z_95 = 1.96
PER_CALLS = 100
_FEWEST = 4
"""Samples; fewer say nothing."""


@dataclass(frozen=True)
class Slope:
    """How much a figure grew in 100 calls."""

    per_100: float
    low: float
    """Of the 95 % interval."""
    high: float
    samples: int

    def is_zero(self, tolerance: float) -> bool:
        """Whether that is zero within noise.

        The interval holds 0, or the slope is no more than `tolerance` in 100 calls either way;
        False of too few samples.
        """
        if self.samples < _FEWEST:
            return False
        return self.low <= 0 <= self.high or abs(self.per_100) <= tolerance


def slope(calls: Sequence[float], values: Sequence[float]) -> Slope:
    """The slope of `values`, each sampled after so many `calls`."""
    points = sorted(zip(calls, values, strict=True))
    slopes = sorted(
        (later[1] - earlier[1]) / (later[0] - earlier[0]) * PER_CALLS
        for number, earlier in enumerate(points)
        for later in points[number + 1 :]
        if later[0] > earlier[0]
    )
    count = len(points)
    if not slopes:
        return Slope(0.0, 0.0, 0.0, count)
    spread = _Z_95 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    low = max(0, math.floor((len(slopes) - spread) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + spread) / 2))
    middle = (slopes[(len(slopes) - 1) // 2] + slopes[len(slopes) // 2]) / 2
    return Slope(middle, slopes[low], slopes[high], count)


def after_warm_up(samples: Sequence[float], *, share: float = 0.5) -> slice:
    """Which samples count: not the first half, while caches fill."""
    return slice(math.ceil(len(samples) * share), None)
