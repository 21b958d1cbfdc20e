"""A model is told what the bots will say before the first caller is; its failure is no matter."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from bots.bot import load_bot
from hosts.warming import openings, warm_model
from pipelines.config import PipelineConfig, resolve

pytestmark = pytest.mark.integration

NOTHING: dict[str, Any] = {"weights": {}, "urls": {}}


@contextmanager
def model_server() -> Generator[tuple[str, list[dict[str, Any]]]]:
    """A server that answers like a model, and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            asked.append(json.loads(self.rfile.read(length)))
            body = b'{"choices": []}'
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1", asked
        finally:
            server.shutdown()
            thread.join()


def pipeline(tmp_path: Path, url: str) -> PipelineConfig:
    table = tmp_path / "mine.toml"
    table.write_text(
        'summary = "s"\n[stt]\nprovider = "simulated"\n[tts]\nprovider = "simulated"\n'
        f'[llm]\nprovider = "openai_compatible"\nbase_url = "{url}"\nmodel = "m"\n'
    )
    return resolve(table)


async def test_a_model_reads_the_likeliest_opening(tmp_path: Path) -> None:
    with model_server() as (url, asked):
        await warm_model(pipeline(tmp_path, url), NOTHING, bots_dir=tmp_path)
    assert asked[0]["messages"][0] == {
        "role": "system",
        "content": load_bot("receptionist").prompt,
    }


async def test_a_model_that_is_not_there_is_no_matter(tmp_path: Path) -> None:
    await warm_model(pipeline(tmp_path, "http://127.0.0.1:9/v1"), NOTHING, bots_dir=tmp_path)


async def test_a_model_that_needs_none_starts_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncio.create_subprocess_exec", None)
    await warm_model(resolve("simulated"), NOTHING, bots_dir=tmp_path)


def test_every_bot_has_an_opening(tmp_path: Path) -> None:
    first, *others = openings(tmp_path)
    assert first.messages[0]["content"] == load_bot("receptionist").prompt
    assert others
