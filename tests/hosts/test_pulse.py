"""How late a process is, as it tells it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.pulse import (
    LATE_SECS,
    WINDOW_SECS,
    LagWindow,
    LateFrames,
    Pulse,
    Reading,
    core_wait_secs,
    rss_bytes,
)

pytestmark = pytest.mark.unit

LAGS = st.lists(st.tuples(st.floats(0.01, 3), st.floats(-1, 5)), max_size=200)


@given(lags=LAGS)
def test_the_lag_is_one_of_the_window(lags: list[tuple[float, float]]) -> None:
    window, now_secs = LagWindow(), 0.0
    noted: list[tuple[float, float]] = []
    for step_secs, lag_secs in lags:
        now_secs += step_secs
        window.note(lag_secs, now_secs=now_secs)
        noted.append((now_secs, max(0.0, lag_secs)))
        inside = [lag for at_secs, lag in noted if at_secs > now_secs - WINDOW_SECS]
        p99_secs = window.p99_ms(now_secs) / 1000
        assert any(p99_secs == pytest.approx(lag) for lag in inside)
        above = sum(lag > p99_secs + 1e-9 for lag in inside)
        assert above <= len(inside) / 100


def test_what_is_past_the_window_is_forgotten() -> None:
    window = LagWindow(window_secs=10)
    window.note(1.0, now_secs=5)
    assert window.p99_ms(14.9) == 1000
    assert window.p99_ms(15) == 0


def test_one_in_a_hundred_is_passed_over() -> None:
    window = LagWindow()
    for number in range(100):
        window.note(1.0 if number == 50 else 0.002, now_secs=number / 100)
    assert window.p99_ms(1) == pytest.approx(2)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 0.1)), max_size=50))
def test_a_chunk_is_late_when_it_takes_longer_than_it_lasts(
    writes: list[tuple[float, float]],
) -> None:
    late = LateFrames()
    for took_secs, audio_secs in writes:
        late.wrote(took_secs, audio_secs=audio_secs)
    assert late.take() == sum(took > audio + LATE_SECS for took, audio in writes)
    assert late.take() == 0


async def test_the_writes_of_an_output_are_measured() -> None:
    waits_secs = iter((0.0, LATE_SECS + 0.06))
    written: list[Any] = []

    async def write(frame: Any) -> bool:
        await asyncio.sleep(next(waits_secs))
        written.append(frame)
        return True

    output = SimpleNamespace(write_audio_frame=write)
    transport: Any = SimpleNamespace(output=lambda: output)
    pulse = Pulse(lambda _: None)
    pulse.watch(transport)
    frames = [SimpleNamespace(num_frames=480, sample_rate=24_000) for _ in range(2)]
    for frame in frames:
        assert await output.write_audio_frame(frame)
    assert written == frames
    assert pulse.read(0).late_frames == 1


async def test_it_beats() -> None:
    told: asyncio.Queue[Reading] = asyncio.Queue()
    beating = asyncio.ensure_future(Pulse(told.put_nowait).beat())
    async with asyncio.timeout(20):
        first, second = await told.get(), await told.get()
    beating.cancel()
    assert first.rss_bytes > 1_000_000
    assert second.cpu_secs >= first.cpu_secs > 0
    assert second.late_frames == 0


async def test_it_tells_for_what_part_of_the_time_the_core_was_waited_for() -> None:
    told: asyncio.Queue[float] = asyncio.Queue()
    pulse = Pulse(lambda _: None)
    pulse.tell_waiting = told.put_nowait
    beating = asyncio.ensure_future(pulse.beat())
    async with asyncio.timeout(20):
        parts = [await told.get() for _ in range(3)]
    beating.cancel()
    assert all(0 <= part <= 1 for part in parts)


async def test_what_was_waited_before_anybody_asked_is_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []
    twice = asyncio.Event()

    def waited_secs() -> float:
        asked.append(5.0 if asked else 0.0)
        twice.set() if len(asked) > 1 else None
        return asked[-1]

    monkeypatch.setattr("hosts.pulse.core_wait_secs", waited_secs)
    told: asyncio.Queue[float] = asyncio.Queue()
    pulse = Pulse(lambda _: None)
    beating = asyncio.ensure_future(pulse.beat())
    async with asyncio.timeout(20):
        # Once as it begins, once beyond that.
        await twice.wait()
        pulse.tell_waiting = told.put_nowait
        assert await told.get() == 0
    beating.cancel()


@pytest.mark.skipif(
    not Path("/proc/thread-self/schedstat").exists(), reason="needs a kernel that counts waiting"
)
def test_who_shares_a_core_waits_for_it() -> None:
    code = (
        f"import os\nos.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})\nwhile True: pass"
    )
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    rival = subprocess.Popen([sys.executable, "-c", code])
    try:
        waited_secs = core_wait_secs()
        until = time.monotonic() + 20
        # The rival's interpreter takes its time to start.
        while core_wait_secs() - waited_secs < 0.05:
            assert time.monotonic() < until
    finally:
        rival.kill()
        rival.wait()
        os.sched_setaffinity(0, before)


def test_memory_is_told_in_bytes() -> None:
    assert 1_000_000 < rss_bytes() < 100_000_000_000
