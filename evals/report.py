"""What a bench found: a table to read, and the same as JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Report:
    """Figures by name, each with its unit; `values` become percentiles."""

    figures: dict[str, dict[str, float | int | str]] = field(
        default_factory=dict[str, dict[str, float | int | str]]
    )

    def percentiles(self, name: str, values: Sequence[float], unit: str) -> None:
        """Add a figure that was measured often."""
        ordered = sorted(values)
        if not ordered:
            return
        self.figures[name] = {
            "p50": round(percentile(ordered, 50), 1),
            "p95": round(percentile(ordered, 95), 1),
            "n": len(ordered),
            "unit": unit,
        }

    def value(self, name: str, value: float, unit: str) -> None:
        """Add a figure that is one number."""
        self.figures[name] = {"value": round(value, 4), "unit": unit}

    def table(self) -> str:
        """The figures, one a line."""
        rows = [f"{'figure':32} {'p50':>9} {'p95':>9} {'n':>4}  unit"]
        for name, figure in self.figures.items():
            middle = figure.get("p50", figure.get("value", ""))
            rows.append(
                f"{name:32} {middle!s:>9} {figure.get('p95', '')!s:>9} "
                f"{figure.get('n', '')!s:>4}  {figure['unit']}"
            )
        return "\n".join(rows)

    def write(self, path: Path) -> None:
        """Write the figures with the machine and the commit that they were measured on."""
        body = {"machine": machine(), "commit": commit(), "figures": self.figures}
        path.write_text(json.dumps(body, indent=2) + "\n", "utf-8")


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The percentile of sorted values, by linear interpolation between the nearest ranks."""
    rank = (len(ordered) - 1) * percent / 100
    low = int(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def machine() -> Mapping[str, str | int]:
    """What it was measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    return {"cpu": model, "cores": os.cpu_count() or 0, "python": platform.python_version()}


def commit() -> str:
    """The commit that is checked out, or `unknown`."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"
