"""The simulated Flux, as a client of the vendor meets it."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError

from evals.simulators.vendors import Vendors
from tests.support.ears import LINES, behaving, quiet, sentence

pytestmark = pytest.mark.integration

GOOD = {"model": "flux-general-en", "encoding": "linear16", "sample_rate": "16000"}
TOKEN = {"Authorization": "Token key"}


async def told(*, last: str = '{"type": "CloseStream"}', **query: str) -> list[dict[str, Any]]:
    """All that is said about two sentences."""
    messages: list[dict[str, Any]] = []
    async with Vendors(behaving()) as vendors, ClientSession() as client:
        url = f"{vendors.url}/deepgram/v2/listen"
        async with client.ws_connect(url, params=GOOD | query, headers=TOKEN) as connected:
            speech = b"".join(sentence(index)[0] + quiet(1500) for index in (1, 2))
            for start in range(0, len(speech), 2560):
                await connected.send_bytes(speech[start : start + 2560])
            await connected.send_str(last)
            async for message in connected:
                assert message.type is WSMsgType.TEXT
                messages.append(message.json())
    return messages


async def test_two_turns_by_the_vendors_state_machine() -> None:
    first, *rest = await told(eager_eot_threshold="0.4")
    assert first["type"] == "Connected"
    assert {message["type"] for message in rest} == {"TurnInfo"}
    sequence = [message["sequence_id"] for message in [first, *rest]]
    assert sequence == list(range(len(sequence)))
    marks = [message for message in rest if message["event"] != "Update"]
    turn = ["StartOfTurn", "EagerEndOfTurn", "EndOfTurn"]
    assert [message["event"] for message in marks] == turn * 2
    assert [message["turn_index"] for message in marks] == [0] * 3 + [1] * 3
    for index in (0, 1):
        start, eager, end = marks[3 * index : 3 * index + 3]
        assert LINES[index].startswith(start["transcript"])
        assert start["transcript"]
        assert eager["transcript"] == end["transcript"] == LINES[index]
        assert [word["word"] for word in end["words"]] == LINES[index].split()
        assert end["end_of_turn_confidence"] >= 0.7 > eager["end_of_turn_confidence"]


async def test_eager_ends_are_told_only_if_asked_for() -> None:
    events = [message.get("event") for message in await told()]
    assert "EagerEndOfTurn" not in events
    assert events.count("EndOfTurn") == 2


async def test_settings_can_change_and_rubbish_ends_the_connection() -> None:
    changed = await told(last='{"type": "Configure", "keyterms": ["x"]}\n')
    assert changed[-1]["type"] == "ConfigureSuccess"
    assert changed[-1]["keyterms"] == ["x"]
    ended = await told(last="hello")
    assert (ended[-1]["type"], ended[-1]["code"]) == ("Error", "UNPARSABLE_CLIENT_MESSAGE")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param({"model": "nova-3"}, "No such model", id="model"),
        pytest.param({"encoding": "opus"}, "encoding", id="encoding"),
        pytest.param({"language_hint": "es"}, "flux-general-multi", id="hint"),
        pytest.param({"eot_threshold": "1.05"}, "eot_threshold", id="threshold"),
        pytest.param({"eager_eot_threshold": "0.8"}, "above", id="eager"),
        pytest.param({"eot_timeout_ms": "100"}, "eot_timeout_ms", id="timeout"),
    ],
)
async def test_a_bad_query_is_refused_in_the_vendors_words(
    query: dict[str, str], says: str
) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        await told(**query)
    assert refused.value.status == 400
    assert refused.value.headers
    assert says in refused.value.headers["dg-error"]
