"""Phone calls as Twilio brings them: a real server, real speech, a telephone that plays Twilio."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray

import bots.bot
from api.twilio import MAX_SETUP_CHARS, SETUP_SECS, VOICE_PATH
from evals.corpus import LIBRIVOX
from evals.simulators.phone import PHONE_HZ, NotTakenError, Number, Phone, Stream, ask, dial
from hosts.transports import TransportSettings
from hosts.twilio import TwilioSettings, signature
from pipelines.headless import read_speech
from pipelines.websocket import LEAD_SECS
from records.recording import read_tracks
from records.tracks import RATE_HZ
from server import ServerSettings, create_app
from tests.support.serving import Served, free_port, serving

pytestmark = pytest.mark.integration

CLIP = LIBRIVOX / "sense_and_sensibility_01_austen_64kb-0880.wav"
TOKEN = "the auth token of an account at twilio"
LOUD = 1000
CALL = {"CallSid": f"CA{'1' * 32}", "From": "+4930654321", "CallerCity": ""}

Stop = Callable[[], bool]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, port = tmp_path_factory.mktemp("serve"), free_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TWILIO_AUTH_TOKEN", TOKEN)
        patch.setenv("OFFHOOK_PUBLIC_URL", f"http://127.0.0.1:{port}/")
        arguments = ("--pipeline", "simulated", "--slots", "2")
        with serving(folder, *arguments, port=port) as server:
            yield server
    assert TOKEN not in (folder / "server.log").read_text()


def number(served: Served, query: str = "") -> Number:
    return Number(f"{served.url}{VOICE_PATH}{query}", TOKEN)


async def until(true: Stop, secs: float = 30) -> None:
    async with asyncio.timeout(secs):
        while not true():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


def loud(phone: Phone, secs: float = 0.1) -> bool:
    """Whether the bot was heard within the last `secs`."""
    return bool((np.abs(phone.tracks()[-round(secs * PHONE_HZ) :, 1]) > LOUD).any())


async def freed(served: Served) -> None:
    with served.client() as http:
        await until(lambda: http.get("/healthz").json()["slots_taken"] == 0)


def record_of_the_last_call(data_dir: Path) -> tuple[Path, dict[str, Any], list[dict[str, Any]]]:
    folders = sorted((data_dir / "calls").iterdir(), key=lambda path: path.stat().st_mtime)
    record = json.loads((folders[-1] / "record.json").read_text())
    lines = (folders[-1] / "events.jsonl").read_text().splitlines()
    return folders[-1], record, [json.loads(line) for line in lines]


async def test_a_caller_is_greeted_answered_and_interrupts(served: Served) -> None:
    speech, interviewer = read_speech(CLIP), "?bot=interviewer&pipeline=simulated"
    # With so much to play, Twilio goes on while the bot makes up its mind.
    async with dial(number(served, interviewer), playout_secs=1.5) as phone:
        await until(lambda: loud(phone))
        await until(lambda: not loud(phone, 0.6))
        phone.say(speech)
        await until(lambda: not phone.speaking)
        await until(lambda: loud(phone))
        before = len(phone.clears)
        phone.say(speech)
        await until(lambda: len(phone.clears) > before)
        at = phone.clears[before]
        assert loud(phone)
        await asyncio.sleep(0.5)
        # A chunk may be on its way while the order to forget the rest is.
        silent = phone.tracks()[at + 320 : at + 2400, 1]
        await phone.press("5")
        await until(lambda: not phone.speaking)
        await until(lambda: loud(phone))
    await freed(served)
    assert len(silent) == 2080
    assert np.abs(silent).max() < LOUD
    assert set(phone.came) == {"media", "clear"}
    _, record, events = record_of_the_last_call(served.data_dir)
    assert (record["transport"], record["reason"]) == ("twilio", "caller_hung_up")
    assert "heard" in [event["kind"] for event in events]
    assert [e["interrupted"] for e in events if e["kind"] == "reply_ended"][:2] == [False, True]


async def test_a_call_that_is_ended_here_is_over_there(served: Served) -> None:
    async with dial(number(served)) as phone:
        await until(lambda: loud(phone))
        with served.client() as http:
            await asyncio.to_thread(http.delete, f"/sessions/{phone.session}")
        await asyncio.wait_for(phone.over.wait(), 10)
    await freed(served)
    assert phone.came[-1] == "mark"


def signed(served: Served, form: dict[str, str], *, query: str = "", token: str = TOKEN) -> str:
    return signature(f"{served.url}{VOICE_PATH}{query}", form.items(), token)


def post(served: Served, form: dict[str, str], sign: str, query: str = "") -> httpx.Response:
    with served.client(**{"X-Twilio-Signature": sign}) as http:
        return http.post(f"{VOICE_PATH}{query}", data=form)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_what_twilio_did_not_sign_starts_nothing(served: Served) -> None:
    other = CALL | {"From": "+4930111111"}
    answers = [
        post(served, CALL, ""),
        post(served, CALL, "not base64 at all"),
        post(served, CALL, signed(served, CALL, token="another")),
        post(served, other, signed(served, CALL)),
        post(served, CALL, signed(served, CALL), query="?bot=interviewer"),
    ]
    assert {code(answer) for answer in answers} == {(403, "bad_signature")}
    with served.client() as http:
        assert http.get("/healthz").json()["slots_taken"] == 0


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("?bot=nobody", 404, "bot"),
        ("?pipeline=none", 404, "pipeline"),
        ("?bott=interviewer", 422, "bott"),
    ],
)
def test_what_is_wrong_with_the_address_is_named(
    served: Served, query: str, status: int, field: str
) -> None:
    answer = post(served, CALL, signed(served, CALL, query=query), query)
    assert (answer.status_code, answer.json()["error"]["field"]) == (status, field)


def test_a_form_that_is_none_is_refused(served: Served) -> None:
    nameless = {"From": "+4930654321"}
    assert code(post(served, nameless, signed(served, nameless))) == (400, "bad_request")
    with served.client() as http:
        for body in (b"\xff\xfe", b"&".join(b"a%d=1" % n for n in range(300))):
            assert code(http.post(VOICE_PATH, content=body)) == (400, "not_a_form")
        assert code(http.post(VOICE_PATH, content=b"a" * 70_000)) == (413, "too_large")


async def test_a_full_server_lets_the_caller_hear_that_it_is_busy(served: Served) -> None:
    async with aiohttp.ClientSession() as http:
        waiting = [await ask(http, number(served)) for _ in range(2)]
        with pytest.raises(NotTakenError, match='<Reject reason="busy"'):
            await ask(http, number(served))
    await give_back(served, *waiting)


async def give_back(served: Served, *streams: Stream) -> None:
    with served.client() as http:
        for stream in streams:
            await asyncio.to_thread(http.delete, f"/sessions/{stream.session}")
    await freed(served)


@asynccontextmanager
async def opened(stream: Stream, token: str = TOKEN) -> AsyncGenerator[Any]:
    """The stream's WebSocket, signed, with nothing said on it."""
    headers = {"X-Twilio-Signature": signature(stream.url, (), token)}
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(stream.url, headers=headers) as socket,
    ):
        yield socket


