"""What it costs to carry a WebSocket past the HTTP process: served in it, handed over, relayed."""

from __future__ import annotations

import asyncio
import base64
import multiprocessing
import socket
import struct
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, Literal, get_args

from errors import ConfigError, OffhookError
from evals.report import Report, percentile

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from hosts.channel import Channel

Way = Literal["served", "handed", "relayed"]
WAYS: tuple[Way, ...] = get_args(Way)

MESSAGE_BYTES = 960
"""20 ms of one channel of 24 kHz."""
MESSAGE_SECS = 0.02
ROUNDS = 5
"""Into which the time of each way is cut; they take turns, so that the machine's moods meet all."""
UNCOUNTED = 25
"""Messages at the beginning of each round."""

_STAMP = struct.Struct("d")


@dataclass(frozen=True)
class Stage:
    """An HTTP process and the process of its calls, which answers each message with itself."""

    url: str
    http: BaseProcess
    call: BaseProcess


@contextmanager
def staged(way: Way, **options: Any) -> Generator[Stage]:
    """Both processes, until the block ends; a connection waits until both are ready.

    Args:
        way: How the callers of `/ws` are carried.
        options: More of uvicorn's for the HTTP process, such as `ssl_certfile`, or `loop`.
    """
    spawn = multiprocessing.get_context("spawn")
    listener = socket.create_server(("127.0.0.1", 0))
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    scheme = "wss" if "ssl_certfile" in options else "ws"
    url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/ws"
    http = spawn.Process(target=_http_process, args=(listener, near, way), kwargs=options)
    call = spawn.Process(target=_call_process, args=(far,))
    with listener, near, far:
        http.start()
        call.start()
    try:
        yield Stage(url, http, call)
    finally:
        for process in (http, call):
            process.kill()
            process.join()


def _http_process(listener: socket.socket, near: socket.socket, way: Way, **options: Any) -> None:
    import uvicorn

    async def serve() -> None:
        from hosts.channel import Channel

        ready = asyncio.Event()
        channel = Channel(near, on_message=lambda _, __: ready.set(), on_closed=lambda: None)
        await ready.wait()
        app, protocol = _application(channel, way)
        config = uvicorn.Config(app, ws=protocol, log_config=None, access_log=False, **options)
        await uvicorn.Server(config).serve(sockets=[listener])

    factory = uvicorn.Config(
        "", log_config=None, loop=options.get("loop", "auto")
    ).get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve())


def _application(channel: Channel, way: Way) -> tuple[Any, Any]:
    """What uvicorn runs, and with which WebSocket protocol."""
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute

    from api.handover import Doorstep, hand_over, refuse

    class Relaying(Doorstep):
        def whole(self) -> bool:
            return False

    async def serve(caller: WebSocket) -> None:
        await caller.accept()
        await _echo(caller)

    async def give(caller: WebSocket) -> None:
        try:
            await hand_over(caller, channel)
        except OffhookError as error:
            await refuse(caller, error)

    endpoint = serve if way == "served" else give
    app = Starlette(routes=[WebSocketRoute("/ws", endpoint)])
    return app, Relaying if way == "relayed" else Doorstep


def _call_process(far: socket.socket) -> None:
    import uvicorn

    async def serve() -> None:
        from hosts.channel import Channel
        from hosts.handover import take

        taking: set[asyncio.Future[None]] = set()
        closed = asyncio.Event()

        async def answer(message: dict[str, Any], connection: socket.socket) -> None:
            await take(connection, base64.b64decode(message["head"]), _echo)
            channel.reply(message["id"], {})

        def hear(message: dict[str, Any], fds: list[int]) -> None:
            connection = socket.socket(fileno=fds.pop())
            future = asyncio.ensure_future(answer(message, connection))
            taking.add(future)
            future.add_done_callback(taking.discard)

        channel = Channel(far, on_message=hear, on_closed=lambda: None)
        channel.tell("ready")
        await closed.wait()

    factory = uvicorn.Config("", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve())


async def _echo(caller: WebSocket) -> None:
    """Send every message back."""
    while (message := await caller.receive())["type"] == "websocket.receive":
        await caller.send_bytes(message["bytes"])


def measure_relay(seconds: float, streams: int) -> Report:
    """Measure the round trip of audio messages, fifty a second, each way for so long.

    Args:
        seconds: For each way; at least 1 a round.
        streams: Callers at the same time.

    Raises:
        ConfigError: There is too little time, or nobody calls.
    """
    if seconds < ROUNDS or streams < 1:
        raise ConfigError(f"At least {ROUNDS} seconds and 1 stream are needed.", field="seconds")
    trips: dict[Way, list[float]] = {way: [] for way in WAYS}
    with ExitStack() as stack:
        stages = {way: stack.enter_context(staged(way)) for way in WAYS}
        for number in range(ROUNDS):
            # Nobody is always the first.
            for way in WAYS[number % 3 :] + WAYS[: number % 3]:
                call = _call_all(stages[way].url, seconds / ROUNDS, streams)
                trips[way] += asyncio.run(call)
    return _figures(trips)


def _figures(trips: dict[Way, list[float]]) -> Report:
    report = Report()
    ranks: dict[Way, dict[int, float]] = {}
    for way, values_ms in trips.items():
        ordered = sorted(values_ms)
        ranks[way] = {rank: percentile(ordered, rank) for rank in (50, 99)}
        for rank, value_ms in ranks[way].items():
            report.value(f"{way}_round_trip_p{rank}_ms", value_ms, "ms")
    added: tuple[tuple[Way, str], ...] = (("handed", "handover"), ("relayed", "relay"))
    for way, name in added:
        for rank, suffix in ((99, ""), (50, "_p50")):
            added_ms = ranks[way][rank] - ranks["served"][rank]
            report.value(f"{name}_added{suffix}_ms", added_ms, "ms")
    report.value("messages", len(trips["served"]), "count")
    return report


async def _call_all(url: str, seconds: float, streams: int) -> list[float]:
    async def after(wait_secs: float) -> list[float]:
        await asyncio.sleep(wait_secs)
        return await _call(url, seconds)

    # Callers do not send at the same moment.
    offsets = [MESSAGE_SECS * number / streams for number in range(streams)]
    found = await asyncio.gather(*(after(offset) for offset in offsets))
    return [trip for trips in found for trip in trips]


async def _call(url: str, seconds: float) -> list[float]:
    """The round trips of one caller's messages, in milliseconds."""
    from websockets.asyncio.client import connect

    loop = asyncio.get_running_loop()
    count = UNCOUNTED + int(seconds / MESSAGE_SECS)
    trips_ms: list[float] = []
    async with connect(url, proxy=None, compression=None, open_timeout=60) as caller:

        async def listen() -> None:
            for _ in range(count):
                (sent_secs,) = _STAMP.unpack_from(bytes(await caller.recv(decode=False)))
                trips_ms.append((loop.time() - sent_secs) * 1000)

        listening = asyncio.ensure_future(listen())
        begun_secs = loop.time()
        for number in range(count):
            await asyncio.sleep(begun_secs + number * MESSAGE_SECS - loop.time())
            await caller.send(_STAMP.pack(loop.time()) + bytes(MESSAGE_BYTES - _STAMP.size))
        await listening
    return trips_ms[UNCOUNTED:]
