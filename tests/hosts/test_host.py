"""Sessions take slots when they are opened and give them back however they end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import pytest

import hosts.host
from bots.plan import CallPlan, plan_call
from errors import FullError, NotFoundError, OffhookError
from hosts.admission import Admission
from hosts.host import Host, Session
from hosts.webrtc import WebRtcLine
from hosts.websocket import SocketLine

if TYPE_CHECKING:
    from pipecat.transports.base_transport import BaseTransport

pytestmark = pytest.mark.integration


class Wire:
    """A line that does as the test says and keeps what was done with it."""

    def __init__(
        self,
        *,
        opening: Callable[[], Awaitable[None]] | None = None,
        comes: bool = True,
        closing: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.log: list[str] = []
        self._opening = opening
        self._closing = closing
        self._comes = comes

    async def open(self) -> Mapping[str, object]:
        self.log.append("open")
        if self._opening:
            await self._opening()
        return {"door": "open"}

    async def arrival(self) -> None:
        if not self._comes:
            await asyncio.Event().wait()

    def transport(self) -> BaseTransport:
        raise NotImplementedError

    def alive(self) -> bool:
        return True

    async def close(self) -> None:
        self.log.append("closing")
        if self._closing:
            await self._closing()
        self.log.append("closed")


async def endless(session: Session) -> None:
    await asyncio.Event().wait()


async def polite(session: Session) -> None:
    await session.hung_up.wait()


async def failing(session: Session) -> None:
    raise RuntimeError("a bug in a call")


async def hanging() -> None:
    await asyncio.Event().wait()


async def refusing() -> None:
    raise OffhookError("there is no room", code="no_room")


def plan() -> CallPlan:
    return plan_call(pipeline="simulated")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        # Nothing tells of it.
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_burst_is_never_over_admitted() -> None:
    async with Host(endless, admission=Admission(slots=3)) as host:
        refused = 0
        for _ in range(10):
            try:
                host.admit(plan(), Wire(comes=False))
            except FullError:
                refused += 1
        assert (host.live, refused) == (3, 7)


async def test_a_session_that_is_not_used_frees_its_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts.host, "UNUSED_SECS", 0.05)
    async with Host(endless, admission=Admission(slots=1)) as host:
        session = host.admit(plan(), wire := Wire(comes=False))
        await until(lambda: host.admission.taken == 0)
        assert wire.log == ["open", "closing", "closed"]
        with pytest.raises(NotFoundError):
            host.line(session.id, Wire)


async def test_a_call_that_fails_frees_its_slots_and_reaches_no_other() -> None:
    async with Host(failing, admission=Admission(slots=1)) as host:
        session = host.admit(plan(), Wire())
        assert await host.invite(session) == {"door": "open"}
        await until(lambda: host.live == 0)
        host.admit(plan(), Wire())


async def test_slots_are_taken_until_the_line_is_closed() -> None:
    door = asyncio.Event()

    async def wait() -> None:
        await door.wait()

    async with Host(failing, admission=Admission(slots=1)) as host:
        host.admit(plan(), wire := Wire(closing=wait))
        await until(lambda: "closing" in wire.log)
        with pytest.raises(FullError):
            host.admit(plan(), Wire())
        door.set()
        await until(lambda: host.admission.taken == 0)


async def test_a_line_that_cannot_be_opened_is_told_and_closed() -> None:
    async with Host(endless, admission=Admission(slots=1)) as host:
        session = host.admit(plan(), wire := Wire(opening=refusing))
        with pytest.raises(OffhookError, match="there is no room"):
            await host.invite(session)
        await until(lambda: host.live == 0)
        assert wire.log == ["open", "closing", "closed"]


async def test_a_line_that_fails_to_close_frees_its_slots() -> None:
    async with Host(failing, admission=Admission(slots=1)) as host:
        host.admit(plan(), Wire(closing=refusing))
        await until(lambda: host.admission.taken == 0)


async def test_whoever_asked_and_went_away_leaves_nothing() -> None:
    async with Host(endless, admission=Admission(slots=1)) as host:
        session = host.admit(plan(), wire := Wire(opening=hanging))
        asking = asyncio.ensure_future(host.invite(session))
        await until(lambda: "open" in wire.log)
        asking.cancel()
        await until(lambda: host.live == 0)
        assert wire.log[-1] == "closed"
        assert asking.cancelled()


@pytest.mark.parametrize("wire", [Wire(opening=hanging), Wire(comes=False), Wire()])
async def test_hanging_up_ends_a_session_at_any_stage(wire: Wire) -> None:
    async with Host(polite, admission=Admission(slots=1)) as host:
        session = host.admit(plan(), wire)
        await asyncio.sleep(0.05)
        await asyncio.gather(host.hang_up(session.id), host.hang_up(session.id))
        assert (host.live, wire.log[-1]) == (0, "closed")
        await host.hang_up(session.id)
        await host.hang_up("never was")


async def test_hanging_up_ends_a_call_that_does_not_listen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hosts.host, "END_SECS", 0.05)
    async with Host(endless, admission=Admission(slots=1)) as host:
        session = host.admit(plan(), wire := Wire())
        await host.invite(session)
        await host.hang_up(session.id)
        assert (host.live, wire.log[-1]) == (0, "closed")


async def test_a_line_that_is_closing_is_left_in_peace() -> None:
    async def slowly() -> None:
        await asyncio.sleep(0.3)

    async with Host(failing, admission=Admission(slots=1)) as host:
        session = host.admit(plan(), wire := Wire(closing=slowly))
        await until(lambda: "closing" in wire.log)
        await host.hang_up(session.id)
        await host.close()
        assert wire.log[-1] == "closed"


async def test_a_session_has_one_kind_of_line() -> None:
    async with Host(endless, admission=Admission(slots=1)) as host:
        session = host.admit(plan(), WebRtcLine())
        assert isinstance(host.line(session.id, WebRtcLine), WebRtcLine)
        with pytest.raises(NotFoundError):
            host.line(session.id, SocketLine)


async def test_closing_ends_every_call_and_refuses_new_ones() -> None:
    wires = [Wire(), Wire(comes=False), Wire(opening=hanging)]
    async with Host(endless, admission=Admission(slots=3)) as host:
        sessions = [host.admit(plan(), wire) for wire in wires]
        await host.invite(sessions[0])
        asking = asyncio.ensure_future(host.invite(sessions[2]))
        await asyncio.sleep(0.05)
        await host.close()
        assert (host.live, host.admission.taken) == (0, 0)
        assert [wire.log[-1] for wire in wires] == ["closed"] * 3
        with pytest.raises(NotFoundError):
            await asking
        with pytest.raises(FullError):
            host.admit(plan(), Wire())
