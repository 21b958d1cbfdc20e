"""Many callers of one host at a time, and what they went through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType

import httpx

from errors import OffhookError
from evals.callers import Caller, Mode, RefusedError, Speech
from evals.density_gate import Step
from evals.density_host import Host
from evals.density_lag import spare
from evals.density_vendors import VendorProcess
from evals.latency_turns import Saying

_APART_SECS = 0.9
"""Between two callers who come in; no whole part of a turn, so that they do not speak at once."""
_SETTLE_SECS = 20.0
"""How long a new caller may take to its first turn."""
_NAP_SECS = 0.1
_TRIES = 3
_AGAIN_SECS = 5.0


def speech_of(mode: Mode, said: Sequence[Saying]) -> Speech:
    """What callers of that kind send for these turns."""
    if mode == "websocket":
        from evals.callers_socket import socket_speech

        return socket_speech(said)
    from evals.callers_webrtc import opus_speech

    return opus_speech(said)


def caller_of(mode: Mode) -> Callable[[httpx.AsyncClient, Speech], Caller]:
    """How such a caller is made."""
    if mode == "websocket":
        from evals.callers_socket import SocketCaller

        return SocketCaller
    from evals.callers_webrtc import WebRtcCaller

    return WebRtcCaller


class Fleet:
    """An async context manager; leaving it hangs up.

    Args:
        mode: How the callers come in.
        host: Where.
        speech: What they say.
        injected_ms: What the vendors alone take for an answer.
    """

    def __init__(self, mode: Mode, host: Host, speech: Speech, *, injected_ms: float) -> None:
        self._make = caller_of(mode)
        self._host = host
        self._speech = speech
        self._injected_ms = injected_ms
        self._http = httpx.AsyncClient(base_url=host.url, trust_env=False)
        self.callers: list[Caller] = []
        """Who is on the line."""

    async def __aenter__(self) -> Fleet:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.become(0)
        await self._http.aclose()

    async def become(self, count: int) -> int:
        """Have so many on the line, each past its first turn; how many the host refused."""
        while len(self.callers) > count:
            await self.callers.pop().hang_up()
        refused = 0
        while len(self.callers) + refused < count:
            caller = await self._let_in()
            if caller is None:
                refused += 1
                continue
            self.callers.append(caller)
            await asyncio.sleep(_APART_SECS)
        await self._settle()
        return refused

    async def _let_in(self) -> Caller | None:
        """A caller on the line; None if the host refuses again and again.

        The host turns callers away for some seconds after its calls were strained, as they are
        while another begins.
        """
        for _ in range(_TRIES):
            caller = self._make(self._http, self._speech)
            try:
                await caller.call()
            except RefusedError:
                await caller.hang_up()
                await asyncio.sleep(_AGAIN_SECS)
                continue
            return caller
        return None

    async def _settle(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + _SETTLE_SECS
        # Whoever does not get to its first turn by then is judged by it.
        while loop.time() < until:
            if all(caller.talker.asked for caller in self.callers):
                return
            await asyncio.sleep(_NAP_SECS)

    async def window(self, secs: float, vendors: VendorProcess) -> Step:
        """Let them talk for so long; what they went through.

        Raises:
            OffhookError: Nobody is on the line.
        """
        if not self.callers:
            raise OffhookError("The host took no call.", code="no_call")
        loop = asyncio.get_running_loop()
        step = Step(calls=len(self.callers))
        for caller in self.callers:
            caller.late_ms.clear()
        spare()
        vendors.late_ms()
        since, before = loop.time(), dict(self._host.cpu_secs())
        await asyncio.sleep(secs)
        until, after = loop.time(), dict(self._host.cpu_secs())
        # A process that ended meanwhile takes what it had used with it.
        used_secs = sum(max(0.0, cpu - before.get(pid, 0.0)) for pid, cpu in after.items())
        step.cpu_cores = used_secs / (until - since)
        step.memory_mb = self._host.memory_mb(before, until - since)
        step.vendors_late_ms = vendors.late_ms()
        for caller in self.callers:
            step.ended += caller.over.is_set()
            step.callers_late_ms += caller.late_ms
            talker, replies = caller.talker, caller.ear.replies
            window = (since, until)
            step.take(talker.asked, replies, window=window, injected_ms=self._injected_ms)
        return step