async def refused(stream: Stream, *messages: dict[str, Any] | str | bytes) -> int | None:
    """How the server closes the stream after these."""
    async with opened(stream) as socket:
        for message in messages:
            if isinstance(message, bytes):
                await socket.send_bytes(message)
            else:
                await socket.send_str(message if isinstance(message, str) else json.dumps(message))
        await asyncio.wait_for(socket.receive(), SETUP_SECS + 10)
        return socket.close_code


async def test_a_stream_must_be_signed_and_show_its_calls_token_once(served: Served) -> None:
    async with aiohttp.ClientSession() as http:
        stream, other = [await ask(http, number(served)) for _ in range(2)]
    for path in (stream.url, stream.url.replace(stream.session, "none")):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            async with opened(Stream(path, {}, ""), token="another"):
                pass
        assert caught.value.status == 403
    hello, start = stream.connected(), stream.start()
    foreign = Stream(stream.url, stream.parameters, other.call_sid).start()
    guess = Stream(stream.url, other.parameters, stream.call_sid).start()
    bare = Stream(stream.url, {}, stream.call_sid).start()
    linear = json.loads(json.dumps(start).replace("x-mulaw", "x-l16"))
    wrong: list[tuple[dict[str, Any] | str | bytes, ...]] = [
        (hello, foreign),
        (hello, guess),
        (hello, bare),
        (hello, linear),
        (hello, hello),
        (start,),
        (b"\0",),
        ("{",),
        ("x" * (MAX_SETUP_CHARS + 1),),
        (hello,),
    ]
    for messages in wrong:
        assert await refused(stream, *messages) == 1008, messages
    async with opened(stream) as socket:
        for message in (hello, start):
            await socket.send_str(json.dumps(message))
        first = await asyncio.wait_for(socket.receive(), 30)
        assert json.loads(first.data)["event"] == "media"
        assert await refused(stream, hello, start) == 1008
    await give_back(served, other)
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        async with opened(stream):
            pass
    assert caught.value.status == 404


