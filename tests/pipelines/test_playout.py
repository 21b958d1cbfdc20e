"""What the caller says comes in order and at once; a packet that is missing keeps it a moment."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.playout import HOLD_LEAST_MS, HOLD_MOST_MS, Playout

pytestmark = pytest.mark.unit

PACKET_MS = 20.0


@dataclass
class Network:
    """When each packet comes: `(at_ms, index)` in order of arrival; index counts what was sent."""

    arrivals: list[tuple[float, int]]

    @classmethod
    def of(cls, delays_ms: Sequence[float | None]) -> Network:
        """Packets of 20 ms, each late by its own delay; None is lost."""
        there = [(n * PACKET_MS + d, n) for n, d in enumerate(delays_ms) if d is not None]
        return cls(sorted(there))

    @classmethod
    def rough(cls, seed: int, *, count: int, loss: float, jitter_ms: float) -> Network:
        luck = random.Random(seed)
        return cls.of(
            [
                None if luck.random() < loss else luck.uniform(0, jitter_ms)
                for _ in range(count)
            ]
        )  # fmt: skip


@dataclass
class Heard:
    """What came out of a buffer."""

    order: list[int] = field(default_factory=list[int])
    delay_ms: list[float] = field(default_factory=list[float])
    """Between a packet's arrival and its playout."""


def through_ours(network: Network, first: int = 0, playout: Playout[int] | None = None) -> Heard:
    playout, heard = playout or Playout[int](), Heard()
    came = {index: at_ms for at_ms, index in reversed(network.arrivals)}
    for at_ms, index in network.arrivals:
        for out in playout.push((first + index) % 2**16, index, at_ms=at_ms):
            heard.order.append(out)
            heard.delay_ms.append(at_ms - came[out])
    return heard


def packet(index: int, first: int = 0) -> Any:
    made: Any = RtpPacket(sequence_number=(first + index) % 2**16, timestamp=index * 960)
    made.ssrc, made._data = 7, index.to_bytes(4, "big")
    return made


def through_aiortc(network: Network) -> Heard:
    """Through the buffer that aiortc keeps for audio."""
    buffer, heard = JitterBuffer(capacity=16, prefetch=4), Heard()
    came = {index: at_ms for at_ms, index in network.arrivals}
    for at_ms, index in network.arrivals:
        _, frame = buffer.add(packet(index))
        if frame:
            out = int.from_bytes(frame.data[:4], "big")
            heard.order.append(out)
            heard.delay_ms.append(at_ms - came[out])
    return heard


DELAYS = st.lists(st.one_of(st.none(), st.floats(0, 600)), min_size=1, max_size=120)


@given(DELAYS, st.integers(0, 2**16 - 1), st.integers(0, 2))
def test_packets_come_out_once_and_in_order(
    delays: list[float | None], first: int, twice: int
) -> None:
    network = Network.of(delays)
    network.arrivals = sorted(network.arrivals + network.arrivals[::7] * twice)
    heard = through_ours(network, first)
    assert heard.order == sorted(set(heard.order))
    assert set(heard.order) <= {index for _, index in network.arrivals}


@given(DELAYS)
def test_none_waits_longer_than_the_limit(delays: list[float | None]) -> None:
    playout, waiting, last = Playout[int](), dict[int, float](), -1
    for at_ms, index in Network.of(delays).arrivals:
        last = max([last, *playout.push(index, index, at_ms=at_ms)])
        waiting = {n: came_ms for n, came_ms in (waiting | {index: at_ms}).items() if n > last}
        assert playout.held == len(waiting)
        assert min(waiting.values(), default=at_ms) > at_ms - HOLD_MOST_MS


@given(st.lists(st.floats(0, HOLD_LEAST_MS), min_size=1, max_size=80))
def test_what_is_late_by_less_than_the_least_hold_is_never_lost(delays: list[float]) -> None:
    playout = Playout[int]()
    # A hundred packets lost one by one: it waits as short as it ever does.
    for number in range(0, 200, 2):
        playout.push(number, number, at_ms=number * PACKET_MS)
    playout.restart()
    assert playout.hold_ms == HOLD_LEAST_MS
    heard = through_ours(Network.of([0.0, *delays]), playout=playout)
    assert heard.order + playout.restart() == list(range(len(delays) + 1))


@given(st.lists(st.floats(0, 200), min_size=1, max_size=150))
def test_a_jitter_of_200_ms_loses_nothing(delays: list[float]) -> None:
    playout = Playout[int]()
    heard = through_ours(Network.of([0.0, *delays]), playout=playout)
    assert heard.order + playout.restart() == list(range(len(delays) + 1))


@given(DELAYS, st.integers(1, 40))
def test_after_a_loss_nothing_waits_once_packets_come_in_order(
    delays: list[float | None], more: int
) -> None:
    settled = [0.0] * (60 + more)
    heard = through_ours(Network.of([*delays, *settled]))
    assert heard.delay_ms[-more:] == [0.0] * more
    assert heard.order[-more:] == list(range(len(delays) + 60, len(delays) + 60 + more))


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_loss_with_jitter_is_no_worse_than_in_aiortc(seed: int) -> None:
    network = Network.rough(seed, count=800, loss=0.05, jitter_ms=200)
    ours, theirs = through_ours(network), through_aiortc(network)
    # What is still waiting at the end is no loss.
    last = min(ours.order[-1], theirs.order[-1])
    came, heard, heard_there = (
        len([n for n in order if n <= last])
        for order in ([n for _, n in network.arrivals], ours.order, theirs.order)
    )
    assert heard >= heard_there
    assert heard >= 0.97 * came
    assert np.mean(ours.delay_ms) < np.mean(theirs.delay_ms) / 2
    # Time is looked at when a packet comes.
    assert np.max(ours.delay_ms) <= HOLD_MOST_MS + 200 + PACKET_MS


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_loss_alone_costs_a_moment_where_aiortc_stays_late(seed: int) -> None:
    network = Network.rough(seed, count=2000, loss=0.05, jitter_ms=0)
    ours, theirs = through_ours(network), through_aiortc(network)
    came, settled = [index for _, index in network.arrivals], len(ours.order) // 2
    is_all = came[: len(ours.order)] == ours.order
    assert is_all
    assert len(came) - len(ours.order) <= HOLD_MOST_MS / PACKET_MS
    assert np.median(ours.delay_ms[settled:]) == 0
    assert np.mean(ours.delay_ms[settled:]) <= HOLD_LEAST_MS / 2
    assert np.median(theirs.delay_ms[settled:]) >= 200


def test_who_begins_anew_waits_for_nothing() -> None:
    playout = Playout[str]()
    assert playout.push(65_535, "a", at_ms=0) == ["a"]
    assert playout.push(1, "c", at_ms=20) == []
    assert playout.push(5_000, "x", at_ms=40) == ["c", "x"]
    assert playout.push(5_001, "y", at_ms=60) == ["y"]
    assert playout.push(40_000, "z", at_ms=80) == ["z"]
    playout.push(40_002, "held", at_ms=100)
    assert playout.restart() == ["held"]
    assert playout.push(40_009, "later", at_ms=120) == ["later"]
