"""Sessions take slots when they are opened and give them back however they end."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import hosts.host
from bots.plan import CallPlan, plan_call
from errors import FullError, NotFoundError, OffhookError
from hosts.admission import Admission, AdmissionSettings
from hosts.drain import Drain, DrainingError
from hosts.host import Host
from hosts.nursery import Nursery
from hosts.session import Errands
from hosts.webrtc import WebRtcLine
from hosts.websocket import SocketLine
from records.record import FolderStore
from tests.support import waiting
from tests.support.wards import Body, Log, Ward, Wire, hanging, refusing

pytestmark = pytest.mark.integration

until = partial(waiting.until, secs=10)


def plan() -> CallPlan:
    return plan_call(pipeline="simulated")


async def test_a_burst_is_never_over_admitted() -> None:
    async with Ward().host(slots=3) as host:
        results = await asyncio.gather(
            *(host.admit(plan(), Wire()) for _ in range(10)), return_exceptions=True
        )
        refused = [result for result in results if isinstance(result, FullError)]
        assert (host.live, len(refused)) == (3, 7)


async def test_a_process_is_told_all_it_must_know() -> None:
    ward, log, call = Ward(), Log(), plan()
    async with ward.host(watch=log) as host:
        session = await host.admit(call, Wire(), key="key-1")
        assert await host.invite(session) == {"door": "open"}
        [(op, told)] = ward.bodies[0].channel.asked
        assert (op, told["session"], told["ticket"]) == ("begin", session.id, {"kind": "wire"})
        assert told["holder"] == {"wire": "this", "key": "key-1"}
        assert CallPlan.from_json(told["plan"]) == call
        assert await host.ask(session.id, "offer", sdp="v=0") == {"answer": "offer"}
        body = ward.bodies[0]
        body.on_message({"op": "pulse", "lag_p99_ms": 3.0})
        body.on_message({"op": "event", "event": {"kind": "caller_joined", "at_ms": 1}})
        body.on_message({"op": "event", "event": {"kind": "a later version's"}})
        body.on_message({"op": "nonsense"})
        body.end("idle")
        await until(lambda: host.live == 0)
    assert log.lines == ["spawned forked", "started", "pulse 3", "caller_joined", "ended idle"]
    assert ward.buried == [call.id]


async def test_a_process_that_dies_has_crashed_and_frees_its_slots() -> None:
    ward, log = Ward(), Log()
    async with ward.host(watch=log) as host:
        session = await host.admit(plan(), wire := Wire())
        await host.invite(session)
        ward.bodies[0].exited.set()
        await until(lambda: host.live == 0)
        assert (log.lines[-1], wire.log[-1]) == ("ended crashed", "closed")
        with pytest.raises(NotFoundError):
            host.session(session.id)


async def test_a_process_that_says_nothing_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hosts.vitals.SILENT_SECS", 0.5)
    ward = Ward()
    async with ward.host() as host:
        await host.invite(await host.admit(plan(), Wire()))
        await until(lambda: host.live == 0)
        assert ward.bodies[0].killed


async def test_leases_are_renewed_for_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts.host, "RENEW_SECS", 0.1)
    ward = Ward()
    async with ward.host(slots=2) as host:
        for _ in range(2):
            await host.invite(await host.admit(plan(), Wire()))
        await until(lambda: all(b.channel.told.count("renew") > 1 for b in ward.bodies))


async def test_slots_are_free_while_a_line_is_closed() -> None:
    door = asyncio.Event()

    async def wait() -> None:
        await door.wait()

    ward = Ward()
    async with ward.host() as host:
        await host.invite(await host.admit(plan(), wire := Wire(closing=wait)))
        ward.bodies[0].end("idle")
        await until(lambda: "closing" in wire.log)
        assert (host.live, host.admission.taken) == (1, 0)
        await host.admit(plan(), Wire())
        door.set()
        await until(lambda: wire.log[-1] == "closed" and host.live == 1)
        # Freed once, not twice.
        assert host.admission.taken == 1


@pytest.mark.parametrize("what", ["line", "process", "beginning", "weights"])
async def test_what_cannot_be_had_is_told_and_the_rest_closed(what: str) -> None:
    ward = Ward(
        taking=refusing if what == "process" else None,
        on_begin=refusing if what == "beginning" else None,
        preparing=refusing if what == "weights" else None,
    )
    async with ward.host() as host:
        wire = Wire(opening=refusing if what == "line" else None)
        session = await host.admit(plan(), wire)
        with pytest.raises(OffhookError, match="there is no room"):
            await host.invite(session)
        await until(lambda: host.live == 0)
        assert wire.log[-1] == "closed"
        assert all(body.killed for body in ward.bodies)


async def test_a_bug_in_one_beginning_reaches_no_other_call() -> None:
    async def failing() -> None:
        raise RuntimeError("a bug")

    ward = Ward()
    async with ward.host(slots=2) as host:
        good = await host.admit(plan(), Wire())
        await host.invite(good)
        bad = await host.admit(plan(), Wire(opening=failing))
        with pytest.raises(OffhookError, match="log"):
            await host.invite(bad)
        await until(lambda: host.live == 1)
        assert host.session(good.id) is good


async def test_a_line_that_fails_to_close_frees_its_slots() -> None:
    ward = Ward()
    async with ward.host() as host:
        await host.invite(await host.admit(plan(), Wire(closing=refusing)))
        ward.bodies[0].end("idle")
        await until(lambda: host.admission.taken == 0)


async def test_whoever_asked_and_went_away_leaves_nothing() -> None:
    async with Ward().host() as host:
        session = await host.admit(plan(), wire := Wire(opening=hanging))
        asking = asyncio.ensure_future(host.invite(session))
        await until(lambda: "open" in wire.log)
        asking.cancel()
        await until(lambda: host.live == 0)
        assert wire.log[-1] == "closed"
        assert asking.cancelled()


@pytest.mark.parametrize("stage", ["line", "process", "beginning", "calling"])
async def test_hanging_up_ends_a_session_at_any_stage(stage: str) -> None:
    ward = Ward(
        taking=hanging if stage == "process" else None,
        on_begin=hanging if stage == "beginning" else None,
    )
    async with ward.host() as host:
        wire = Wire(opening=hanging if stage == "line" else None)
        session = await host.admit(plan(), wire)
        await asyncio.sleep(0.05)
        await asyncio.gather(host.hang_up(session.id), host.hang_up(session.id))
        assert (host.live, wire.log[-1]) == (0, "closed")
        assert all(body.exited.is_set() for body in ward.bodies)
        await host.hang_up(session.id)
        await host.hang_up("never was")


async def test_hanging_up_ends_a_call_that_does_not_listen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hosts.host, "END_SECS", 0.05)
    ward = Ward(polite=False)
    async with ward.host() as host:
        session = await host.admit(plan(), wire := Wire())
        await host.invite(session)
        await host.hang_up(session.id)
        assert (host.live, wire.log[-1], ward.bodies[0].killed) == (0, "closed", True)


async def test_a_line_that_is_closing_is_left_in_peace() -> None:
    async def slowly() -> None:
        await asyncio.sleep(0.3)

    ward = Ward()
    async with ward.host() as host:
        session = await host.admit(plan(), wire := Wire(closing=slowly))
        await host.invite(session)
        ward.bodies[0].end("idle")
        await until(lambda: "closing" in wire.log)
        await host.hang_up(session.id)
        await host.close()
        assert wire.log[-1] == "closed"


async def test_a_session_has_one_kind_of_line() -> None:
    async with Ward().host() as host:
        session = await host.admit(plan(), Wire())
        assert isinstance(host.line(session.id, Wire), Wire)
        with pytest.raises(NotFoundError):
            host.line(session.id, SocketLine)


async def test_an_earlier_hosts_call_is_looked_after_and_its_line_closed() -> None:
    ward, log, call = Ward(), Log(), plan()
    state = {
        "session": "s1",
        "plan": call.to_json(),
        "holder": {"daily_room": "r", "key": "k"},
        "stage": "calling",
    }
    body: Any = Body(state=state)
    strangers: list[Any] = [
        Body(state={"session": "s2", "plan": {}}),
        Body(state={"session": None}),
    ]
    async with ward.host(slots=1, watch=log) as host:
        assert await host.adopt([body, *strangers]) == 1
        assert (host.live, host.admission.taken) == (1, call.config.slots)
        assert body.channel.told == ["renew"]
        with pytest.raises(FullError):
            await host.admit(plan(), Wire())
        assert await host.ask("s1", "ice") == {"answer": "ice"}
        await host.hang_up("s1")
        assert (host.live, host.admission.taken) == (0, 0)
        assert ward.reopened.log[-1] == "closed"
        assert log.lines[-1] == "ended caller_hung_up"
    assert ward.buried == [call.id]


async def test_closing_ends_every_call_and_refuses_new_ones() -> None:
    ward = Ward()
    async with ward.host(slots=3) as host:
        wires = [Wire(), Wire(), Wire(opening=hanging)]
        sessions = [await host.admit(plan(), wire) for wire in wires]
        await host.invite(sessions[0])
        asking = asyncio.ensure_future(host.invite(sessions[2]))
        await asyncio.sleep(0.05)
        await host.close()
        assert (host.live, host.admission.taken) == (0, 0)
        assert [wire.log[-1] for wire in wires] == ["closed"] * 3
        with pytest.raises(NotFoundError):
            await asking
        with pytest.raises(DrainingError):
            await host.admit(plan(), Wire())


async def test_a_drain_lets_calls_finish_and_refuses_the_rest() -> None:
    ward, log = Ward(), Log()
    settings = AdmissionSettings(queue=2)
    admission = Admission(1, settings=settings)
    async with ward.host(admission=admission, drain=Drain(60.0), watch=log) as host:
        await host.invite(await host.admit(plan(), Wire()))
        waiting = asyncio.ensure_future(host.admit(plan(), Wire()))
        await until(lambda: admission.waiting == 1)
        host.drain.ask()
        with pytest.raises(DrainingError):
            await waiting
        with pytest.raises(DrainingError):
            await host.admit(plan(), Wire())
        assert not host.drained.is_set()
        ward.bodies[0].end("bot_hung_up")
        await asyncio.wait_for(host.drained.wait(), 5)
    assert "refused draining" in log.lines


async def test_a_drain_past_its_time_says_good_bye() -> None:
    ward = Ward()
    async with ward.host(slots=2, drain=Drain(0.0)) as host:
        await host.invite(await host.admit(plan(), Wire()))
        opening = await host.admit(plan(), Wire(opening=hanging))
        host.drain.ask()
        await asyncio.wait_for(host.drained.wait(), 5)
        assert "drain" in ward.bodies[0].channel.told
        with pytest.raises(NotFoundError):
            await host.invite(opening)


def real_host(nursery: Nursery, folder: Path) -> Host:
    async def prepare(_: CallPlan) -> None:
        pass

    def brief(_: CallPlan) -> dict[str, Any]:
        site: dict[str, Any] = {"weights": {}, "urls": {}}
        return {"site": site, "records": str(folder / "calls"), "state_dir": str(folder)}

    bury = FolderStore(folder / "calls").bury
    errands = Errands(prepare=prepare, brief=brief, bury=bury, reopen=lambda _: Wire())
    return Host(nursery, errands, admission=Admission(4))


async def test_a_real_process_begins_answers_and_ends(nursery: Nursery, tmp_path: Path) -> None:
    async with real_host(nursery, tmp_path) as host:
        session = await host.admit(plan(), WebRtcLine())
        assert await host.invite(session) == {}
        with pytest.raises(OffhookError, match="SDP"):
            await host.ask(session.id, "offer", sdp="v=0", restart=False)
        child = session.child
        assert child
        await host.hang_up(session.id)
        assert (host.live, child.exited.is_set()) == (0, True)
    assert not (tmp_path / "calls").exists()


async def test_a_real_process_that_is_killed_frees_its_slots(
    nursery: Nursery, tmp_path: Path
) -> None:
    async with real_host(nursery, tmp_path) as host:
        sessions = [await host.admit(plan(), WebRtcLine()) for _ in range(2)]
        for session in sessions:
            await host.invite(session)
        assert sessions[0].child
        sessions[0].child.kill()
        await until(lambda: host.live == 1)
        assert host.session(sessions[1].id) is sessions[1]
