"""A stream says that it is one and whose it is, in time and in few words, or it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hosts.twilio_stream
from errors import BadRequestError
from hosts.twilio_stream import (
    MAX_SETUP_CHARS,
    check_connected,
    read_setup,
    read_start,
)
from tests.support.streams import CALL, CONNECTED, STREAM, Said, start

pytestmark = pytest.mark.unit


def test_a_start_is_read() -> None:
    check_connected(json.dumps(CONNECTED))
    told = read_start(json.dumps(start()))
    assert (told.callSid, told.streamSid) == (CALL, STREAM)
    assert told.customParameters == {"token": "word"}


def test_a_stream_without_parameters_shows_none() -> None:
    message = start()
    del message["start"]["customParameters"]
    assert read_start(json.dumps(message)).customParameters == {}


@pytest.mark.parametrize(
    "message",
    [
        start() | {"event": "media"},
        start(callSid="CA1"),
        start(callSid=f"{CALL}\n"),
        start(streamSid=None),
        start(mediaFormat={"encoding": "audio/x-l16", "sampleRate": 8000, "channels": 1}),
        start(customParameters={"token": 7}),
        {"event": "start"},
        [],
    ],
)
def test_what_is_no_start_is_refused(message: Any) -> None:
    with pytest.raises(BadRequestError):
        read_start(json.dumps(message))
    with pytest.raises(BadRequestError):
        check_connected(json.dumps(message))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["event", "start"]), inner),
    max_leaves=8,
)


@given(text=st.text() | json_values.map(json.dumps))
def test_garbage_is_refused_and_nothing_else_happens(text: str) -> None:
    for read in (check_connected, read_start):
        with pytest.raises(BadRequestError):
            read(text)


async def test_a_stream_is_read_up_to_its_start() -> None:
    socket = Said(CONNECTED, start(), {"event": "media"})
    assert (await read_setup(socket.receive)).callSid == CALL
    assert json.loads((await socket.receive())["text"]) == {"event": "media"}


LONG = "x" * (MAX_SETUP_CHARS + 1)


@pytest.mark.parametrize(
    "messages",
    [
        (start(), CONNECTED),
        (CONNECTED, CONNECTED),
        (json.dumps(CONNECTED).encode(), start()),
        (CONNECTED, b"\0"),
        (CONNECTED | {"more": LONG}, start()),
        (CONNECTED, start(customParameters={"token": "word", "more": LONG})),
    ],
)
async def test_another_beginning_is_refused(messages: tuple[Any, ...]) -> None:
    with pytest.raises(BadRequestError):
        await read_setup(Said(*messages).receive)


@pytest.mark.parametrize("messages", [(), (CONNECTED,)])
async def test_a_stream_that_ends_early_is_refused(messages: tuple[Any, ...]) -> None:
    socket = Said(*messages)
    socket.leave()
    with pytest.raises(BadRequestError):
        await read_setup(socket.receive)


@pytest.mark.parametrize("messages", [(), (CONNECTED,)])
async def test_a_stream_that_says_nothing_is_refused(
    messages: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts.twilio_stream, "SETUP_SECS", 0.01)
    with pytest.raises(BadRequestError, match="in time"):
        await read_setup(Said(*messages).receive)
