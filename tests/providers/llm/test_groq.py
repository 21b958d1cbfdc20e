from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from errors import MissingError
from evals.simulators.vendors import Vendors
from providers.llm.groq import GroqLlm
from tests.support.llms import Site, asked, caller, price, talking

pytestmark = pytest.mark.integration


async def test_by_default_it_thinks_as_little_as_it_can(vendors: Vendors) -> None:
    body = await asked(vendors, "groq")
    assert body["model"] == "openai/gpt-oss-120b"
    assert (body["reasoning_effort"], body["include_reasoning"]) == ("low", False)
    assert body["max_completion_tokens"] == 1024
    assert {"temperature", "seed", "stop", "service_tier", "parallel_tool_calls"} & set(
        body
    ) == set()


async def test_settings_reach_the_wire(vendors: Vendors) -> None:
    settings: dict[str, Any] = {
        "temperature": 0.3,
        "top_p": 0.9,
        "seed": 7,
        "stop": ("END",),
        "max_tokens": 200,
        "service_tier": "performance",
        "reasoning_effort": "high",
        "parallel_tool_calls": True,
    }
    body = await asked(vendors, "groq", tools=[price], **settings)
    limit = settings.pop("max_tokens")
    assert {name: body[name] for name in settings} == settings | {"stop": ["END"]}
    assert body["max_completion_tokens"] == limit


async def test_one_tool_at_a_time_unless_set(vendors: Vendors) -> None:
    body = await asked(vendors, "groq", tools=[price])
    assert body["parallel_tool_calls"] is False
    assert [tool["function"]["name"] for tool in body["tools"]] == ["price"]


@pytest.mark.parametrize(
    ("model", "thinks"),
    [
        ("qwen/qwen3.8-27b", {"reasoning_effort": "none", "reasoning_format": "hidden"}),
        ("openai/gpt-oss-20b", {"reasoning_effort": "low", "include_reasoning": False}),
        ("meta-llama/llama-4-scout-17b-16e-instruct", {}),
    ],
)
def test_each_family_is_told_in_its_own_way(model: str, thinks: dict[str, Any]) -> None:
    fields = {
        name: value for name, value in GroqLlm(model=model).fields().items() if value is not None
    }
    assert fields == thinks


async def test_the_key_goes_into_the_header(vendors: Vendors) -> None:
    await asked(vendors, "groq")
    assert vendors.desk.seen[0].headers["authorization"] == "Bearer simulated"


async def test_a_model_that_is_gone_is_told(vendors: Vendors) -> None:
    async with talking(GroqLlm(model="no-such").build(Site()), caller("Hello?")) as talk:
        await talk.ask()
    [error] = talk.errors
    assert "`no-such` does not exist" in error.error


def test_without_a_key_it_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    with pytest.raises(MissingError, match="GROQ_API_KEY"):
        GroqLlm().build(Site())


@pytest.mark.parametrize("url", ["http://api.groq.com/openai/v1", "ftp://x", "api.groq.com"])
def test_a_key_is_not_sent_in_the_clear(url: str) -> None:
    with pytest.raises(ValidationError, match="base_url"):
        GroqLlm(base_url=url)
