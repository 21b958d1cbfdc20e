"""Sessions take slots when they are opened and give them back however they end."""

from __future__ import annotations

import asyncio

import pytest
from aiortc import RTCPeerConnection

import hosts.host
from bots.plan import CallPlan, plan_call
from errors import BadRequestError, FullError, NotFoundError
from hosts.admission import Admission
from hosts.host import Host
from pipelines.transports import WebRtcPeer

pytestmark = pytest.mark.integration


async def endless(plan: CallPlan, peer: WebRtcPeer) -> None:
    await asyncio.Event().wait()


async def failing(plan: CallPlan, peer: WebRtcPeer) -> None:
    raise RuntimeError("a bug in a call")


async def offer() -> str:
    peer = RTCPeerConnection()
    peer.addTransceiver("audio")
    await peer.setLocalDescription(await peer.createOffer())
    sdp = peer.localDescription.sdp
    await peer.close()
    return sdp


def plan() -> CallPlan:
    return plan_call(pipeline="simulated")


async def test_a_burst_is_never_over_admitted() -> None:
    async with Host(endless, admission=Admission(slots=3)) as host:
        refused = 0
        for _ in range(10):
            try:
                host.admit(plan())
            except FullError:
                refused += 1
        assert (host.live, refused) == (3, 7)


async def test_a_session_that_is_not_used_frees_its_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts.host, "UNUSED_SECS", 0.05)
    async with Host(endless, admission=Admission(slots=1)) as host:
        session = host.admit(plan())
        await asyncio.sleep(0.2)
        assert host.admission.taken == 0
        with pytest.raises(NotFoundError):
            await host.offer(session.id, await offer(), restart=False)


async def test_a_call_that_fails_frees_its_slots_and_reaches_no_other() -> None:
    async with Host(failing, admission=Admission(slots=1)) as host:
        session = host.admit(plan())
        answer = await host.offer(session.id, await offer(), restart=False)
        assert answer["type"] == "answer"
        await asyncio.sleep(0.2)
        assert host.live == 0
        host.admit(plan())


async def test_two_offers_at_once_start_one_call() -> None:
    started = 0

    async def counted(plan: CallPlan, peer: WebRtcPeer) -> None:
        nonlocal started
        started += 1
        await asyncio.Event().wait()

    async with Host(counted, admission=Admission(slots=1)) as host:
        session = host.admit(plan())
        sdp = await offer()
        await asyncio.gather(
            host.offer(session.id, sdp, restart=False),
            host.offer(session.id, sdp, restart=False),
            return_exceptions=True,
        )
        await asyncio.sleep(0.05)
        assert started == 1


async def test_a_malformed_offer_leaves_the_session_waiting() -> None:
    async with Host(endless, admission=Admission(slots=1)) as host:
        session = host.admit(plan())
        with pytest.raises(BadRequestError):
            await host.offer(session.id, "nonsense", restart=False)
        answer = await host.offer(session.id, await offer(), restart=False)
        assert "m=audio" in answer["sdp"]


async def test_closing_ends_every_call_and_refuses_new_ones() -> None:
    async with Host(endless, admission=Admission(slots=2)) as host:
        session = host.admit(plan())
        host.admit(plan())
        await host.offer(session.id, await offer(), restart=False)
        await host.close()
        assert (host.live, host.admission.taken) == (0, 0)
        with pytest.raises(FullError):
            host.admit(plan())
