"""A server that listens is told from one that does not."""

from __future__ import annotations

import socket

import pytest

from providers.reach import answers
from tests.support.serving import free_port

pytestmark = pytest.mark.integration


def test_a_listener_answers() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert answers(f"http://127.0.0.1:{port}/v1")
        assert answers(f"ws://127.0.0.1:{port}")


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "nonsense", "ftp://127.0.0.1"])
def test_nobody_answers(url: str) -> None:
    assert not answers(url.format(port=free_port()))
