"""The same call, with one provider after another: each swap is one word of the pipeline's TOML."""

from __future__ import annotations

import asyncio
import os
import tomllib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from evals.call import CallOptions, run_call
from evals.corpus import librivox
from evals.simulators.behaviour import Behaviour, Ears
from evals.simulators.vendors import Vendors
from pipelines.config import PRESETS, missing, parse
from providers.models import ModelStore
from providers.reach import answers

pytestmark = pytest.mark.integration

SWAPS = [
    ("llm", "groq"),
    ("llm", "openai_compatible"),
    ("llm", "llama_cpp"),
    ("stt", "deepgram"),
    ("stt", "moonshine"),
    ("tts", "cartesia"),
    ("tts", "piper"),
]


OWN_SERVER_PORT = 8000
"""Where `openai_compatible` expects a server, unless told otherwise."""


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch, provider: str) -> AsyncGenerator[Vendors]:
    port = OWN_SERVER_PORT if provider == "openai_compatible" else 0
    if port and answers(f"http://127.0.0.1:{port}"):
        pytest.skip(f"needs port {port}, and something listens there")
    ears = Ears(lines=("when are you open on monday", "how much is a check-up"))
    async with Vendors(Behaviour(ears=ears), port=port) as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        yield vendors


def swapped(stage: str, provider: str) -> str:
    """The `cloud` preset with one word replaced, as an editor would."""
    text = (PRESETS / "cloud.toml").read_text("utf-8")
    word = tomllib.loads(text)[stage]["provider"]
    return text.replace(f'provider = "{word}"', f'provider = "{provider}"')


@pytest.mark.usefixtures("vendors")
@pytest.mark.parametrize(("stage", "provider"), SWAPS)
async def test_a_swap_is_one_word(tmp_path: Path, stage: str, provider: str) -> None:
    preset = tmp_path / "mine.toml"
    preset.write_text(swapped(stage, provider))
    table: dict[str, Any] = tomllib.loads(preset.read_text())
    config = parse({"name": "mine"} | table)
    assert getattr(config, stage).provider == provider
    models = ModelStore(offline=True, env=os.environ)
    lacking = await asyncio.to_thread(missing, config, models.missing)
    if lacking:
        pytest.skip(f"needs the providers of this call: {' '.join(lacking)}")
    options = CallOptions(
        bot="receptionist",
        preset=preset,
        wavs=(librivox()[1].path,),
        out=None,
        data_dir=tmp_path,
        answer_secs=60.0,
    )
    [turn] = await run_call(options, models)
    assert turn.heard
    assert turn.answered
    assert turn.ear_ms is not None
