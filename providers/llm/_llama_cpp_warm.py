"""Openings read ahead: into llama.cpp's cache, and onto disk for the next start of the server.

Reading a bot's opening takes the CPU seconds; to load what was read takes milliseconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from loguru import logger

_READ_SECS = 120.0
_KEPT_FILES = 16
"""Openings kept on disk, about 15 MB each; a bot whose prompt is edited leaves one behind."""
_CHAT = "/v1/chat/completions"


async def read_openings(url: str, told: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Have each conversation of `told` in the cache, the first as soon as can be.

    Args:
        url: The server, started with `--prompts FOLDER`.
        told: Bodies as `_llama_cpp_request.conversation()` makes them.
        folder: Where the server keeps what it read.
    """
    async with httpx.AsyncClient(base_url=url, timeout=_READ_SECS, trust_env=False) as client:
        for number, body in enumerate(told):
            try:
                if number:
                    # Loading overwrites the slot; another prompt moves it to the cache first.
                    await client.post("/completion", json={"prompt": "-", "n_predict": 0})
                await _read(client, body, folder)
            except httpx.HTTPError as error:
                logger.warning("reading a bot's opening ahead failed: {}", error)
    _prune(folder)


async def _read(client: httpx.AsyncClient, body: Mapping[str, Any], folder: Path) -> None:
    name = f"{_hash(body)}.bin"
    slot = {"filename": name}
    loaded = await client.post("/slots/0?action=restore", json=slot)
    # Compiles the grammar too, and reads what was not loaded.
    answer = await client.post(_CHAT, json={**body, "max_tokens": 1, "id_slot": 0})
    answer.raise_for_status()
    if loaded.is_success:
        (folder / name).touch()
    else:
        await client.post("/slots/0?action=save", json=slot)


def _hash(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()[:32]


def _prune(folder: Path) -> None:
    files = sorted(folder.glob("*.bin"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[_KEPT_FILES:]:
        path.unlink(missing_ok=True)
