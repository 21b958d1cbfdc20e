"""The real language model behind its real server, where its weights are on this machine."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from errors import MissingError
from hosts.sidecars import Sidecars
from hosts.site import LocalSite
from providers.llm.llama_cpp import LlamaCppLlm
from providers.models import ModelStore


def weights(llm: LlamaCppLlm) -> Path:
    """Folder of its weights; skips the test where they are absent."""
    try:
        return ModelStore(env=os.environ).weights(llm.model)
    except MissingError as error:
        pytest.skip(error.message)


@asynccontextmanager
async def running(llm: LlamaCppLlm) -> AsyncGenerator[LocalSite]:
    """A site on which the server of `llm` runs."""
    weights(llm)
    async with Sidecars() as sidecars:
        site = LocalSite(ModelStore(env=os.environ), sidecars)
        for sidecar in llm.sidecars(site):
            await sidecars.start(sidecar)
        yield site
