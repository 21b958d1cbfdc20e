"""The process of one call: what the host may ask of it, and how it ends in every case.

It listens on a socket of its own, so that the call outlives the host that began it: whoever
connects may renew the lease, ask and end. Everything it waits for has a limit; past the last one
the kernel ends it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import uvloop
from loguru import logger
from pydantic import JsonValue

from bots.call import Stages
from bots.tracing import flush
from errors import BadRequestError, NotFoundError, OffhookError
from hosts.channel import Channel
from hosts.lease import LOOK_SECS, Lease
from hosts.legs import SocketLeg, WebRtcLeg
from hosts.packet import ChannelError, accept
from hosts.pulse import Pulse, Reading
from hosts.requests import Candidates, Connection, Fields, Offer, Order, Prebuild, Say, read
from hosts.rundir import call_socket
from hosts.shift import Shift
from hosts.urgency import bound_stretches
from hosts.warmth import Warmth
from pipelines.transports import Candidate
from records import logs
from records.events import CallEvent, EndReason

BLOCKED_SECS = 15.0
"""After so long without a turn of the event loop the kernel ends the process."""
ALONE_SECS = 5.0
"""How long it stays when it has no call and nobody is connected."""
_HANDSHAKE_SECS = 5.0
"""How long taking a caller's WebSocket may last."""
_EXIT_SECS = 2.0
"""How long what is left to do may take when the call is over."""
_LAST_WORDS_SECS = 0.05

AnyLeg = TypeVar("AnyLeg")
AnyFields = TypeVar("AnyFields", bound=Fields)
Answer = Awaitable[dict[str, JsonValue]]
Handler = Callable[[dict[str, Any], list[int]], Answer]


class BusyError(OffhookError):
    """The process has its call."""

    code = "busy"
    status = 409


