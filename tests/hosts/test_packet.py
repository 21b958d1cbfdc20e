"""Messages in packets: what goes in comes out, what is none is refused, no descriptor is lost."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from errors import ConfigError
from hosts import packet
from hosts.packet import (
    MAX_BYTES,
    MAX_FDS,
    ChannelError,
    accept,
    close_fds,
    decode,
    encode,
    error_fields,
    listen,
    receive_blocking,
    send_blocking,
    send_packet,
)
from tests.support.forked import open_files
from tests.support.forking import short_run

pytestmark = pytest.mark.unit

Pair = tuple[socket.socket, socket.socket]

characters = st.characters()  # Lone surrogates too.
values: st.SearchStrategy[JsonValue] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(characters),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(characters), inner),
    max_leaves=20,
)
messages = st.dictionaries(st.text(characters), values, max_size=8)


@pytest.fixture
def pair() -> Iterator[Pair]:
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.settimeout(5)
    yield ends
    for end in ends:
        end.close()


@given(messages)
def test_what_is_encoded_is_decoded(message: dict[str, JsonValue]) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=200))
def test_bytes_are_a_message_or_an_error(data: bytes) -> None:
    try:
        message = decode(data)
    except ChannelError:
        return
    assert isinstance(message, dict)


@pytest.mark.parametrize("data", [b"", b"[]", b"1", b"\xff", b"[" * 100_000, b'{"a":'])
def test_what_is_no_object_is_refused(data: bytes) -> None:
    with pytest.raises(ChannelError):
        decode(data)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x", object()])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ChannelError):
        encode({"value": value})


def test_the_longest_message_goes_through_and_a_longer_one_is_refused(pair: Pair) -> None:
    frame = len(encode({"a": ""}))
    longest = {"a": "x" * (MAX_BYTES - frame)}
    send_blocking(pair[0], longest)
    assert receive_blocking(pair[1]) == (longest, [])
    with pytest.raises(ChannelError) as refused:
        encode({"a": "x" * (MAX_BYTES - frame + 1)})
    assert refused.value.code == "too_long"


@given(st.lists(messages, max_size=6))
def test_messages_come_whole_in_order_and_then_the_end(sent: list[dict[str, JsonValue]]) -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with near, far:
        for message in sent:
            send_blocking(near, message)
        near.close()
        assert [receive_blocking(far) for _ in sent] == [(message, []) for message in sent]
        assert receive_blocking(far) is None


def test_descriptors_come_along_and_close_on_exec(pair: Pair) -> None:
    reader, writer = os.pipe()
    send_blocking(pair[0], {"op": "take"}, [reader])
    os.close(reader)
    received = receive_blocking(pair[1])
    assert received
    message, fds = received
    assert message == {"op": "take"}
    assert not os.get_inheritable(fds[0])
    os.write(writer, b"words")
    assert os.read(fds[0], 10) == b"words"
    close_fds([*fds, *fds, writer])


@pytest.mark.parametrize(
    ("data", "count"),
    [
        pytest.param(b"{}", MAX_FDS + 4, id="too many descriptors"),
        pytest.param(b"no json", 3, id="no message"),
        pytest.param(b'"' * (MAX_BYTES + 1), 3, id="too long"),
    ],
)
def test_what_comes_with_no_message_is_closed(pair: Pair, data: bytes, count: int) -> None:
    before = open_files()
    send_packet(pair[0], data, [0] * count)
    with pytest.raises(ChannelError):
        receive_blocking(pair[1])
    assert open_files() == before


def test_a_peer_that_left_without_reading_is_gone(pair: Pair) -> None:
    send_blocking(pair[1], {"op": "unread"})
    pair[1].send(b"{}")
    pair[0].send(b"{}")
    pair[1].close()
    while (received := receive_blocking(pair[0])) is not None:
        assert received[0] in ({"op": "unread"}, {})


def test_a_stale_socket_and_a_file_are_replaced() -> None:
    with short_run() as run:
        path = run / "calls" / "a.sock"
        listen(path).close()
        assert path.is_socket()
        path.unlink()
        path.write_text("no socket")
        with listen(path) as listener, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
            listener.setblocking(False)
            assert accept(listener) is None
            peer.connect(str(path))
            near = accept(listener)
            assert near
            near.close()


def test_a_path_that_cannot_be_listened_on_leaves_nothing_open() -> None:
    before = open_files()
    with pytest.raises(OSError, match="AF_UNIX path too long"):
        listen(Path("/tmp") / ("x" * 200))
    assert open_files() == before


def test_another_users_connection_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with short_run() as run:
        path = run / "calls" / "a.sock"
        with listen(path) as listener, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
            peer.connect(str(path))
            monkeypatch.setattr(packet.os, "geteuid", lambda: os.getuid() + 1)
            assert accept(listener) is None
            assert receive_blocking(peer) is None


def test_an_error_tells_all_that_a_caller_needs() -> None:
    error = ConfigError("It is wrong.", field="stt.model")
    assert json.loads(json.dumps(error_fields(error))) == {
        "code": "config",
        "message": "It is wrong.",
        "field": "stt.model",
        "status": 422,
    }
