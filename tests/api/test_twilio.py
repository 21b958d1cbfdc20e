"""Phone calls as Twilio brings them: a real server, real speech, a telephone that plays Twilio."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

import api.twilio
import bots.bot
from api.twilio import VOICE_PATH
from bots.bot import DEFAULT_BOT
from evals.corpus import LIBRIVOX
from evals.simulators.phone import PHONE_HZ, NotTakenError, Number, Stream, ask, dial
from hosts.admission import AdmissionSettings
from hosts.legs import MAX_UNKNOWN_STREAMS
from hosts.twilio import signature
from hosts.twilio_stream import MAX_SETUP_CHARS
from pipelines.headless import read_speech
from pipelines.websocket import LEAD_SECS
from records.recording import read_tracks
from records.tracks import RATE_HZ
from tests.support.phones import (
    LOUD,
    TOKEN,
    denied,
    loud,
    opened,
    refused,
    running,
    say,
    until,
)
from tests.support.serving import Served, free_port, serving

pytestmark = pytest.mark.integration

CLIP = LIBRIVOX / "sense_and_sensibility_01_austen_64kb-0880.wav"
CALL = {"CallSid": f"CA{'1' * 32}", "From": "+4930654321", "CallerCity": ""}


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


async def test_a_stream_must_be_signed_and_show_its_calls_token_once(served: Served) -> None:
    async with aiohttp.ClientSession() as http:
        stream, other = [await ask(http, number(served)) for _ in range(2)]
    for path in (stream.url, stream.url.replace(stream.session, "none")):
        assert await denied(Stream(path, {}, ""), token="another") == 403
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
        await say(socket, hello, start)
        first = await asyncio.wait_for(socket.receive(), 30)
        assert json.loads(first.data)["event"] == "media"
        assert await refused(stream, hello, start) == 1008
    await give_back(served, other)
    assert await denied(stream) == 404


async def test_streams_that_keep_silent_do_not_keep_the_right_one_out(served: Served) -> None:
    """As long as there are few of them."""
    async with aiohttp.ClientSession() as http:
        stream = await ask(http, number(served))
    async with AsyncExitStack() as silent:
        for _ in range(MAX_UNKNOWN_STREAMS - 1):
            await silent.enter_async_context(opened(stream))
        async with opened(stream) as socket:
            assert await denied(stream) == 409
            await say(socket, stream.connected(), stream.start())
            first = await asyncio.wait_for(socket.receive(), 30)
            assert json.loads(first.data)["event"] == "media"
    await freed(served)


async def test_a_stream_takes_no_other_way_in(served: Served) -> None:
    async with aiohttp.ClientSession() as http:
        stream = await ask(http, number(served))
        url = stream.url.replace("/twilio", f"/ws?token={stream.parameters['token']}")
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await http.ws_connect(url)
    assert caught.value.status == 404
    await give_back(served, stream)


async def test_a_server_without_twilio_names_what_it_lacks(tmp_path: Path) -> None:
    async with (
        running(tmp_path, transports=None) as server,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        answer = await http.post(f"{server.url}{VOICE_PATH}", data=CALL)
        assert code(answer) == (424, "missing")
        for name in ("TWILIO_AUTH_TOKEN", "OFFHOOK_PUBLIC_URL"):
            assert name in answer.text
        url = f"{server.url.replace('http', 'ws')}/sessions/none/twilio"
        assert await denied(Stream(url, {}, ""), token="") == 403


async def test_who_waits_in_line_is_let_go_when_twilio_is_gone_or_waits_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = AdmissionSettings(queue=1, queue_secs=60.0)
    async with (
        running(tmp_path, slots=1, admission=line) as server,
        aiohttp.ClientSession() as http,
    ):
        host = server.house.host
        first = await ask(http, server.number())
        asking = asyncio.ensure_future(ask(http, server.number()))
        await until(lambda: host.admission.waiting == 1)
        asking.cancel()
        await until(lambda: host.admission.waiting == 0)
        monkeypatch.setattr(api.twilio, "ANSWER_SECS", 0.2)
        with pytest.raises(NotTakenError, match='<Reject reason="busy"'):
            await ask(http, server.number())
        assert (host.admission.waiting, host.live) == (0, 1)
        await host.hang_up(first.session)
        assert host.live == 0


async def test_whom_twilio_no_longer_asks_for_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while there is no process yet."""
    taking, never = asyncio.Event(), asyncio.Event()

    async def take(**_: Any) -> None:
        taking.set()
        await never.wait()

    async with running(tmp_path) as server, aiohttp.ClientSession() as http:
        monkeypatch.setattr(server.house.nursery, "take", take)
        asking = asyncio.ensure_future(ask(http, server.number()))
        await taking.wait()
        assert server.house.host.live == 1
        asking.cancel()
        await until(lambda: server.house.host.live == 0)


async def test_a_server_that_stops_is_busy(tmp_path: Path) -> None:
    async with running(tmp_path) as server, aiohttp.ClientSession() as http:
        stream = await ask(http, server.number())
        server.house.host.drain.ask()
        with pytest.raises(NotTakenError, match='<Reject reason="busy"'):
            await ask(http, server.number())
        # Who was asked to come before may come.
        async with opened(stream) as socket:
            await say(socket, stream.connected(), stream.start())
            assert (await socket.receive_json(timeout=30))["event"] == "media"


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
    folder = tmp_path / "bots" / "brief"
    folder.mkdir(parents=True)
    (folder / "bot.toml").write_text(BRIEF)
    (folder / "prompt.md").write_text("Be brief.")
    # The processes that wait are prepared for the default one.
    (folder.parent / DEFAULT_BOT).symlink_to(bots.bot.BOTS / DEFAULT_BOT)
    monkeypatch.setattr(bots.bot, "BOTS", folder.parent)
    async with (
        running(tmp_path / "data") as server,
        dial(server.number("?bot=brief"), playout_secs=0.4) as phone,
    ):
        await asyncio.wait_for(phone.over.wait(), 60)
    call, record, events = record_of_the_last_call(tmp_path / "data")
    assert record["reason"] == "idle"
    ended = [event["spoken"] for event in events if event["kind"] == "reply_ended"]
    assert ended == ["Hello.", "I will hang up now, good-bye."]
    spoken_secs = last_sound_secs(read_tracks(call / "audio.wav")[:, 1], RATE_HZ)
    heard_secs = last_sound_secs(phone.tracks()[:, 1], PHONE_HZ)
    assert spoken_secs > 1 > LEAD_SECS
    assert heard_secs == pytest.approx(spoken_secs, abs=0.02)
    assert phone.came[-1] == "mark"
