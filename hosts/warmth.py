"""What a process does while it waits for a call: so that its call finds everything done."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from loguru import logger
from pydantic import JsonValue

from bots.call import Stages, build_stages
from bots.greeting import FOLDER, MAKE_SECS, Greeting, Greetings
from bots.plan import CallPlan
from hosts.requests import Order, Prebuild
from hosts.site import FixedSite
from pipelines.transports import AUDIO_OUT_HZ

AGAIN_SECS = 600.0
"""How soon a greeting that could not be made is tried again: a voice may be paid for."""
_REHEARSAL_SECS = 5.0
_LOCK = ".making"


class Warmth:
    """Stages that are being built, or are ready, before there is a call.

    Attributes:
        stages: Done when everything is ready but the greeting, which nobody waits for.
    """

    def __init__(self, recipe: Prebuild) -> None:
        plan, site = CallPlan.from_json(recipe.plan), FixedSite(recipe.site)
        self._key = _key(plan, recipe.site)
        greeting = recipe.records and Greeting.of(plan, site, _kept(recipe.records))
        self.stages: asyncio.Future[Stages] = asyncio.ensure_future(_ready(plan, site))
        self._greeting = asyncio.ensure_future(self._greet(greeting)) if greeting else None

    def fits(self, order: Order) -> bool:
        """Whether that call may use them."""
        failed = self.stages.done() and (self.stages.cancelled() or self.stages.exception())
        return not failed and self._key == _key(CallPlan.from_json(order.plan), order.site)

    def leave_off(self) -> None:
        """A call begins, and has the machine to itself."""
        if self._greeting:
            self._greeting.cancel()

    async def _greet(self, greeting: Greeting) -> None:
        """Have the first caller greeted as soon as the second."""
        await asyncio.wait({self.stages})
        if self.stages.cancelled() or self.stages.exception():
            return
        try:
            await make_once(greeting)
        except Exception as error:  # noqa: BLE001 - a call makes its own greeting
            logger.warning("the greeting is not made ahead: {!r}", error)


async def make_once(greeting: Greeting) -> None:
    """Make a greeting that is not kept yet, unless another process does or it failed lately.

    Raises:
        OSError: The folder of the greetings cannot be used.
    """
    if await greeting.find(AUDIO_OUT_HZ):
        return
    with alone(greeting.kept.folder / f"{_LOCK}-{greeting.key(AUDIO_OUT_HZ)}") as may:
        if not may:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MAKE_SECS):
                await greeting.make(AUDIO_OUT_HZ, _at_once)


@contextmanager
def alone(path: Path) -> Generator[bool]:
    """Whether no other process is inside of this with that path, nor failed in it lately.

    The file stays, and tells when a block came to its end; one that was cancelled, or raised,
    leaves the next to try.

    Raises:
        OSError: The file cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        may = _locks(handle) and _is_due(os.fstat(handle))
        yield may
        if may:
            os.pwrite(handle, b"tried\n", 0)
            os.utime(handle)
    finally:
        os.close(handle)


def _locks(handle: int) -> bool:
    """Whether the file is this process's alone from now on."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_due(state: os.stat_result) -> bool:
    age_secs = datetime.now(UTC).timestamp() - state.st_mtime
    return not state.st_size or not 0 <= age_secs <= AGAIN_SECS


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
