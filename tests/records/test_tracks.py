"""Both tracks share one clock: what was heard together lies together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from records.tracks import GAP_MS, JOIN_MS, TwoTrack

pytestmark = pytest.mark.unit

PER_MS = 16
CHUNK_MS = 20
CALLER, BOT = 0, 1


def chunk(value: int, ms: int = CHUNK_MS) -> bytes:
    return np.full(ms * PER_MS, value, np.int16).tobytes()


def at(ms: float) -> float:
    return 1000 + ms / 1000


def spans(track: NDArray[np.int16]) -> list[tuple[int, int]]:
    """Milliseconds between which the track is not silent."""
    loud = np.concatenate(([0], (track != 0).astype(np.int8), [0]))
    edges = np.flatnonzero(np.diff(loud)) // PER_MS
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def record(
    tracks: TwoTrack, caller: list[tuple[float, int]], bot: list[tuple[float, int]]
) -> NDArray[np.int16]:
    """Feed 20 ms chunks (arrival, value) of both in the order they happen."""
    happened = [(ms, CALLER, value) for ms, value in caller] + [(ms, BOT, v) for ms, v in bot]
    taken: list[NDArray[np.int16]] = []
    for ms, who, value in sorted(happened):
        (tracks.caller if who == CALLER else tracks.bot)(chunk(value), at(ms))
        taken.append(tracks.take())
    return np.concatenate([*taken, tracks.close()])


def steady(until_ms: int, value: int = 1, start_ms: int = 0) -> list[tuple[float, int]]:
    return [(ms + CHUNK_MS, value) for ms in range(start_ms, until_ms, CHUNK_MS)]


def test_the_bot_lies_where_it_was_heard() -> None:
    taken = record(TwoTrack(), steady(2000), steady(1500, 2, 1000))

    assert spans(taken[:, CALLER]) == [(0, 2000)]
    assert spans(taken[:, BOT]) == [(1000, 1500)]


@given(jitter=st.lists(st.floats(0, JOIN_MS - 10), min_size=100, max_size=100))
@settings(max_examples=30, deadline=None)
def test_jitter_tears_no_hole_into_the_bots_speech(jitter: list[float]) -> None:
    bot = [(ms + late, 2) for (ms, _), late in zip(steady(1500, 2, 500), jitter, strict=False)]

    taken = record(TwoTrack(), steady(3000), bot)

    ((start, end),) = spans(taken[:, BOT])
    assert end - start == 1000
    assert abs(start - 500) <= JOIN_MS


def test_late_packets_of_the_caller_do_not_shift_the_bot() -> None:
    caller = [(ms + (60 if 900 <= ms < 1000 else 0), value) for ms, value in steady(2000)]

    taken = record(TwoTrack(), caller, steady(1500, 2, 1000))

    assert spans(taken[:, CALLER]) == [(0, 2000)]
    assert spans(taken[:, BOT]) == [(1000, 1500)]


def test_a_pause_between_two_replies_stays_a_pause() -> None:
    taken = record(TwoTrack(), steady(3000), steady(1000, 2, 500) + steady(2000, 2, 1300))

    assert spans(taken[:, BOT]) == [(500, 1000), (1300, 2000)]


def test_where_nothing_came_from_the_caller_there_is_silence() -> None:
    caller = steady(1000) + steady(4000, 1, 3000)

    taken = record(TwoTrack(), caller, steady(2500, 2, 1800) + steady(3600, 2, 3300))

    assert spans(taken[:, CALLER]) == [(0, 1000), (3000, 4000)]
    assert spans(taken[:, BOT]) == [(1800, 2500), (3300, 3600)]


def test_time_passes_though_nobody_is_heard() -> None:
    tracks = TwoTrack()
    for ms in range(0, 10_000, 100):
        tracks.tick(at(ms))

    assert abs(len(tracks.take()) / PER_MS - 9900) <= GAP_MS


def test_the_greeting_comes_before_the_callers_first_packet() -> None:
    tracks = TwoTrack()
    tracks.tick(at(0))

    taken = record(tracks, steady(3000, 1, 2000), steady(1500, 2, 500))

    assert spans(taken[:, BOT]) == [(500, 1500)]
    assert spans(taken[:, CALLER]) == [(2000, 3000)]


@given(
    caller=st.lists(st.integers(0, 4000), max_size=80),
    bot=st.lists(st.integers(0, 4000), max_size=80),
)
@settings(max_examples=60, deadline=None)
def test_both_tracks_are_equally_long_and_lose_nothing(caller: list[int], bot: list[int]) -> None:
    taken = record(TwoTrack(), [(ms, 1) for ms in caller], [(ms, 2) for ms in bot])

    assert int((taken[:, CALLER] == 1).sum()) == len(caller) * CHUNK_MS * PER_MS
    assert int((taken[:, BOT] == 2).sum()) == len(bot) * CHUNK_MS * PER_MS


def test_audio_that_was_never_played_in_time_is_dropped() -> None:
    tracks = TwoTrack()
    tracks.caller(chunk(1), at(0))
    for _ in range(1000):
        tracks.bot(chunk(2), at(0))

    assert len(tracks.close()) / PER_MS <= 5_000 + CHUNK_MS
    assert tracks.dropped > 0


@given(
    caller=st.lists(st.integers(0, 700), min_size=1, max_size=40),
    bot=st.lists(st.integers(0, 700), max_size=40),
)
@settings(max_examples=60, deadline=None)
def test_samples_keep_their_order_however_they_are_cut(caller: list[int], bot: list[int]) -> None:
    tracks, ramp = TwoTrack(), np.arange(1, 32_000, dtype=np.int16)
    taken: list[NDArray[np.int16]] = []
    for sizes, feed in ((bot, tracks.bot), (caller, tracks.caller)):
        for end, size in zip(np.cumsum(sizes), sizes, strict=True):
            feed(ramp[end - size : end].tobytes(), at(end / PER_MS))
            taken.append(tracks.take())

    both = np.concatenate([*taken, tracks.close()])

    for column, sizes in ((CALLER, caller), (BOT, bot)):
        heard = both[:, column]
        assert heard[heard != 0].tolist() == ramp[: sum(sizes)].tolist()
