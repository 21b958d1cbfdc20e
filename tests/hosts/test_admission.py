"""Slots are never given twice and never lost, also where callers wait for them and go."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import ConfigError, FullError, OffhookError
from hosts.admission import PER_BOT, PER_KEY, Admission, AdmissionSettings, default_slots
from hosts.desk import Caps, Grant, KeyCapError
from hosts.quality import BAD_SECS, GOOD_SECS, LAG_MS, START_SECS

pytestmark = pytest.mark.unit


class _Clock:
    """A clock that stands still unless it is put forward."""

    now_secs = 0.0

    def __call__(self) -> float:
        return self.now_secs


def _queue(places: int, secs: float = 60.0, **more: int) -> AdmissionSettings:
    return AdmissionSettings(caps=Caps(more.get("per_key")), queue=places, queue_secs=secs)


async def _settled() -> None:
    """Let every task go as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_full_host_says_when_to_try_again() -> None:
    admission = Admission(slots=8)
    admission.take(8)
    with pytest.raises(FullError) as caught:
        admission.take(1)
    assert int(caught.value.headers["Retry-After"]) > 0


def test_an_empty_host_takes_even_a_call_that_is_too_dear() -> None:
    admission = Admission(slots=2)
    admission.take(8)
    assert admission.taken == 8


def test_this_machine_has_slots() -> None:
    assert default_slots() >= 4


def test_what_is_given_back_twice_is_free_once() -> None:
    admission = Admission(slots=2)
    first, _ = admission.take(1), admission.take(1)
    for _ in range(2):
        admission.give_back(first)
    assert admission.taken == 1


def test_a_call_that_runs_already_is_counted_even_where_there_is_no_room() -> None:
    admission = Admission(slots=2)
    grants = [admission.adopt(2, key="a", bot="receptionist") for _ in range(2)]
    assert admission.taken == 4
    for grant in grants:
        admission.give_back(grant)
    assert admission.taken == 0


async def test_without_a_line_nobody_waits() -> None:
    admission = Admission(slots=1)
    await admission.wait(1)
    with pytest.raises(FullError):
        await admission.wait(1)


async def test_they_come_in_by_the_order_in_which_they_came() -> None:
    admission = Admission(slots=1, settings=_queue(5))
    grant, order = admission.take(1), list[int]()

    async def call(number: int) -> None:
        mine = await admission.wait(1)
        order.append(number)
        admission.give_back(mine)

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(call(number))
        await _settled()
        assert (admission.waiting, order) == (5, [])
        with pytest.raises(FullError):
            await admission.wait(1)
        with pytest.raises(FullError):
            admission.take(1)
        admission.give_back(grant)
    assert order == [0, 1, 2, 3, 4]
    assert (admission.taken, admission.waiting) == (0, 0)


async def test_who_is_cancelled_gives_up_the_place() -> None:
    admission = Admission(slots=1, settings=_queue(5))
    grant = admission.take(1)
    async with asyncio.TaskGroup() as group:
        gone = group.create_task(admission.wait(1))
        stays = group.create_task(admission.wait(1))
        await _settled()
        gone.cancel()
        # Both happen before the cancelled one has seen either.
        admission.give_back(grant)
        await _settled()
        assert gone.cancelled()
        assert stays.done()
    assert (admission.taken, admission.waiting) == (1, 0)


async def test_who_is_cancelled_once_let_in_gives_the_slots_back() -> None:
    admission = Admission(slots=1, settings=_queue(5))
    grant = admission.take(1)
    async with asyncio.TaskGroup() as group:
        gone = group.create_task(admission.wait(1))
        stays = group.create_task(admission.wait(1))
        await _settled()
        admission.give_back(grant)
        gone.cancel()
        await _settled()
        assert gone.cancelled()
        assert stays.done()
    assert (admission.taken, admission.waiting) == (1, 0)


async def test_nobody_waits_for_ever() -> None:
    admission = Admission(slots=1, settings=_queue(1, secs=0.01))
    admission.take(1)
    with pytest.raises(FullError) as caught:
        await admission.wait(1)
    assert caught.value.code == "full"
    assert (admission.taken, admission.waiting) == (1, 0)


async def test_a_cap_refuses_at_once_where_there_is_a_line() -> None:
    admission = Admission(slots=9, settings=_queue(5, per_key=1))
    await admission.wait(1, key="a")
    with pytest.raises(KeyCapError):
        await admission.wait(1, key="a")


