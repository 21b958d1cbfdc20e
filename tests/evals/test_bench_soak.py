"""The soak bench: what it says of leaks, and a few calls of it."""

from __future__ import annotations

import pytest

from errors import ConfigError
from evals.bench_soak import Seen, SoakOptions, bench_soak, check, figures

pytestmark = pytest.mark.integration


def seen(files_a_call: float) -> Seen:
    calls = list(range(10, 210, 10))
    looks = [{"http_files": 20 + files_a_call * count, "zombies": 0.0} for count in calls]
    return Seen(calls, looks)


def test_what_leaks_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    report = figures(seen(0.1))
    assert report.figures["http_files_per_100_calls"]["value"] == pytest.approx(10)
    assert report.figures["growing_figures"]["value"] == 1
    printed = capsys.readouterr().out
    assert "http_files" in printed
    assert "GROWS" in printed


def test_what_does_not_leak_is_zero_within_noise(capsys: pytest.CaptureFixture[str]) -> None:
    report = figures(seen(0))
    assert report.figures["growing_figures"]["value"] == 0
    assert capsys.readouterr().out.count("zero within noise") == 2
    assert "http_tasks_per_100_calls" not in report.figures, "nobody counted them"


def test_as_few_looks_as_are_accepted_say_something(capsys: pytest.CaptureFixture[str]) -> None:
    options = SoakOptions()
    fewest = next(n for n in range(1, 99) if _is_accepted(n * options.batch))
    calls = [options.batch * look for look in range(1, fewest + 1)]
    report = figures(Seen(calls, [{"zombies": 0.0} for _ in calls]))
    assert report.figures["growing_figures"]["value"] == 0


def _is_accepted(calls: int) -> bool:
    try:
        check(SoakOptions(calls=calls))
    except ConfigError:
        return False
    return True


def test_too_few_calls_are_refused() -> None:
    with pytest.raises(ConfigError) as told:
        bench_soak(SoakOptions(calls=5))
    assert told.value.field == "calls"


def test_a_few_calls_leave_nothing() -> None:
    options = SoakOptions(calls=16, batch=2, endings={"closed": 1, "deleted": 1, "early": 1})
    found = bench_soak(options).figures
    assert found["calls"]["value"] == 16
    assert found["refused_calls"]["value"] == 0
    assert found["zombies_at_the_end"]["value"] == 0
    assert found["rooms_at_the_end"]["value"] == 0
