"""What a server of the operator's own does before the first call: load the model, read ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from loguru import logger

from providers.kinds import Opening

_WARM_SECS = 60.0
"""How long the server's start may wait; a larger model goes on loading without it."""


async def load(root: str, *, model: str, keep_alive_secs: int) -> bool:
    """Have Ollama load `model` and keep it; whether it has.

    Its OpenAI-like side has no field for that, and leaves the time as it was set here.
    """
    body = {"model": model, "keep_alive": keep_alive_secs}
    return await _post(f"{root}/api/generate", body)


async def read_opening(base_url: str, key: str, *, model: str, openings: Sequence[Opening]) -> None:
    """Have the server read the first of `openings`, so that the first caller need not wait for it.

    No more than one: a server may have a cache for one prompt only.
    """
    for opening in openings[:1]:
        tools = {"tools": list(opening.tools)} if opening.tools else {}
        body = {"model": model, "messages": list(opening.messages), "max_tokens": 1, **tools}
        await _post(f"{base_url}/chat/completions", body, {"Authorization": f"Bearer {key}"})


async def _post(
    url: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> bool:
    """Whether the server took it; if not, the calls will be slow to begin and that is all."""
    from providers.llm._clients import trusts_proxies

    try:
        async with httpx.AsyncClient(timeout=_WARM_SECS, trust_env=trusts_proxies(url)) as client:
            (await client.post(url, json=body, headers=headers)).raise_for_status()
    except httpx.HTTPError as error:
        logger.warning("warming the model up at {} failed: {!r}", url, error)
        return False
    return True