async def test_all_who_wait_can_be_turned_away() -> None:
    admission = Admission(slots=1, settings=_queue(5))
    admission.take(1)
    waiting = [asyncio.ensure_future(admission.wait(1)) for _ in range(3)]
    await _settled()
    waiting[0].cancel()
    admission.turn_away(OffhookError("The server is stopping.", code="draining"))
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert [getattr(result, "code", "") for result in results[1:]] == ["draining", "draining"]
    assert (admission.taken, admission.waiting) == (1, 0)


async def test_who_waits_comes_in_as_the_others_are_served_well_again() -> None:
    clock = _Clock()
    admission = Admission(slots=9, settings=_queue(5), clock=clock)
    admission.take(1)

    def live(secs: float, lag_ms: float) -> None:
        for _ in range(round(secs * 2) + 1):
            admission.pulse("call", lag_p99_ms=lag_ms, late_frames=0)
            clock.now_secs += 0.5

    live(START_SECS, 1.0)
    live(BAD_SECS, LAG_MS + 1)
    assert admission.shut
    waiting = asyncio.ensure_future(admission.wait(1))
    await _settled()
    live(GOOD_SECS - 1, 1.0)
    await _settled()
    assert not waiting.done()
    live(2, 1.0)
    await waiting
    assert not admission.shut


async def test_who_waits_comes_in_as_the_call_that_was_served_badly_is_over() -> None:
    clock = _Clock()
    admission = Admission(slots=9, settings=_queue(5), clock=clock)
    grants = [admission.take(1), admission.take(1)]
    for late in [0] * round(START_SECS * 2) + [2] * 5:
        admission.pulse("call", lag_p99_ms=0.0, late_frames=late)
        clock.now_secs += 0.5
    assert admission.shut
    waiting = asyncio.ensure_future(admission.wait(1))
    await _settled()
    admission.give_back(grants.pop())
    admission.gone("call")
    await waiting
    assert admission.taken == 2


@pytest.mark.parametrize(
    ("env", "caps"),
    [
        ({}, Caps()),
        ({PER_KEY: "", PER_BOT: " , "}, Caps()),
        ({PER_KEY: " 3 "}, Caps(3)),
        (
            {PER_BOT: "receptionist=3, interviewer = 2"},
            Caps(None, {"receptionist": 3, "interviewer": 2}),
        ),
    ],
)
def test_the_caps_are_read_from_the_environment(env: Mapping[str, str], caps: Caps) -> None:
    assert AdmissionSettings.read(env, queue=4) == AdmissionSettings(caps, queue=4)


@pytest.mark.parametrize(
    ("env", "queue", "named"),
    [
        ({PER_KEY: "0"}, 0, PER_KEY),
        ({PER_KEY: "many"}, 0, PER_KEY),
        ({PER_BOT: "receptionist"}, 0, PER_BOT),
        ({PER_BOT: "receptionist=-1"}, 0, PER_BOT),
        ({PER_BOT: "receptoinist=1"}, 0, "receptionist"),
        ({}, -1, "--queue"),
    ],
)
def test_what_cannot_be_used_is_named(env: Mapping[str, str], queue: int, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AdmissionSettings.read(env, queue=queue)
    assert named in caught.value.message


_act = st.tuples(st.sampled_from(("come", "end", "cancel", "step")), st.integers(0, 7))


@given(st.integers(1, 6), st.integers(0, 3), st.lists(_act, max_size=60))
def test_no_interleaving_gives_a_slot_twice_or_loses_one(
    slots: int, places: int, acts: list[tuple[str, int]]
) -> None:
    asyncio.run(_act_out(Admission(slots, settings=_queue(places)), acts))


async def _act_out(admission: Admission, acts: list[tuple[str, int]]) -> None:
    held: list[Grant] = []
    tasks: list[asyncio.Task[None]] = []

    async def call(cost: int) -> None:
        with suppress(FullError):
            held.append(await admission.wait(cost))

    async with asyncio.TaskGroup() as group:
        for act, number in acts:
            if act == "come":
                tasks.append(group.create_task(call(number % 4 + 1)))
            elif act == "end" and held:
                admission.give_back(held.pop(number % len(held)))
            elif act == "cancel" and tasks:
                tasks.pop(number % len(tasks)).cancel()
            elif act == "step":
                await asyncio.sleep(0)
            costs = [grant.wish.cost for grant in held]
            assert sum(costs) <= admission.taken
            assert sum(costs) <= admission.slots or len(costs) == 1
        await _settled()
        while held:
            admission.give_back(held.pop())
            await _settled()
    assert (admission.taken, admission.waiting) == (0, 0)
