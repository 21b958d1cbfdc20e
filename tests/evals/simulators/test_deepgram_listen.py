"""The simulated `/v1/listen`, as a client of the vendor meets it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from evals.simulators.vendors import Vendors
from tests.support.ears import LINES, behaving, quiet, sentence

pytestmark = pytest.mark.integration

GOOD = {"model": "nova-3", "encoding": "linear16", "sample_rate": "16000"}
TOKEN = {"Authorization": "Token key"}


@asynccontextmanager
async def socket(**query: str) -> AsyncGenerator[ClientWebSocketResponse]:
    async with Vendors(behaving()) as vendors, ClientSession() as client:
        url = f"{vendors.url}/deepgram/v1/listen"
        async with client.ws_connect(url, params=GOOD | query, headers=TOKEN) as connected:
            yield connected


async def told(connected: ClientWebSocketResponse) -> list[dict[str, Any]]:
    """All messages until the vendor closes."""
    messages: list[dict[str, Any]] = []
    async for message in connected:
        assert message.type is WSMsgType.TEXT
        messages.append(message.json())
    return messages


def transcript(result: dict[str, Any]) -> str:
    return result["channel"]["alternatives"][0]["transcript"]


def results(messages: list[dict[str, Any]], **having: object) -> list[dict[str, Any]]:
    return [m for m in messages if m["type"] == "Results" and having.items() <= m.items()]


async def speak(connected: ClientWebSocketResponse) -> None:
    speech = sentence(1)[0] + quiet(1500)
    for start in range(0, len(speech), 3200):
        await connected.send_bytes(speech[start : start + 3200])


async def test_a_sentence_from_its_first_sound_to_the_summary() -> None:
    options = {"interim_results": "true", "utterance_end_ms": "1000", "vad_events": "true"}
    async with socket(**options) as connected:
        await speak(connected)
        await connected.send_json({"type": "KeepAlive"})
        await connected.send_json({"type": "CloseStream"})
        messages = await told(connected)
    kinds = list(dict.fromkeys(message["type"] for message in messages))
    assert kinds == ["SpeechStarted", "Results", "UtteranceEnd", "Metadata"]
    (final,) = results(messages, speech_final=True)
    assert transcript(final) == LINES[0]
    assert final["is_final"] is True
    spans = final["channel"]["alternatives"][0]["words"]
    assert [word["word"] for word in spans] == LINES[0].split()
    assert all(word["start"] < word["end"] for word in spans)
    assert messages[-1]["duration"] == pytest.approx(4.49, abs=0.01)
    interims = [transcript(result) for result in results(messages, is_final=False)]
    assert interims
    assert all(LINES[0].startswith(text) for text in interims)


async def test_finalizing_gives_it_at_once() -> None:
    async with socket(endpointing="5000") as connected:
        await speak(connected)
        await connected.send_json({"type": "Finalize"})
        await connected.send_json({"type": "CloseStream"})
        messages = await told(connected)
    (final,) = results(messages, from_finalize=True)
    assert transcript(final) == LINES[0]
    assert results(messages, is_final=False) == [], "interim results were not asked for"


async def test_finalizing_can_take_as_long_as_a_final() -> None:
    behaviour = behaving()
    ears = behaviour.ears.model_copy(update={"finalize": "as_final"})
    late = behaviour.model_copy(update={"ears": ears})
    async with Vendors(late) as vendors, ClientSession() as client:
        url = f"{vendors.url}/deepgram/v1/listen"
        async with client.ws_connect(url, params=GOOD, headers=TOKEN) as connected:
            await connected.send_bytes(sentence(1)[0])
            await connected.send_json({"type": "Finalize"})
            await connected.send_bytes(quiet(1500))
            await connected.send_json({"type": "CloseStream"})
            messages = await told(connected)
    (final,) = results(messages, from_finalize=True)
    assert transcript(final)
    assert final["start"] + final["duration"] > len(sentence(1)[0]) / 32_000
    (rest,) = results(messages, speech_final=True)
    assert f"{transcript(final)} {transcript(rest)}".strip() == LINES[0]


async def test_silence_is_answered_too() -> None:
    async with socket() as connected:
        await connected.send_bytes(quiet(7000))
        await connected.send_json({"type": "CloseStream"})
        messages = await told(connected)
    assert {transcript(result) for result in results(messages)} == {""}


async def test_what_is_no_message_ends_the_connection() -> None:
    async with socket() as connected:
        await connected.send_str("hello")
        assert await told(connected) == []
        assert connected.close_code == 1008


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param({"model": "best"}, "No such model", id="model"),
        pytest.param({"encoding": "opus"}, "encoding", id="encoding"),
        pytest.param({"sample_rate": "fast"}, "sample_rate", id="rate"),
        pytest.param({"endpointing": "soon"}, "endpointing", id="endpointing"),
        pytest.param({"utterance_end_ms": "1000"}, "interim_results", id="utterance"),
        pytest.param({"numerals": "yes"}, "numerals", id="flag"),
        pytest.param({"model": "nova-2", "keyterm": "x"}, "nova-3", id="keyterm"),
    ],
)
async def test_a_bad_query_is_refused_in_the_vendors_words(
    query: dict[str, str], says: str
) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        async with socket(**query):
            pass
    assert refused.value.status == 400
    assert refused.value.headers
    assert says in refused.value.headers["dg-error"]


async def test_without_a_key_nobody_comes_in() -> None:
    async with Vendors() as vendors, ClientSession() as client:
        url = f"{vendors.url}/deepgram/v1/listen"
        answer = await client.get(url, params=GOOD)
        assert answer.status == 401
        assert (await answer.json())["err_code"] == "INVALID_AUTH"
