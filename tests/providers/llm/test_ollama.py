from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from pydantic import ValidationError

from bots.bot import load_bot
from errors import ConfigError
from evals.simulators.vendors import Vendors
from providers.llm.ollama import OllamaLlm
from tests.support.llms import Site, asked, bodies, saying

pytestmark = pytest.mark.integration


@pytest.fixture
async def vendors() -> AsyncGenerator[Vendors]:
    async with Vendors(saying("Hello.")) as vendors:
        yield vendors


async def test_it_does_not_think_unless_told(vendors: Vendors) -> None:
    body = await asked(vendors, "ollama")
    assert (body["model"], body["reasoning_effort"]) == ("qwen3:4b-instruct", "none")
    assert body["max_tokens"] == 1024


async def test_the_model_is_loaded_and_has_read_the_opening(
    vendors: Vendors, tmp_path: Path
) -> None:
    llm = OllamaLlm(base_url=f"{vendors.url}/ollama/v1", keep_alive_secs=-1)
    await llm.warm(Site(), (load_bot("receptionist").opening(tmp_path),))
    assert bodies(vendors, "ollama-load") == [{"model": "qwen3:4b-instruct", "keep_alive": -1}]
    [read] = bodies(vendors, "ollama-chat")
    assert (read["max_tokens"], len(read["tools"])) == (1, 4)
    assert [seen.service for seen in vendors.desk.seen] == ["ollama-load", "ollama-chat"]


async def test_where_there_is_no_server_nothing_is_read(tmp_path: Path) -> None:
    llm = OllamaLlm(base_url="http://127.0.0.1:9/v1")
    await llm.warm(Site(), (load_bot("receptionist").opening(tmp_path),))


def test_its_server_can_be_looked_for() -> None:
    assert OllamaLlm().server() == "http://127.0.0.1:11434/v1"


def test_its_address_ends_in_v1() -> None:
    with pytest.raises(ValidationError, match="base_url"):
        OllamaLlm(base_url="http://127.0.0.1:11434")


def test_it_is_on_this_machine_where_vendors_are_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFHOOK_VENDORS", "http://127.0.0.1:7870")
    with pytest.raises(ConfigError, match="this machine"):
        OllamaLlm(base_url="http://192.168.0.2:11434/v1").build(Site())
