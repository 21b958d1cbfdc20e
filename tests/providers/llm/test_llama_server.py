"""llama.cpp's server with the real weights: it starts, answers, stops writing, and goes."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from providers.llm.llama_cpp import LlamaCppLlm
from tests.support.local_llm import running, weights

pytestmark = pytest.mark.integration

LONG = {
    "messages": [{"role": "user", "content": "Count from one to five hundred, in words."}],
    "max_tokens": 1000,
    "stream": True,
}


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    llm = LlamaCppLlm()
    async with running(llm) as site:
        [sidecar] = llm.sidecars(site)
        url = site.url(sidecar.name)
        async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as made:
            yield made


async def idle(client: httpx.AsyncClient) -> bool:
    [slot] = (await client.get("/slots")).json()
    return not slot["is_processing"]


async def eventually(check: Callable[[], Awaitable[bool]], *, limit_secs: float) -> None:
    for _ in range(round(limit_secs / 0.05)):
        if await check():
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"not within {limit_secs} s")


async def test_it_writes_only_what_the_schema_allows(client: httpx.AsyncClient) -> None:
    schema = {"anyOf": [{"enum": ["left"]}, {"enum": ["right"]}]}
    body = {
        "messages": [{"role": "user", "content": "Tell me about the weather."}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
    }
    answer = (await client.post("/v1/chat/completions", json=body)).json()
    assert answer["choices"][0]["message"]["content"] in ('"left"', '"right"')


async def test_it_stops_writing_when_nobody_listens(client: httpx.AsyncClient) -> None:
    async with client.stream("POST", "/v1/chat/completions", json=LONG) as answer:
        async for line in answer.aiter_lines():
            if line:
                break
        assert not await idle(client)
    await eventually(lambda: idle(client), limit_secs=2)


async def test_no_page_of_another_site_may_read_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health", headers={"Origin": "https://example.com"})
    assert answer.headers["access-control-allow-origin"] == ""


MODULE = [sys.executable, "-m", "providers.llm.llama_server"]
PARENT = """
import subprocess, sys
child = subprocess.Popen(sys.argv[1:])
print(child.pid, flush=True)
child.wait()
"""


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    command = [*MODULE, "--port", "0", "--model", str(tmp_path / "nothing.gguf")]
    run = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=30)
    assert run.returncode == 1
    assert "nothing.gguf" in run.stderr


async def test_it_goes_when_its_parent_is_killed() -> None:
    model, port = weights(LlamaCppLlm()) / "model.gguf", free_port()
    command = [*MODULE, "--port", str(port), "--model", str(model)]
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, *command, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout
    child = int(await parent.stdout.readline())
    async with httpx.AsyncClient(trust_env=False) as client:
        await eventually(lambda: healthy(client, port), limit_secs=60)
    parent.kill()
    await parent.wait()
    await eventually(lambda: gone(child), limit_secs=5)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def healthy(client: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/health")).status_code == 200
    except httpx.TransportError:
        return False


async def gone(pid: int) -> bool:
    try:
        stat = await asyncio.to_thread(Path(f"/proc/{pid}/stat").read_text)
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"
