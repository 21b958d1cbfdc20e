"""A connection between processes, on both event loops: requests, answers, one-way, the end."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import ConfigError, OffhookError
from hosts.channel import (
    MAX_BYTES,
    MAX_QUEUED,
    Channel,
    ChannelClosedError,
    ChannelError,
    encode,
    listen,
    receive_blocking,
)
from tests.support import waiting
from tests.support.forked import open_files
from tests.support.forking import short_run

pytestmark = pytest.mark.unit

until = partial(waiting.until, secs=20)

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@dataclass
class End:
    """One end, and what came to it."""

    channel: Channel = field(init=False)
    heard: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    taken: list[int] = field(default_factory=list[int])
    losses: int = 0
    answers: Callable[[dict[str, Any]], object] | None = None
    takes: bool = False

    def open(self, sock: socket.socket) -> End:
        self.channel = Channel(sock, on_message=self.hear, on_closed=self.lost)
        return self

    def hear(self, message: dict[str, Any], fds: list[int]) -> None:
        self.heard.append(message)
        if self.takes and fds:
            self.taken.append(fds.pop())
        if self.answers:
            self.answers(message)

    def lost(self) -> None:
        self.losses += 1


def ends() -> tuple[End, End]:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return End().open(near), End().open(far)


def ended(*some: End) -> None:
    for end in some:
        end.channel.close()


async def test_a_request_is_answered_and_a_refusal_is_raised_whole() -> None:
    near, far = ends()

    def answer(message: dict[str, Any]) -> None:
        if message["op"] == "add":
            far.channel.reply(message["id"], {"sum": message["a"] + message["b"]})
        else:
            far.channel.refuse(message["id"], ConfigError("No such voice.", field="tts.voice"))

    far.answers = answer
    sums = await asyncio.gather(*(near.channel.ask("add", a=n, b=1) for n in range(50)))
    assert [answer["sum"] for answer in sums] == list(range(1, 51))
    with pytest.raises(OffhookError) as refused:
        await near.channel.ask("sing")
    error = refused.value
    assert (error.code, error.message, error.field, error.status) == (
        "config",
        "No such voice.",
        "tts.voice",
        422,
    )
    ended(near, far)
    assert near.losses == far.losses == 0


async def test_answers_find_their_requests_in_any_order() -> None:
    near, far = ends()
    asking = [asyncio.ensure_future(near.channel.ask("n", n=n)) for n in range(10)]
    await until(lambda: len(far.heard) == 10)
    for message in reversed(far.heard):
        far.channel.reply(message["id"], {"n": message["n"]})
    assert [answer["n"] for answer in await asyncio.gather(*asking)] == list(range(10))
    ended(near, far)


async def test_one_way_messages_come_in_order() -> None:
    near, far = ends()
    for n in range(1000):
        near.channel.tell("pulse" if n % 2 else "renew", n=n)
        if n % 100 == 0:
            await asyncio.sleep(0)
    await until(lambda: near.channel.closed or (far.heard[-1:] and far.heard[-1]["n"] == 999))
    numbers = [message["n"] for message in far.heard]
    assert numbers == sorted(numbers)
    ended(near, far)


async def test_a_peer_that_is_gone_ends_what_was_asked_and_is_told_once() -> None:
    near, far = ends()
    asking = asyncio.ensure_future(near.channel.ask("state"))
    await until(lambda: far.heard)
    far.channel.tell("ended", reason="idle")
    far.channel.close()
    with pytest.raises(ChannelClosedError) as lost:
        await asking
    assert (lost.value.code, lost.value.status) == ("call_lost", 503)
    # Its last words were heard.
    assert near.heard == [{"op": "ended", "reason": "idle"}]
    assert (near.channel.closed, near.losses, far.losses) == (True, 1, 0)
    near.channel.tell("renew")
    with pytest.raises(ChannelClosedError):
        await near.channel.ask("state")
    near.channel.close()
    assert near.losses == 1


async def test_an_answer_that_comes_too_late_is_dropped_with_its_descriptors() -> None:
    near, far = ends()
    before = open_files()
    with pytest.raises(ChannelClosedError, match="no answer within"):
        await near.channel.ask("state", timeout_secs=0.01)
    far.channel.reply(far.heard[0]["id"], {}, fds=[0])
    far.channel.tell("event")
    await until(lambda: near.heard)
    assert open_files() == before
    assert not near.channel.closed
    ended(near, far)


async def test_one_who_no_longer_waits_gets_no_descriptor() -> None:
    near, far = ends()
    before = open_files()
    asking = asyncio.ensure_future(near.channel.ask_for_fds("fork"))
    await until(lambda: far.heard)
    # The answer is here, and the one who asked has not seen it yet.
    near.answers = lambda _: asking.cancel()
    far.channel.reply(1, {}, fds=[0])
    far.channel.tell("event")
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert open_files() == before
    ended(near, far)


async def test_an_answer_in_the_moment_when_time_is_up_leaves_no_descriptor() -> None:
    near, far = ends()
    before = open_files()
    asking = asyncio.ensure_future(near.channel.ask_for_fds("fork", timeout_secs=0.05))
    await until(lambda: far.heard)
    far.channel.reply(1, {}, fds=[0])
    far.channel.tell("event")
    # Nobody looks meanwhile: then the answer is there and the time is up.
    time.sleep(0.1)  # noqa: ASYNC251
    with pytest.raises(ChannelClosedError, match="no answer within"):
        await asking
    await until(lambda: near.heard)
    assert open_files() == before
    ended(near, far)


async def test_descriptors_go_both_ways_and_what_is_not_taken_is_closed() -> None:
    near, far = ends()
    before = open_files()
    far.takes = True
    far.answers = lambda message: far.channel.reply(message["id"], {"ok": 1}, fds=[0, 0])
    ok, fds = await near.channel.ask_for_fds("socket", fds=[0, 0])
    assert (ok, len(fds), len(far.taken)) == ({"ok": 1}, 2, 1)
    assert await near.channel.ask("socket", fds=[0]) == {"ok": 1}
    for fd in fds + far.taken:
        os.close(fd)
    assert open_files() == before
    ended(near, far)


def fill(sock: socket.socket) -> None:
    sock.setblocking(False)
    try:
        while True:
            sock.send(encode({"op": "filler", "x": "x" * 50_000}))
    except BlockingIOError:
        return


async def test_to_one_who_does_not_read_the_oldest_news_is_dropped_and_the_rest_kept() -> None:
    near_sock, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fill(near_sock)
    near = End().open(near_sock)
    reader = os.open(os.devnull, os.O_RDONLY)
    asking = asyncio.ensure_future(near.channel.ask("socket", fds=[reader], timeout_secs=0.05))
    await asyncio.sleep(0)
    os.close(reader)
    for n in range(2 * MAX_QUEUED):
        near.channel.tell("pulse", n=n)
    near.channel.tell("ended", reason="idle")
    with pytest.raises(ChannelClosedError):
        await asking
    assert not near.channel.closed
    far.settimeout(5)
    heard: list[dict[str, Any]] = []
    while not heard or heard[-1]["op"] != "ended":
        message, fds = await asyncio.to_thread(receive_blocking, far) or ({}, [])
        heard.append(message)
        for fd in fds:
            os.close(fd)
    told = [message for message in heard if message["op"] != "filler"]
    assert [message["op"] for message in told] == ["socket", *["pulse"] * (MAX_QUEUED - 2), "ended"]
    assert told[-2]["n"] == 2 * MAX_QUEUED - 1
    ended(near)
    far.close()


async def test_one_who_reads_none_of_what_must_be_read_is_given_up() -> None:
    near_sock, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    fill(near_sock)
    near = End().open(near_sock)
    for _ in range(MAX_QUEUED + 1):
        near.channel.tell("renew")
    await until(lambda: near.losses)
    assert near.channel.closed
    far.close()


async def test_who_sends_what_is_no_message_is_cut_off() -> None:
    near_sock, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    near = End().open(near_sock)
    far.send(b"[1]")
    await until(lambda: near.losses)
    far.close()


async def test_what_is_too_long_is_refused_where_it_is_said() -> None:
    near, far = ends()
    with pytest.raises(ChannelError):
        near.channel.tell("event", text="x" * MAX_BYTES)
    with pytest.raises(ChannelError):
        await near.channel.ask("begin", text="x" * MAX_BYTES)
    ended(near, far)


async def test_it_connects_to_who_listens_and_says_if_nobody_does() -> None:
    with short_run() as run:
        path = run / "calls" / "a.sock"
        end = End()
        with pytest.raises(ChannelClosedError):
            await Channel.connect(path, on_message=end.hear, on_closed=end.lost)
        with listen(path) as listener:
            channel = await Channel.connect(path, on_message=end.hear, on_closed=end.lost)
            near, _ = listener.accept()
            near.send(encode({"op": "warm"}))
            await until(lambda: end.heard == [{"op": "warm"}])
            near.close()
            await until(lambda: end.losses == 1)
            assert channel.closed


@settings(max_examples=20)
@given(sizes=st.lists(st.integers(0, 60_000), max_size=12), loop=st.sampled_from(LOOPS))
def test_whatever_the_sizes_all_comes_through(
    sizes: list[int], loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def talk() -> list[int]:
        near, far = ends()
        far.answers = lambda message: far.channel.reply(message["id"], {"text": message["text"]})
        asked = (near.channel.ask("echo", text="é" * (size // 2)) for size in sizes)
        answers = await asyncio.gather(*asked)
        ended(near, far)
        return [len(answer["text"]) for answer in answers]

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(talk()) == [size // 2 for size in sizes]


@pytest.mark.parametrize(
    "test",
    [
        test_a_request_is_answered_and_a_refusal_is_raised_whole,
        test_answers_find_their_requests_in_any_order,
        test_one_way_messages_come_in_order,
        test_a_peer_that_is_gone_ends_what_was_asked_and_is_told_once,
        test_an_answer_that_comes_too_late_is_dropped_with_its_descriptors,
        test_one_who_no_longer_waits_gets_no_descriptor,
        test_an_answer_in_the_moment_when_time_is_up_leaves_no_descriptor,
        test_descriptors_go_both_ways_and_what_is_not_taken_is_closed,
        test_to_one_who_does_not_read_the_oldest_news_is_dropped_and_the_rest_kept,
        test_one_who_reads_none_of_what_must_be_read_is_given_up,
        test_who_sends_what_is_no_message_is_cut_off,
        test_what_is_too_long_is_refused_where_it_is_said,
        test_it_connects_to_who_listens_and_says_if_nobody_does,
    ],
)
def test_the_same_on_the_calls_own_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test())
