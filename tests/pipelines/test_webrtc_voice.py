"""The bot's voice over WebRTC: true, in time, and silent where there is nothing to hear.

The last part holds what is relied on in Pipecat and Opus and written down nowhere.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError
from hypothesis import given
from hypothesis import strategies as st
from pipecat.transports.smallwebrtc.transport import RawAudioTrack

from pipelines.webrtc_voice import (
    EARLY_SECS,
    LEAD_SECS,
    OPUS_HZ,
    PACKET_SECS,
    PATIENCE_SECS,
    QUIET_PACKETS,
    REST_SECS,
    Cadence,
    Voice,
)
from tests.support.opus import Samples, as_sent, decoded, likeness, resampled
from tests.support.speech import clip

pytestmark = pytest.mark.integration

OUT_HZ, WIRE_HZ = 24_000, 48_000
NEAR_SECS = 1e-9

waits = st.lists(st.tuples(st.booleans(), st.floats(0, 0.5)), max_size=80)
"""Whether a packet has nothing to say, and how long after it is due somebody looks."""


def sent(looks: list[tuple[bool, float]], *, early_secs: float = 0.0) -> list[tuple[float, int]]:
    """When each packet was due, and where in the stream its sound is."""
    cadence, now_secs, made = Cadence(), 100.0, list[tuple[float, int]]()
    for silent, late_secs in looks:
        due_secs = cadence.due_secs(now_secs)
        resting = cadence.resting and not silent
        now_secs = max(now_secs, due_secs - early_secs if resting else due_secs + late_secs)
        made.append((min(due_secs, now_secs), cadence.send(now_secs, silent=silent)))
    return made


@given(waits)
def test_each_packet_is_placed_20_ms_or_more_behind_the_one_before(
    looks: list[tuple[bool, float]],
) -> None:
    places = [place for _, place in sent(looks, early_secs=0.3)]
    steps = np.diff(places)
    assert places[:1] == [0] * len(places[:1])
    assert all(PACKET_SECS * OPUS_HZ <= step <= REST_SECS * OPUS_HZ for step in steps)


@given(waits, st.floats(0, REST_SECS - PACKET_SECS))
def test_the_stream_keeps_the_clocks_time(
    looks: list[tuple[bool, float]], early_secs: float
) -> None:
    made = sent([(silent, 0.0) for silent, _ in looks], early_secs=early_secs)
    for due_secs, place in made:
        # Each step is a whole number of samples.
        assert abs((due_secs - made[0][0]) * OPUS_HZ - place) <= len(made)


def test_sound_after_a_rest_leaves_at_once_and_the_rest_follows_in_time() -> None:
    cadence, now_secs = Cadence(), 7.0
    for _ in range(QUIET_PACKETS):
        now_secs = cadence.due_secs(now_secs)
        cadence.send(now_secs, silent=True)
    assert cadence.resting
    assert cadence.due_secs(now_secs) == pytest.approx(now_secs + REST_SECS, abs=NEAR_SECS)
    before = (QUIET_PACKETS - 1) * round(PACKET_SECS * OPUS_HZ)
    assert cadence.send(now_secs + 0.123, silent=False) == before + round(0.123 * OPUS_HZ)
    assert not cadence.resting
    next_secs = now_secs + 0.123 + PACKET_SECS
    assert cadence.due_secs(now_secs + 0.123) == pytest.approx(next_secs, abs=NEAR_SECS)


def test_a_rest_ends_no_sooner_than_the_last_packet_has_been_played() -> None:
    cadence = Cadence()
    last = [cadence.send(cadence.due_secs(7.0), silent=True) for _ in range(QUIET_PACKETS)][-1]
    at_secs = 7.0 + (QUIET_PACKETS - 1) * PACKET_SECS
    assert cadence.send(at_secs + 0.001, silent=False) == last + round(PACKET_SECS * OPUS_HZ)


# Packets that leave with the caller's.


def talk(
    beats_secs: list[float], *, packets: int, silent: bool = False
) -> tuple[list[float], list[int], int]:
    """When packets leave beside the caller's, where they belong, and how many left by themselves.

    The first sound, then all that is due, each with one of the caller's or at its latest.
    """
    cadence, now_secs = Cadence(), 10.0
    beats = [10.0 + beat for beat in sorted(beats_secs)]
    left, places, alone = [now_secs], [cadence.send(now_secs, silent=False)], 0
    while len(left) < packets:
        latest_secs = cadence.due_secs(now_secs)
        coming = (b for b in beats if now_secs < b < latest_secs)
        paired = next((b for b in coming if cadence.pairs(b, silent=silent)), None)
        now_secs = max(now_secs, latest_secs) if paired is None else paired
        alone += paired is None
        left.append(now_secs)
        places.append(cadence.send(now_secs, silent=silent))
    return left, places, alone


def steady(phase_secs: float, *, packets: int, each_secs: float = PACKET_SECS) -> list[float]:
    return [phase_secs + each_secs * n for n in range(-1, 2 * packets)]


@given(st.floats(0, PACKET_SECS), st.lists(st.floats(-0.004, 0.004), min_size=210, max_size=210))
def test_beside_a_steady_caller_none_but_the_first_packets_leave_alone(
    phase_secs: float, jitter_secs: list[float]
) -> None:
    beats = [b + j for b, j in zip(steady(phase_secs, packets=104), jitter_secs, strict=False)]
    left, places, alone = talk(beats, packets=100)
    # Until the grid is found: the first of the caller's may come just as ours leave by themselves.
    assert alone <= 5
    assert set(np.diff(places)) == {PACKET_SECS * OPUS_HZ}
    late_secs = [left[n] - left[0] - n * PACKET_SECS for n in range(100)]
    assert max(late_secs) <= PATIENCE_SECS + NEAR_SECS


@given(st.lists(st.floats(0, 3), max_size=400))
def test_whatever_a_caller_sends_the_bot_keeps_time(beats_secs: list[float]) -> None:
    left, places, _ = talk(beats_secs, packets=100)
    assert set(np.diff(places)) == {PACKET_SECS * OPUS_HZ}
    for n, at_secs in enumerate(left):
        late_secs = at_secs - left[0] - n * PACKET_SECS
        assert late_secs + NEAR_SECS >= -LEAD_SECS - EARLY_SECS
        assert late_secs - NEAR_SECS <= LEAD_SECS + PATIENCE_SECS


@pytest.mark.parametrize("each_secs", [0.0198, 0.0202])
def test_a_caller_whose_clock_is_off_is_followed(each_secs: float) -> None:
    _, _, alone = talk(steady(0.007, packets=150, each_secs=each_secs), packets=150)
    assert alone <= 1


def test_a_caller_who_falls_silent_is_no_longer_waited_for() -> None:
    left, _, alone = talk(steady(0.004, packets=10), packets=60)
    assert 30 <= alone < 50
    assert np.diff(left)[-20:] == pytest.approx(PACKET_SECS, abs=NEAR_SECS)


def test_who_writes_late_is_not_overtaken_by_the_callers_packet() -> None:
    cadence = Cadence()
    cadence.send(1.0, silent=False)
    assert cadence.pairs(1.005, silent=False)
    assert not cadence.pairs(1.005, silent=True)
    cadence.send(1.005, silent=False)
    assert not cadence.pairs(1.020, silent=True)
    cadence.send(1.034, silent=True)
    assert cadence.pairs(1.040, silent=True)


def test_a_silent_caller_changes_nothing() -> None:
    left, _, alone = talk([], packets=50)
    assert alone == 49
    assert np.diff(left) == pytest.approx(PACKET_SECS, abs=NEAR_SECS)


def test_what_the_stream_was_ahead_is_taken_from_the_silence() -> None:
    cadence = Cadence()
    first = cadence.send(5.0, silent=False)
    assert cadence.pairs(5.004, silent=False)
    cadence.send(5.004, silent=False)
    now_secs = 5.004
    for _ in range(QUIET_PACKETS):
        now_secs = cadence.due_secs(now_secs)
        cadence.send(now_secs, silent=True)
    assert cadence.resting
    assert not cadence.pairs(now_secs, silent=False)
    again_secs = now_secs + 0.2
    again = cadence.send(again_secs, silent=False)
    assert again - first == pytest.approx((again_secs - 5.0) * OPUS_HZ, abs=2)


async def spoken(sound: Samples, rate_hz: int = OUT_HZ) -> list[bytes]:
    """Packets of our track for that sound."""
    raw = RawAudioTrack(sample_rate=rate_hz)
    voice: Any = Voice(raw)
    # All of it is due.
    voice._cadence._sent_secs = 0.0
    whole = len(sound) // (rate_hz // 50) * (rate_hz // 50)
    written = raw.add_audio_bytes(sound[:whole].tobytes())
    packets: list[bytes] = []
    while not written.done():
        packets.append(bytes(await voice.recv()))
    return [*packets, bytes(await voice.recv())]


async def test_the_bots_voice_is_as_true_as_aiortc_sends_it() -> None:
    said = clip("0870")
    ours = decoded(await spoken(resampled(said, OUT_HZ)))
    theirs = decoded(as_sent(said))
    original = resampled(said, WIRE_HZ)
    ours_is, theirs_is = (likeness(original, heard, rate_hz=WIRE_HZ) for heard in (ours, theirs))
    assert ours_is >= theirs_is - 0.005


async def test_who_writes_is_told_when_the_last_of_it_is_sent() -> None:
    raw = RawAudioTrack(sample_rate=OUT_HZ)
    voice = Voice(raw)
    first, odd = (raw.add_audio_bytes(b"\1\2" * (OUT_HZ // 100) * n) for n in (4, 1))
    done = [(await voice.recv(), first.done(), odd.done())[1:] for _ in range(3)]
    assert done == [(False, False), (True, False), (True, True)]
    # Nobody writes any more: silence.
    assert len(decoded([bytes(await voice.recv())])) == 960
    voice.stop()
    with pytest.raises(MediaStreamError):
        await voice.recv()


async def test_a_voice_that_was_held_up_catches_up_without_a_hole() -> None:
    raw = RawAudioTrack(sample_rate=OUT_HZ)
    voice = Voice(raw)
    loud = (8000 * np.sin(np.arange(OUT_HZ // 50) / 5)).astype("<i2").tobytes()

    async def write() -> None:
        while True:
            # As Pipecat's output does: each 20 ms when the last were taken, some steps later.
            await asyncio.wait_for(raw.add_audio_bytes(loud), 10)
            await asyncio.wait_for(asyncio.sleep(0), 10)

    writing = asyncio.ensure_future(write())
    await asyncio.sleep(0)
    packets = [bytes(await voice.recv()) for _ in range(5)]
    time.sleep(0.2)  # noqa: ASYNC251 - the loop is blocked
    packets += [bytes(await voice.recv()) for _ in range(12)]
    writing.cancel()
    levels = np.abs(decoded(packets)).reshape(-1, 960).max(axis=1)
    assert levels[1:].min() > 4000


async def test_sound_leaves_with_the_callers_packet() -> None:
    raw = RawAudioTrack(sample_rate=OUT_HZ)
    voice = Voice(raw)
    raw.add_audio_bytes(b"\1\2" * (OUT_HZ // 5))
    await voice.recv()
    next_one = asyncio.ensure_future(voice.recv())
    await asyncio.sleep(0)
    voice.beat()
    # In some turns of the loop, between which no time is waited for.
    for _ in range(10):
        await asyncio.sleep(0)
    assert next_one.done()
    assert next_one.result().pts == PACKET_SECS * OPUS_HZ


async def test_a_silent_bot_sends_a_byte_now_and_then_and_speaks_at_once() -> None:
    raw = RawAudioTrack(sample_rate=OUT_HZ)
    voice: Any = Voice(raw)
    quiet = [bytes(await voice.recv()) for _ in range(QUIET_PACKETS)]
    resting = asyncio.ensure_future(voice.recv())
    await asyncio.sleep(0.1)
    assert not resting.done()
    loud = (8000 * np.sin(np.arange(OUT_HZ // 50) / 5)).astype("<i2").tobytes()
    written = raw.add_audio_bytes(loud)
    first = await resting
    assert written.done()
    since_last = first.pts - (QUIET_PACKETS - 1) * round(PACKET_SECS * OPUS_HZ)
    assert since_last < REST_SECS * OPUS_HZ
    spoken_again = decoded([*quiet, bytes(first)])[-960:]
    assert np.abs(spoken_again).max() > 4000


# --- What is relied on ---


async def test_a_packet_of_one_byte_is_silence_and_harms_nothing_behind_it() -> None:
    said = clip("0870")
    packets = await spoken(resampled(said, OUT_HZ))
    half = len(packets) // 2
    nothing = bytes([packets[0][0] & 0xFC])
    quiet = [bytes(part) for part in await spoken(np.zeros(OUT_HZ // 5, np.int16))]
    heard = decoded([*packets[:half], *quiet, *[nothing] * 5, *packets[half:]])
    pause = heard[(half + len(quiet)) * 960 : (half + len(quiet) + 5) * 960]
    assert np.abs(pause).max() < 50
    original = resampled(said, WIRE_HZ)
    behind = heard[(half + len(quiet) + 5) * 960 :]
    assert likeness(original[half * 960 :], behind, rate_hz=WIRE_HZ) > 0.9


async def test_pipecat_queues_what_the_bot_says_by_10_ms_with_word_at_the_end() -> None:
    chunks: Any = RawAudioTrack(sample_rate=OUT_HZ)
    done = chunks.add_audio_bytes(bytes(3 * 480))
    assert [(len(chunk), word is done) for chunk, word in chunks._chunk_queue] == [
        (480, False), (480, False), (480, True),
    ]  # fmt: skip
