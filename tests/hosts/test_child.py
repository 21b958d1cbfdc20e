"""A call in a process of its own, over real WebRTC: it ends, and its record says how."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from bots.greeting import FOLDER
from bots.plan import CallPlan, plan_call
from errors import OffhookError
from hosts.packet import listen
from hosts.rundir import call_socket
from records.record import FolderStore
from tests.support.callers import Caller
from tests.support.children import (
    WAIT_SECS,
    Connected,
    Forked,
    calling,
    forked,
    forks,
    order,
    plan,
    reason,
)

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    return forks()


@pytest.fixture
async def child(tmp_path: Path, context: ForkServerContext) -> AsyncGenerator[Forked]:
    async with forked(tmp_path / "run", context) as child:
        yield child


async def test_a_call_from_the_offer_to_the_record(child: Forked, tmp_path: Path) -> None:
    async with calling(child, tmp_path) as call:
        await call.host.until("event", "turn")
        state = await call.host.channel.ask("state")
        assert (state["stage"], state["pid"]) == ("calling", child.pid)
        assert state["holder"] == {"daily_room": "a-room"}
        assert CallPlan.from_json(state["plan"]) == call.plan
        assert call.caller.heard_since(0) > 1
        await call.caller.leave()
        assert await call.ended() == "caller_hung_up"
        assert await child.gone() == 0
        assert call.reason == "caller_hung_up"
        kinds = [message["event"]["kind"] for message in call.host.of("event")]
        assert kinds[0] == "call_started"
        assert kinds[-1] == "call_ended"
        assert kinds.count("reply_started") == 1
        assert call.host.told[-1]["op"] == "ended"
        pulse = call.host.of("pulse")[-1]
        assert set(pulse) == {"op", "lag_p99_ms", "late_frames", "rss_bytes", "cpu_secs"}
        assert not call_socket(child.run, child.name).exists()


async def test_a_call_whose_lease_is_lost_says_good_bye(child: Forked, tmp_path: Path) -> None:
    async with calling(child, tmp_path) as call:
        await call.host.until("event", "turn")
        await asyncio.sleep(1)
        quiet_secs = asyncio.get_running_loop().time()
        call.host.channel.close()
        assert await child.gone() == 0
        assert call.caller.heard_since(quiet_secs) > 1
    assert call.reason == "host_lost"
    assert call.said()[-1] == call.plan.bot.settings.farewell


@pytest.mark.parametrize("talking", [False, True], ids=["listening", "talking over it"])
async def test_a_drained_call_says_good_bye(child: Forked, tmp_path: Path, talking: bool) -> None:
    async with calling(child, tmp_path, again=talking) as call:
        if not talking:
            await call.host.until("event", "turn")
        asked_secs = asyncio.get_running_loop().time()
        await call.host.channel.ask("drain")
        await call.host.channel.ask("drain")
        assert await call.ended() == "drained"
        assert call.caller.heard_since(asked_secs) > 1
        assert {"drained"} == {event.get("reason", "drained") for event in call.caller.events}
        assert "call_ended" in call.caller.kinds()
        assert await child.gone() == 0
    assert call.reason == "drained"
    assert call.plan.bot.settings.farewell in call.said()[-1]


@pytest.mark.parametrize(("op", "why"), [("stop", "drained"), ("hang_up", "caller_hung_up")])
async def test_a_call_ends_at_once(child: Forked, tmp_path: Path, op: str, why: str) -> None:
    async with calling(child, tmp_path) as call:
        await call.host.channel.ask("drain")
        await call.host.channel.ask(op)
        assert await call.ended() == why
        assert await child.gone() == 0
    assert call.reason == why
    assert call.plan.bot.settings.farewell not in " ".join(call.said())


@pytest.mark.parametrize(
    ("op", "why"), [("stop", "drained"), ("drain", "drained"), ("hang_up", "caller_hung_up")]
)
async def test_a_call_that_nobody_came_to_leaves_no_record(
    child: Forked, tmp_path: Path, op: str, why: str
) -> None:
    async with child.connected() as host:
        await host.channel.ask("begin", timeout_secs=30, **order(plan(), tmp_path))
        assert (await host.channel.ask("state"))["stage"] == "waiting"
        await host.channel.ask(op)
        assert (await host.until("ended"))["reason"] == why
    assert await child.gone() == 0
    assert FolderStore(tmp_path / "calls").list() == []


async def test_the_record_of_a_killed_process_can_be_closed(child: Forked, tmp_path: Path) -> None:
    async with calling(child, tmp_path) as call:
        os.kill(child.pid, signal.SIGKILL)
        assert await child.gone() == -signal.SIGKILL
        assert call.reason is None
        FolderStore(tmp_path / "calls").close_orphans()
        assert call.reason == "crashed"


async def test_a_call_outlives_its_host_if_another_takes_over(
    child: Forked, tmp_path: Path
) -> None:
    async with calling(child, tmp_path) as call:
        call.host.channel.close()
        await asyncio.sleep(5)
        async with child.connected() as next_host:
            state = await next_host.channel.ask("state")
            assert state["session"] == "a-session"
            renewal = asyncio.ensure_future(next_host.renew())
            # Longer than the lease that the first host left.
            await asyncio.sleep(8)
            assert (await next_host.channel.ask("state"))["reason"] is None
            await next_host.channel.ask("hang_up")
            assert (await next_host.until("ended"))["reason"] == "caller_hung_up"
            await renewal
    assert call.reason == "caller_hung_up"


async def hand_over(host: Connected, listener: socket.socket) -> None:
    """Take the next connection, read the head of its request, and pass both on."""
    loop = asyncio.get_running_loop()
    connection, _ = await loop.sock_accept(listener)
    with connection:
        head = await loop.sock_recv(connection, 4096)
        told = base64.b64encode(head).decode()
        await host.channel.ask("socket", fds=[connection.fileno()], timeout_secs=30, head=told)


@pytest.mark.parametrize("leaves", [True, False], ids=["left by the caller", "hung up"])
async def test_a_call_over_a_websocket(child: Forked, tmp_path: Path, leaves: bool) -> None:
    call = plan()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/ws"
        async with child.connected() as host:
            told = order(call, tmp_path, ticket={"kind": "websocket"})
            await host.channel.ask("begin", timeout_secs=30, **told)
            passing = asyncio.ensure_future(hand_over(host, listener))
            async with connect(url, proxy=None) as caller:
                await passing
                await host.until("event", "reply_started")
                assert await caller.recv()
                if not leaves:
                    await host.channel.ask("hang_up")
                    # The child closes it as a server should.
                    async for _ in caller:
                        pass
                    assert caller.close_code == 1000
            assert (await host.until("ended"))["reason"] == "caller_hung_up"
    assert await child.gone() == 0
    assert reason(tmp_path, call) == "caller_hung_up"


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("dance", {}, "unknown_op"),
    ("begin", {}, "bad_fields"),
    ("offer", {"sdp": "v=0", "restart": "perhaps"}, "bad_fields"),
    ("offer", {"sdp": "v=0", "pin": 1}, "bad_fields"),
    ("offer", {"sdp": "v=0"}, "no_call"),
    ("ice", {"candidates": [{"candidate": ""}]}, "no_call"),
    ("ice", {"candidates": [{}]}, "bad_fields"),
    ("socket", {"head": ""}, "no_call"),
    ("hang_up", {}, "no_call"),
    ("drain", {}, "no_call"),
    ("prebuild", {"plan": {}, "site": {}}, "bad_plan"),
]


async def refused(host: Connected, op: str, fields: dict[str, Any]) -> str:
    with pytest.raises(OffhookError) as caught:
        await host.channel.ask(op, timeout_secs=30, **fields)
    return caught.value.code


async def test_what_cannot_be_done_is_refused_and_harms_nothing(
    child: Forked, tmp_path: Path
) -> None:
    async with child.connected() as host:
        for op, fields, code in BAD:
            assert await refused(host, op, fields) == code, (op, fields)
            host.channel.tell(op, **fields)
        good = order(plan(), tmp_path)
        bad: list[dict[str, Any]] = [
            {"ticket": {"kind": "pigeon"}},
            {"ticket": {}},
            {"site": {"urls": 1}},
        ]
        for wrong in bad:
            assert (await refused(host, "begin", good | wrong)).startswith("bad_")
        assert (await refused(host, "begin", good | {"plan": {}})) == "bad_plan"
        await host.channel.ask("begin", timeout_secs=30, **good)
        assert await refused(host, "begin", good) == "busy"
        assert await refused(host, "socket", {"head": ""}) == "unknown_session"
        assert await refused(host, "offer", {"sdp": "nonsense"}) == "sdp"
        assert await refused(host, "ice", {"candidates": [{"candidate": ""}]}) == "no_offer"
        recipe = {"plan": good["plan"], "site": good["site"]}
        assert await refused(host, "prebuild", recipe) == "busy"
        assert (await host.channel.ask("state"))["stage"] == "waiting"
        await host.channel.ask("hang_up")


@pytest.mark.parametrize("same", [True, False])
async def test_what_was_built_in_advance_is_used_where_it_fits(
    child: Forked, tmp_path: Path, same: bool
) -> None:
    built, wanted = plan(), plan() if same else plan(turn={"silence_ms": 900})
    async with child.connected() as host, AsyncExitStack() as stack:
        told = order(built, tmp_path)
        recipe = {"plan": told["plan"], "site": told["site"]}
        assert await host.channel.ask("prebuild", timeout_secs=30, **recipe) == {}
        await host.until("warm")
        begun = await host.channel.ask("begin", **order(wanted, tmp_path))
        assert begun == {"prebuilt": same}
        caller = Caller()
        stack.push_async_callback(caller.leave)
        await caller.take(await host.channel.ask("offer", sdp=await caller.offer()))
        await host.until("event", "reply_started")
        await host.channel.ask("hang_up")
        assert (await host.until("ended"))["reason"] == "caller_hung_up"


async def test_the_first_greeting_is_made_before_there_is_a_call(
    child: Forked, tmp_path: Path
) -> None:
    told = order(plan(), tmp_path)
    recipe = {"plan": told["plan"], "site": told["site"], "records": told["records"]}
    greetings = tmp_path / FOLDER
    async with child.connected() as host:
        await host.channel.ask("prebuild", timeout_secs=30, **recipe)
        await host.until("warm")
        async with asyncio.timeout(WAIT_SECS):
            while not list(greetings.glob("*.wav")):  # noqa: ASYNC110 - a file appears
                await asyncio.sleep(0.05)


async def test_what_could_not_be_built_in_advance_is_built_anew(
    child: Forked, tmp_path: Path
) -> None:
    told = order(plan(), tmp_path)
    broken = plan_call(pipeline="local").to_json()
    async with child.connected() as host:
        await host.channel.ask("prebuild", timeout_secs=30, plan=broken, site=told["site"])
        await host.until("cold")
        assert await host.channel.ask("begin", timeout_secs=30, **told) == {"prebuilt": False}
        await host.channel.ask("hang_up")
        assert (await host.until("ended"))["reason"] == "caller_hung_up"


async def test_a_process_that_nobody_wants_ends(child: Forked) -> None:
    async with child.connected() as host:
        assert (await host.channel.ask("state", timeout_secs=30))["stage"] == "warm"
    assert await child.gone() == 0


async def test_a_process_whose_loop_is_blocked_is_ended_by_the_kernel(
    child: Forked, tmp_path: Path
) -> None:
    async with calling(child, tmp_path):
        os.kill(child.pid, signal.SIGSTOP)
        await asyncio.sleep(16)
        os.kill(child.pid, signal.SIGCONT)
        assert await child.gone() == -signal.SIGALRM


async def test_audio_that_is_late_is_counted(child: Forked, tmp_path: Path) -> None:
    async with calling(child, tmp_path) as call:
        await call.host.until("event", "turn")
        await call.host.channel.ask("drain")
        # Some time from here on the bot says good-bye.
        for _ in range(4):
            await asyncio.sleep(0.5)
            os.kill(child.pid, signal.SIGSTOP)
            await asyncio.sleep(0.3)
            os.kill(child.pid, signal.SIGCONT)
        assert await call.ended() == "drained"
        pulses = call.host.of("pulse")
        assert 1 <= sum(pulse["late_frames"] for pulse in pulses) < 10
        assert max(pulse["lag_p99_ms"] for pulse in pulses[1:]) > 100


async def test_being_told_to_terminate_is_the_hosts_affair(child: Forked) -> None:
    async with child.connected() as host:
        await host.channel.ask("state", timeout_secs=30)
        os.kill(child.pid, signal.SIGTERM)
        await asyncio.sleep(0.5)
        assert (await host.channel.ask("state"))["stage"] == "warm"
        await host.channel.ask("stop")
    assert await child.gone() == 0


PLAIN = """
import socket, sys
from pathlib import Path
from hosts.child import main
main(socket.socket(fileno=int(sys.argv[1])), name="plain", run=Path(sys.argv[2]), log_level="INFO")
"""


async def test_nothing_has_to_be_imported_before(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "calls").mkdir(parents=True)
    with listen(call_socket(run, "plain")) as listener:
        fd = listener.fileno()
        process = subprocess.Popen(  # noqa: ASYNC220 - it does not wait
            [sys.executable, "-c", PLAIN, str(fd), str(run)], pass_fds=[fd], cwd=Path.cwd()
        )
    try:
        async with Forked("plain", run, None).connected() as host:
            call, caller = plan(), Caller()
            await host.channel.ask("begin", timeout_secs=60, **order(call, tmp_path))
            offer = await caller.offer()
            await caller.take(await host.channel.ask("offer", timeout_secs=60, sdp=offer))
            await host.until("event", "reply_started")
            await caller.leave()
            assert (await host.until("ended"))["reason"] == "caller_hung_up"
        assert await asyncio.to_thread(process.wait, 20) == 0
    finally:
        process.kill()
        process.wait()
    assert reason(tmp_path, call) == "caller_hung_up"
