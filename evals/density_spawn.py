"""How soon a call begins: alone, and when all come at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus

import httpx

from evals.callers import Caller, RefusedError, Speech
from evals.density_host import Host

_GREETING_SECS = 20.0
_REST_SECS = 1.5
"""Between two calls: a process is made ready for the next one."""
_NAP_SECS = 0.02
_FREE_SECS = 20.0


@dataclass
class Spawning:
    """What was timed; a list has a value for each call."""

    answer_ms: list[float] = field(default_factory=list[float])
    """From `POST /start` to the answer to the first offer."""
    greeting_ms: list[float] = field(default_factory=list[float])
    """From the open connection to the greeting's first audible sample."""
    burst_ms: list[float] = field(default_factory=list[float])
    """As `answer_ms`, of calls that all came at once."""
    burst: int = 0
    """How many they were."""
    lost: int = 0
    """How many of them were refused, or never greeted."""
    refusal_ms: list[float] = field(default_factory=list[float])
    """From `POST /start` to a 429 while all these talked."""


async def measure_spawn(host: Host, speech: Speech, *, tries: int, burst: int) -> Spawning:
    """Call over WebRTC `tries` times, one after the other, then `burst` times at once."""
    found = Spawning(burst=burst)
    async with httpx.AsyncClient(base_url=host.url, trust_env=False) as http:
        # The callers' process loads half of aiortc with its first call, which does not count.
        if first := await _greeted(http, speech):
            await first.hang_up()
        await _free(http)
        for _ in range(tries):
            caller = await _greeted(http, speech)
            if caller and caller.answer_ms is not None:
                found.answer_ms.append(caller.answer_ms)
                found.greeting_ms += [ms for ms in [caller.greeting_ms] if ms is not None]
                await caller.hang_up()
            await _free(http)
        await asyncio.sleep(burst * _REST_SECS / 2)
        callers = await asyncio.gather(*(_greeted(http, speech) for _ in range(burst)))
        there = [caller for caller in callers if caller]
        found.burst_ms = [c.answer_ms for c in there if c.answer_ms is not None]
        found.lost = burst - sum(caller.greeting_ms is not None for caller in there)
        waits_ms = [await _refusal_ms(http) for _ in range(tries)]
        found.refusal_ms = [ms for ms in waits_ms if ms is not None]
        for caller in there:
            await caller.hang_up()
    return found


async def _greeted(http: httpx.AsyncClient, speech: Speech) -> Caller | None:
    """A caller who has heard the greeting begin, or has waited in vain; None if refused."""
    from evals.callers_webrtc import WebRtcCaller

    caller = WebRtcCaller(http, speech)
    try:
        await caller.call()
    except RefusedError:
        await caller.hang_up()
        return None
    loop = asyncio.get_running_loop()
    until = loop.time() + _GREETING_SECS
    while loop.time() < until:
        if caller.greeting_ms is not None:
            break
        await asyncio.sleep(_NAP_SECS)
    return caller


async def _refusal_ms(http: httpx.AsyncClient) -> float | None:
    """How long the host takes to refuse a call; None if it takes it."""
    loop = asyncio.get_running_loop()
    since_secs = loop.time()
    answer = await http.post("/start", json={"transport": "webrtc"})
    took_ms = (loop.time() - since_secs) * 1000
    if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return took_ms
    if answer.is_success:
        await http.delete(f"/sessions/{answer.json()['sessionId']}")
    return None


async def _free(http: httpx.AsyncClient) -> None:
    """Wait until the host has no call, and then for the next process."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _FREE_SECS
    while loop.time() < until:
        if not (await http.get("/healthz")).json().get("calls"):
            break
        await asyncio.sleep(_NAP_SECS * 5)
    await asyncio.sleep(_REST_SECS)