async def test_a_stream_takes_no_other_way_in(served: Served) -> None:
    async with aiohttp.ClientSession() as http:
        stream = await ask(http, number(served))
        url = stream.url.replace("/twilio", f"/ws?token={stream.parameters['token']}")
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await http.ws_connect(url)
    assert caught.value.status == 404
    await give_back(served, stream)


@asynccontextmanager
async def running(settings: ServerSettings) -> AsyncGenerator[str]:
    """The server in this process; its address."""
    config = uvicorn.Config(create_app(settings), port=settings.port, log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    try:
        await until(lambda: server.started)
        yield f"http://127.0.0.1:{settings.port}"
    finally:
        server.should_exit = True
        await serving


async def test_a_server_without_twilio_names_what_it_lacks(tmp_path: Path) -> None:
    settings = ServerSettings(port=free_port(), data_dir=tmp_path, pipeline="simulated")
    async with running(settings) as url, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{url}{VOICE_PATH}", data=CALL)
        assert code(answer) == (424, "missing")
        for name in ("TWILIO_AUTH_TOKEN", "OFFHOOK_PUBLIC_URL"):
            assert name in answer.text
        stream = Stream(f"{url.replace('http', 'ws')}/sessions/none/twilio", {}, "")
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            async with opened(stream, token=""):
                pass
    assert caught.value.status == 403


BRIEF = """
title = "Brief"
summary = "Says good-bye to whoever is silent."
greeting = "Hello."
record = true
[idle]
after_secs = 4
prompts = []
goodbye = "I will hang up now, good-bye."
"""


def last_sound_secs(track: NDArray[np.int16], rate_hz: int) -> float:
    """How long the last stretch of sound is that no pause of half a second breaks."""
    at = np.flatnonzero(np.abs(track.astype(int)) > LOUD)
    edges = [0, *(np.flatnonzero(np.diff(at) > rate_hz / 2) + 1), len(at)]
    first, last = list(pairwise(edges))[-1]
    return float(at[last - 1] - at[first]) / rate_hz


async def test_the_last_sentence_is_heard_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, port = tmp_path / "bots" / "brief", free_port()
    folder.mkdir(parents=True)
    (folder / "bot.toml").write_text(BRIEF)
    (folder / "prompt.md").write_text("Be brief.")
    monkeypatch.setattr(bots.bot, "BOTS", folder.parent)
    phone_line = TwilioSettings(TOKEN, f"http://127.0.0.1:{port}")
    settings = ServerSettings(
        port=port,
        data_dir=tmp_path / "data",
        pipeline="simulated",
        transports=TransportSettings(twilio=phone_line),
    )
    async with running(settings) as url:
        brief = Number(f"{url}{VOICE_PATH}?bot=brief", TOKEN)
        async with dial(brief, playout_secs=0.4) as phone:
            await asyncio.wait_for(phone.over.wait(), 60)
    call, record, events = record_of_the_last_call(settings.data_dir)
    assert record["reason"] == "idle"
    ended = [event["spoken"] for event in events if event["kind"] == "reply_ended"]
    assert ended == ["Hello.", "I will hang up now, good-bye."]
    spoken_secs = last_sound_secs(read_tracks(call / "audio.wav")[:, 1], RATE_HZ)
    heard_secs = last_sound_secs(phone.tracks()[:, 1], PHONE_HZ)
    assert spoken_secs > 1 > LEAD_SECS
    assert heard_secs == pytest.approx(spoken_secs, abs=0.02)
    assert phone.came[-1] == "mark"
