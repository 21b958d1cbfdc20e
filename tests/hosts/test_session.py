"""One session's misfortune: others go on, its slots come back, its end is told as it was."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from bots.plan import CallPlan, plan_call
from errors import OffhookError
from hosts.channel import ChannelClosedError
from hosts.watch import Pulse
from records.events import EndReason
from tests.support import waiting
from tests.support.wards import Body, Log, Ward, Wire

pytestmark = pytest.mark.integration

until = partial(waiting.until, secs=10)


def plan() -> CallPlan:
    return plan_call(pipeline="simulated")


def full_disk() -> None:
    raise OSError(28, "No space left on device")


class Miscounting(Log):
    def ended(self, plan: CallPlan, reason: EndReason, secs: float) -> None:
        raise RuntimeError("a bug")

    def pulse(self, name: str, pulse: Pulse) -> None:
        raise RuntimeError("a bug")


@pytest.mark.parametrize(
    ("ward", "watch"), [(Ward(burying=full_disk), Log()), (Ward(), Miscounting())]
)
async def test_an_end_that_cannot_be_noted_reaches_no_other_call(ward: Ward, watch: Log) -> None:
    async with ward.host(slots=2, watch=watch) as host:
        sessions = [await host.admit(plan(), Wire()) for _ in range(2)]
        for session in sessions:
            await host.invite(session)
        ward.bodies[0].end("idle")
        await until(lambda: host.live == 1)
        assert host.admission.taken == 1
        assert host.session(sessions[1].id) is sessions[1]
        assert not ward.bodies[1].killed
        assert await host.invite(await host.admit(plan(), Wire())) == {"door": "open"}
        assert not host.drained.is_set()


async def test_one_that_cannot_be_looked_at_does_not_keep_the_others_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> None:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr("hosts.host.RENEW_SECS", 0.1)
    ward = Ward()
    async with ward.host(slots=2) as host:
        for _ in range(2):
            await host.invite(await host.admit(plan(), Wire()))
        first, second = ward.bodies
        first.channel.on_told["renew"] = broken
        await until(lambda: second.channel.told.count("renew") > 2)
        assert host.live == 2


async def test_a_host_that_fails_lets_the_server_end() -> None:
    host = Ward().host()
    with pytest.raises(RuntimeError, match="a bug"):
        async with host:
            raise RuntimeError("a bug")
    assert host.drained.is_set()


@pytest.mark.parametrize("times", [1, 2])
async def test_a_process_that_does_not_begin_is_replaced_once(times: int) -> None:
    async def lost() -> None:
        if len(ward.bodies) <= times:
            raise ChannelClosedError("begin: no answer within 5.0 s.")

    ward, log = Ward(on_begin=lost), Log()
    async with ward.host(watch=log) as host:
        session = await host.admit(plan(), wire := Wire())
        if times == 1:
            assert await host.invite(session) == {"door": "open"}
            assert wire.log == ["open"]
            first, second = ward.bodies
            assert (first.killed, second.killed) == (True, False)
            assert first.channel.asked == second.channel.asked
            assert log.lines == ["spawned forked"] * 2 + ["started"]
        else:
            with pytest.raises(OffhookError, match="no answer"):
                await host.invite(session)
            await until(lambda: host.live == 0)
            assert [body.killed for body in ward.bodies] == [True, True]


async def test_the_record_is_closed_of_a_call_whose_beginning_nobody_saw() -> None:
    async def lost() -> None:
        raise OffhookError("it begins, and the answer is lost")

    ward, log, call = Ward(on_begin=lost), Log(), plan()
    async with ward.host(watch=log) as host:
        with pytest.raises(OffhookError, match="lost"):
            await host.invite(await host.admit(call, Wire()))
        await until(lambda: host.live == 0)
    assert ward.buried == [call.id]
    assert log.lines == ["spawned forked"]


async def test_a_call_that_was_ending_when_it_was_found_ends_as_it_said() -> None:
    state: dict[str, Any] = {
        "session": "s1",
        "plan": plan().to_json(),
        "holder": {"wire": "that"},
        "stage": "ending",
        "reason": "bot_hung_up",
    }
    ward, log, body = Ward(), Log(), Body(state=state)
    found: Any = body
    async with ward.host(watch=log) as host:
        assert await host.adopt([found]) == 1
        body.exited.set()
        await until(lambda: host.live == 0)
    assert log.lines[-1] == "ended bot_hung_up"
