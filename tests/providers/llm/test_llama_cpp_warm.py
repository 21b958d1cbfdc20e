from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from providers.llm import _llama_cpp_warm
from providers.llm._llama_cpp_warm import read_openings

pytestmark = pytest.mark.unit

TOLD = [
    {"messages": [{"role": "system", "content": name}], "temperature": 0} for name in ("one", "two")
]


class Server:
    """Answers as llama.cpp does; keeps what it was asked."""

    def __init__(self, folder: Path, *, status: int = 200) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._folder = folder
        self._status = status

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.asked.append((request.url.raw_path.decode(), body))
        if "restore" in str(request.url):
            return httpx.Response(200 if (self._folder / body["filename"]).exists() else 400)
        if "save" in str(request.url):
            (self._folder / body["filename"]).write_bytes(b"cache")
        return httpx.Response(self._status)

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    real = httpx.AsyncClient

    def to(server: Server) -> None:
        client = real(base_url="http://llama", transport=httpx.MockTransport(server))

        def make(**_: Any) -> httpx.AsyncClient:
            return client

        monkeypatch.setattr(_llama_cpp_warm.httpx, "AsyncClient", make)

    return to


RESTORE, SAVE = "/slots/0?action=restore", "/slots/0?action=save"
CHAT, OTHER = "/v1/chat/completions", "/completion"


async def test_each_opening_is_read_and_kept(tmp_path: Path, connect: Any) -> None:
    connect(server := Server(tmp_path))
    await read_openings("http://llama", TOLD, tmp_path)
    assert server.paths() == [RESTORE, CHAT, SAVE, OTHER, RESTORE, CHAT, SAVE]
    assert len(names(tmp_path)) == 2
    assert server.asked[1][1]["max_tokens"] == 1


async def test_what_was_kept_is_loaded(tmp_path: Path, connect: Any) -> None:
    connect(Server(tmp_path))
    await read_openings("http://llama", TOLD, tmp_path)
    connect(server := Server(tmp_path))
    await read_openings("http://llama", TOLD, tmp_path)
    assert SAVE not in server.paths()


async def test_a_server_that_refuses_does_not_stop_the_start(tmp_path: Path, connect: Any) -> None:
    connect(server := Server(tmp_path, status=500))
    await read_openings("http://llama", TOLD, tmp_path)
    assert server.paths().count(CHAT) == 2


async def test_only_the_newest_files_are_kept(tmp_path: Path, connect: Any) -> None:
    for age in range(30):
        (tmp_path / f"{age}.bin").touch()
        os.utime(tmp_path / f"{age}.bin", (1000 - age, 1000 - age))
    connect(Server(tmp_path))
    await read_openings("http://llama", [], tmp_path)
    assert names(tmp_path) == {f"{age}.bin" for age in range(16)}
