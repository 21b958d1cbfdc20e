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


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    ears = Ears(lines=("when are you open on monday", "how much is a check-up"))
    async with Vendors(Behaviour(ears=ears)) as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        yield vendors


def swapped(stage: str, provider: str, url: str) -> str:
    """The `cloud` preset with one stage's provider replaced, as an editor would."""
    text = (PRESETS / "cloud.toml").read_text("utf-8")
    table = tomllib.loads(text)
    if table[stage]["provider"] == provider:
        return text
    head, _, rest = text.partition(f"[{stage}]\n")
    _, _, tail = rest.partition("\n[")
    settings = {"openai_compatible": f'base_url = "{url}/openai/v1"\n'}.get(provider, "")
    swapped_stage = f'[{stage}]\nprovider = "{provider}"\n{settings}'
    return head + swapped_stage + (f"\n[{tail}" if tail else "")


@pytest.mark.parametrize(("stage", "provider"), SWAPS)
async def test_a_swap_is_one_word(
    vendors: Vendors, tmp_path: Path, stage: str, provider: str
) -> None:
    preset = tmp_path / "mine.toml"
    preset.write_text(swapped(stage, provider, vendors.url))
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
