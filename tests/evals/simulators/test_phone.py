"""The simulated telephone keeps Twilio's protocol: what it holds it plays, forgets or tells of."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from evals.corpus import LIBRIVOX
from evals.simulators import _mulaw
from evals.simulators.phone import PHONE_HZ, NotTakenError, Number, Phone, dial
from hosts.twilio import signature
from pipelines.headless import read_speech

pytestmark = pytest.mark.integration

TOKEN = "token"
CLIP = LIBRIVOX / "sense_and_sensibility_01_austen_64kb-0880.wav"
SECOND = _mulaw.compress(np.full(PHONE_HZ, 8000, np.int16))

Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


def twiml(host: str) -> str:
    return (
        f'<Response><Connect><Stream url="ws://{host}/s"><Parameter name="token" value="word"/>'
        "</Stream></Connect></Response>"
    )


@asynccontextmanager
async def calling(talk: Talk, answer: str = "") -> AsyncGenerator[Phone]:
    """A call to a server that answers with that TwiML and talks so."""

    async def voice(request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        sign = signature(str(request.url), form.items(), TOKEN)
        assert request.headers["X-Twilio-Signature"] == sign
        assert form["CallerCity"] == ""
        return web.Response(text=answer or twiml(request.host), content_type="application/xml")

    async def stream(request: web.Request) -> web.WebSocketResponse:
        url = f"ws://{request.host}/s"
        assert request.headers["X-Twilio-Signature"] == signature(url, (), TOKEN)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await talk(socket)
        await socket.close()
        return socket

    app = web.Application()
    app.add_routes([web.post("/v", voice), web.get("/s", stream)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        async with dial(Number(f"http://127.0.0.1:{port}/v", TOKEN)) as phone:
            yield phone
    finally:
        await runner.cleanup()


async def send(socket: web.WebSocketResponse, stream: str, event: str, **part: Any) -> None:
    await socket.send_str(json.dumps({"event": event, "streamSid": stream} | part))


async def play(socket: web.WebSocketResponse, stream: str, sound: bytes, mark: str) -> None:
    payload = base64.b64encode(sound).decode()
    await send(socket, stream, "media", media={"payload": payload})
    await send(socket, stream, "mark", mark={"name": mark})


async def hear(socket: web.WebSocketResponse, event: str) -> dict[str, Any]:
    while True:
        message = json.loads(await socket.receive_str(timeout=20))
        if message["event"] == event:
            return message


async def begin(socket: web.WebSocketResponse) -> str:
    """The stream's name, from its first messages."""
    assert json.loads(await socket.receive_str())["event"] == "connected"
    start = json.loads(await socket.receive_str())["start"]
    assert start["customParameters"] == {"token": "word"}
    return str(start["streamSid"])


async def test_what_is_sent_is_played_in_real_time_and_told_of() -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        stream = await begin(socket)
        await play(socket, stream, SECOND, "first")
        assert (await hear(socket, "mark"))["mark"]["name"] == "first"

    async with calling(talk) as phone:
        await asyncio.wait_for(phone.over.wait(), 20)
    heard = phone.tracks()[:, 1]
    assert np.count_nonzero(heard) == PHONE_HZ
    assert phone.came == ["media", "mark"]


async def test_an_order_to_forget_leaves_nothing_to_play() -> None:
    marks: list[str] = []

    async def talk(socket: web.WebSocketResponse) -> None:
        stream = await begin(socket)
        await play(socket, stream, SECOND, "first")
        await play(socket, stream, SECOND, "second")
        await hear(socket, "media")
        await send(socket, stream, "clear")
        marks.extend([(await hear(socket, "mark"))["mark"]["name"] for _ in range(2)])
        await play(socket, stream, b"", "third")
        marks.append((await hear(socket, "mark"))["mark"]["name"])
        await hear(socket, "stop")

    async with calling(talk) as phone:
        await asyncio.sleep(0.5)
    [at] = phone.clears
    heard = phone.tracks()[:, 1]
    assert not heard[at:].any()
    assert len(heard) > at
    assert marks == ["first", "second", "third"]


async def test_what_the_caller_says_and_presses_arrives() -> None:
    speech, said = read_speech(CLIP), bytearray()
    secs = len(speech) / 2 / 16_000

    async def talk(socket: web.WebSocketResponse) -> None:
        await begin(socket)
        while len(said) < secs * PHONE_HZ:
            said.extend(base64.b64decode((await hear(socket, "media"))["media"]["payload"]))
        assert (await hear(socket, "dtmf"))["dtmf"]["digit"] == "5"
        await hear(socket, "stop")

    async with calling(talk) as phone:
        phone.say(speech)
        while phone.speaking:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)
        await phone.press("5")
        await asyncio.sleep(0.1)
    heard, ours = _mulaw.expand(bytes(said)), phone.tracks()[:, 0]
    assert np.array_equal(heard, ours[: len(heard)])
    assert np.abs(heard).max() > 5000


@pytest.mark.parametrize(
    "answer", ["<Response><Reject/></Response>", "<Response><Say>Hello</Say></Response>"]
)
async def test_a_server_that_wants_no_sound_is_told(answer: str) -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        raise AssertionError("nobody comes")

    with pytest.raises(NotTakenError, match="Response"):
        async with calling(talk, answer):
            pass


@pytest.mark.parametrize(("event", "stream"), [("media", "MZ0"), ("hello", "")])
async def test_what_twilio_does_not_know_ends_the_call(event: str, stream: str) -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        own = await begin(socket)
        await send(socket, stream or own, event, media={"payload": ""})
        await hear(socket, "stop")

    with pytest.raises(NotTakenError, match=event):
        async with calling(talk) as phone:
            await asyncio.wait_for(phone.over.wait(), 20)