class Child:
    """Serves the control socket, and runs the one call.

    Args:
        listener: Bound and listening.
        name: Of this process among the calls.
    """

    def __init__(self, listener: socket.socket, *, name: str) -> None:
        self._listener = listener
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._since_secs = self._alone_since_secs = self._loop.time()
        self._channels: set[Channel] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._shift: Shift | None = None
        self._lease: Lease | None = None
        self._warmth: Warmth | None = None
        self._pulse = Pulse(self._tell_pulse)
        self._over = asyncio.Event()
        self._ops: dict[str, Handler] = {
            "prebuild": _served(Prebuild, self._prebuild),
            "begin": _served(Order, self._begin),
            "offer": _served(Offer, self._offer),
            "ice": _served(Candidates, self._ice),
            "socket": self._socket,
            "say": _served(Say, self._say),
            "renew": _served(Fields, self._renew),
            "hang_up": _served(Fields, self._hang_up),
            "drain": _served(Fields, self._drain),
            "stop": _served(Fields, self._stop),
            "state": _served(Fields, self._state),
        }

    async def live(self) -> None:
        """Returns when the call is over, or there is none and nobody wants one."""
        self._listener.setblocking(False)
        self._loop.add_reader(self._listener.fileno(), self._accept)
        self._start(self._tend())
        await self._over.wait()
        # Nothing that hangs from here on keeps the process.
        self._loop.call_later(_EXIT_SECS, os._exit, 0)
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.sleep(_LAST_WORDS_SECS)
        for channel in list(self._channels):
            channel.close()

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            logger.opt(exception=task.exception()).error("the process of a call failed")
            self._over.set()

    async def _tend(self) -> None:
        """Put off the kernel's alarm; notice that nobody wants this process any more."""
        while True:
            signal.setitimer(signal.ITIMER_REAL, BLOCKED_SECS)
            now_secs = self._loop.time()
            if self._lease and self._shift:
                if self._lease.look(now_secs):
                    self._shift.take_leave("host_lost")
            elif self._channels:
                self._alone_since_secs = now_secs
            elif now_secs - self._alone_since_secs >= ALONE_SECS:
                self._over.set()
            await asyncio.sleep(LOOK_SECS)

    def _accept(self) -> None:
        sock = accept(self._listener)
        if sock is None:
            return
        # Its own end and what it hears are tied together in the moment it is made.
        ends: list[Channel] = []
        channel = Channel(
            sock,
            on_message=lambda message, fds: self._hear(ends[0], message, fds),
            on_closed=lambda: self._channels.discard(ends[0]),
        )
        ends.append(channel)
        self._channels.add(channel)

    def _hear(self, channel: Channel, message: dict[str, Any], fds: list[int]) -> None:
        brought = fds[:]
        fds.clear()
        self._start(self._answer(channel, message, brought))

    async def _answer(self, channel: Channel, message: dict[str, Any], fds: list[int]) -> None:
        op, number = message.pop("op"), message.pop("id", None)
        try:
            ok = await self._do(op, message, fds)
        except OffhookError as error:
            logger.info("{} is refused: {}", str(op)[:40], error.message)
            if isinstance(number, int):
                channel.refuse(number, error)
        else:
            if isinstance(number, int):
                channel.reply(number, ok)
        finally:
            for fd in fds:
                os.close(fd)

    async def _do(self, op: object, fields: dict[str, Any], fds: list[int]) -> dict[str, JsonValue]:
        handler = self._ops.get(op) if isinstance(op, str) else None
        if handler is None:
            raise BadRequestError(f"There is no request {str(op)[:40]!r}.", code="unknown_op")
        try:
            return await handler(fields, fds)
        except OffhookError:
            raise
        except Exception as error:  # One bad request must not end the call.
            logger.exception("the request {} failed", op)
            raise OffhookError("The request failed in the call's process.") from error

    async def _prebuild(self, recipe: Prebuild) -> dict[str, JsonValue]:
        if self._shift:
            raise BusyError("This process has its call; nothing is built in advance for it.")
        warmth = self._warmth = Warmth(recipe)
        warmth.stages.add_done_callback(partial(self._warmed, warmth))
        return {}

    def _warmed(self, warmth: Warmth, stages: asyncio.Future[Stages]) -> None:
        if stages.cancelled() or warmth is not self._warmth:
            return
        if stages.exception():
            logger.warning("nothing is built in advance: {}", stages.exception())
        self._tell_all("cold" if stages.exception() else "warm")

    async def _begin(self, order: Order) -> dict[str, JsonValue]:
        if self._shift:
            raise BusyError("This process has its call.")
        fits = self._warmth is not None and self._warmth.fits(order)
        stages = self._warmth.stages if self._warmth and fits else None
        if self._warmth:
            self._warmth.leave_off()
        self._shift = Shift(
            order, stages, tell=self._tell_event, tell_end=self._tell_end, pulse=self._pulse
        )
        logs.bind_call(self._shift.plan.id)
        self._lease = Lease(self._loop.time())
        self._since_secs = self._loop.time()
        self._start(self._pulse.beat())
        self._start(self._run(self._shift))
        return {"prebuilt": fits}

    async def _run(self, shift: Shift) -> None:
        with logger.contextualize(call_id=shift.plan.id):
            await shift.live()
            await flush()
        self._over.set()

    async def _offer(self, offer: Offer) -> dict[str, JsonValue]:
        answer = await self._leg(WebRtcLeg).offer(offer.sdp, restart=offer.restart)
        return {**answer}

    async def _ice(self, told: Candidates) -> dict[str, JsonValue]:
        candidates = [Candidate(**given.model_dump()) for given in told.candidates]
        await self._leg(WebRtcLeg).add(candidates)
        return {}

    async def _socket(self, fields: dict[str, Any], fds: list[int]) -> dict[str, JsonValue]:
        from hosts.handover import take

        leg = self._leg(SocketLeg)
        try:
            head = base64.b64decode(read(Connection, fields).head, validate=True)
        except binascii.Error as error:
            raise BadRequestError("The head is no base64.", code="bad_fields") from error
        if len(fds) != 1:
            raise BadRequestError("One connection comes with this request.", code="bad_fields")
        leg.claim()
        try:
            async with asyncio.timeout(_HANDSHAKE_SECS):
                await take(socket.socket(fileno=fds.pop()), head, leg.carry)
        except TimeoutError as error:
            raise OffhookError("The caller's connection was not taken in time.") from error
        return {}

    async def _say(self, wish: Say) -> dict[str, JsonValue]:
        await self._called().sayings.say(wish.text)
        return {}

    async def _renew(self, _: Fields) -> dict[str, JsonValue]:
        if self._lease:
            self._lease.renew()
        return {}

    async def _hang_up(self, _: Fields) -> dict[str, JsonValue]:
        self._called().end("caller_hung_up")
        return {}

    async def _drain(self, _: Fields) -> dict[str, JsonValue]:
        self._called().take_leave("drained")
        return {}

    async def _stop(self, _: Fields) -> dict[str, JsonValue]:
        if self._shift:
            self._shift.end("drained")
        else:
            self._over.set()
        return {}

    async def _state(self, _: Fields) -> dict[str, JsonValue]:
        shift = self._shift
        state: dict[str, JsonValue] = {
            "name": self._name,
            "pid": os.getpid(),
            "session": None,
            "call_id": None,
            "plan": None,
            "holder": None,
            "stage": "warm",
            "reason": None,
            "since_secs": round(self._loop.time() - self._since_secs, 3),
        }
        if shift:
            state |= {
                "session": shift.order.session,
                "call_id": shift.plan.id,
                "plan": shift.order.plan,
                "holder": shift.order.holder,
                "stage": shift.stage,
                "reason": shift.reason,
            }
        return state

    def _called(self) -> Shift:
        if self._shift is None:
            raise NotFoundError("This process has no call yet.", code="no_call")
        return self._shift

    def _leg(self, kind: type[AnyLeg]) -> AnyLeg:
        leg = self._called().leg
        if not isinstance(leg, kind):
            raise NotFoundError("The caller comes by another way.", code="unknown_session")
        return leg

    def _tell_pulse(self, reading: Reading) -> None:
        self._tell_all("pulse", **asdict(reading))

    def _tell_event(self, event: CallEvent) -> None:
        self._tell_all("event", event=event.model_dump(mode="json"))

    def _tell_end(self, reason: EndReason) -> None:
        self._tell_all("ended", reason=reason)

    def _tell_all(self, op: str, **fields: JsonValue) -> None:
        for channel in list(self._channels):
            # A tool may have brought more than a message holds; the record has it.
            with suppress(ChannelError):
                channel.tell(op, **fields)


def main(listener: socket.socket, *, name: str, run: Path, log_level: str) -> None:
    """Wait for a call, have it, and return; whoever made this process ends it then.

    Args:
        listener: The control socket, bound to the path of `name` in `run`, and listening.
        name: Of this process among the calls.
        run: The folder of sockets.
        log_level: Of what goes to standard error.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, BLOCKED_SECS)
    bound_stretches(to_the_end=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        # They reach every process of a service that is stopped: the host says what is to be done.
        signal.signal(number, signal.SIG_IGN)
    logs.inherit(log_level)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_live(listener, name))
    finally:
        signal.setitimer(signal.ITIMER_REAL, BLOCKED_SECS)
        call_socket(run, name).unlink(missing_ok=True)


async def _live(listener: socket.socket, name: str) -> None:
    await Child(listener, name=name).live()


def _served(model: type[AnyFields], do: Callable[[AnyFields], Answer]) -> Handler:
    """A handler that reads what came with a request, and takes no descriptors."""

    async def serve(fields: dict[str, Any], _: list[int]) -> dict[str, JsonValue]:
        return await do(read(model, fields))

    return serve
