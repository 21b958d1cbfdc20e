"""A server that listens is told from one that does not; a long wait is refused."""

from __future__ import annotations

import socket

import httpx
import pytest

from providers.reach import answers, refuse_long_waits
from tests.support.serving import free_port

pytestmark = pytest.mark.integration


def test_a_listener_answers() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert answers(f"http://127.0.0.1:{port}/v1")
        assert answers(f"ws://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{port}", "nonsense", "ftp://127.0.0.1", "http://[::1/v1", "http://h:80000"],
)
def test_nobody_answers(url: str) -> None:
    assert not answers(url.format(port=free_port()))


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, False),
        ({"retry-after": "0.5"}, False),
        ({"retry-after": "60"}, True),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, True),
    ],
)
async def test_nobody_waits_for_long(headers: dict[str, str], refused: bool) -> None:
    response = httpx.Response(429, headers=headers)
    await refuse_long_waits(response)
    assert (response.headers.get("x-should-retry") == "false") is refused
