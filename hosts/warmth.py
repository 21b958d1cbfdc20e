"""What a process does while it waits for a call: so that its call finds everything done."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from pathlib import Path

from loguru import logger
from pydantic import JsonValue

from bots.call import Stages, build_stages
from bots.greeting import FOLDER, Greeting, Greetings
from bots.plan import CallPlan
from hosts.requests import Order, Prebuild
from hosts.site import FixedSite
from pipelines.transports import AUDIO_OUT_HZ
from providers.kinds import Preconnects

AGAIN_SECS = 240.0
"""How soon connections are opened again: Cartesia closes one that was idle for 300 s, Cloudflare,
which is before most models, after 400 s."""
_REHEARSAL_SECS = 5.0


class Warmth:
    """Stages that are being built, or are ready, before there is a call.

    Attributes:
        stages: Done when everything is ready but what nobody waits for: the greeting, and the
            connections to those vendors that let them idle.
    """

    def __init__(self, recipe: Prebuild) -> None:
        plan, site = CallPlan.from_json(recipe.plan), FixedSite(recipe.site)
        self._key = _key(plan, recipe.site)
        greeting = recipe.records and Greeting.of(plan, site, _kept(recipe.records))
        self.stages: asyncio.Future[Stages] = asyncio.ensure_future(_ready(plan, site))
        self._more = asyncio.ensure_future(self._do_more(greeting or None))

    def fits(self, order: Order) -> bool:
        """Whether that call may use them."""
        failed = self.stages.done() and (self.stages.cancelled() or self.stages.exception())
        return not failed and self._key == _key(CallPlan.from_json(order.plan), order.site)

    def leave_off(self) -> None:
        """A call begins, and has the machine to itself."""
        self._more.cancel()

    async def _do_more(self, greeting: Greeting | None) -> None:
        await asyncio.wait({self.stages})
        if self.stages.cancelled() or self.stages.exception():
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(stay_connected(self.stages.result()))
            if greeting:
                group.create_task(_greet(greeting))


async def stay_connected(stages: Stages) -> None:
    """Have the call find the connections open that may idle; until cancelled."""
    services = (stages.stt, stages.llm, stages.tts)
    idle = [service for service in services if isinstance(service, Preconnects)]
    while idle:
        for service in idle:
            await service.preconnect()
        # Not all children of all servers in the same moment.
        await asyncio.sleep(AGAIN_SECS * random.uniform(0.8, 1.0))


async def _greet(greeting: Greeting) -> None:
    """Have the first caller greeted as soon as the second."""
    try:
        if not await greeting.find(AUDIO_OUT_HZ):
            await greeting.make(AUDIO_OUT_HZ, _at_once)
    except Exception as error:  # noqa: BLE001 - a call makes its own greeting
        logger.warning("the greeting is not made ahead: {!r}", error)


async def _ready(plan: CallPlan, site: FixedSite) -> Stages:
    """Build the stages; answer an offer of nobody's, which touches all that answering touches."""
    stages = await asyncio.to_thread(build_stages, plan, site)
    try:
        async with asyncio.timeout(_REHEARSAL_SECS):
            await _rehearse_answer()
    except Exception as error:  # noqa: BLE001 - the first offer is then the first
        logger.warning("no offer could be answered in advance: {!r}", error)
    return stages


async def _rehearse_answer() -> None:
    from aiortc import RTCConfiguration, RTCPeerConnection

    from pipelines.transports import WebRtcPeer

    # Without a list of servers aiortc would ask one of its own choice.
    caller, peer = RTCPeerConnection(RTCConfiguration(iceServers=[])), WebRtcPeer()
    try:
        caller.addTransceiver("audio")
        caller.createDataChannel("rehearsal")
        await caller.setLocalDescription(await caller.createOffer())
        await peer.answer(caller.localDescription.sdp)
    finally:
        await peer.close()
        await caller.close()


async def _at_once() -> None:
    """Nobody else needs the voice."""


def _kept(records: Path) -> Greetings:
    # The records' folder is one of the data folder's.
    return Greetings(records.parent / FOLDER)


def _key(plan: CallPlan, site: Mapping[str, JsonValue]) -> str:
    """What stages are built from."""
    return f"{plan.digest()} {json.dumps(site, sort_keys=True)}"
