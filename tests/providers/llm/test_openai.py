from __future__ import annotations

from typing import Any

import pytest

from evals.simulators.vendors import Vendors
from providers.llm.openai import OpenAiLlm
from tests.support.llms import asked, price

pytestmark = pytest.mark.integration


async def test_the_default_model_may_call_tools(vendors: Vendors) -> None:
    body = await asked(vendors, "openai", tools=[price])
    assert (body["model"], body["reasoning_effort"]) == ("gpt-6-luna", "none")
    assert body["parallel_tool_calls"] is False
    assert "max_tokens" not in body


async def test_settings_reach_the_wire(vendors: Vendors) -> None:
    settings: dict[str, Any] = {
        "temperature": 0.3,
        "top_p": 0.9,
        "seed": 7,
        "frequency_penalty": 0.5,
        "presence_penalty": -0.5,
        "service_tier": "priority",
        "verbosity": "low",
        "reasoning_effort": "none",
        "prompt_cache_key": "receptionist",
    }
    body = await asked(vendors, "openai", stop=("END",), max_tokens=200, **settings)
    assert {name: body[name] for name in settings} == settings
    assert (body["stop"], body["max_completion_tokens"]) == (["END"], 200)


async def test_what_is_not_set_is_not_sent(vendors: Vendors) -> None:
    body = await asked(vendors, "openai", model="gpt-4.1")
    assert set(body) == {
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_completion_tokens",
    }


@pytest.mark.parametrize(
    ("model", "effort"),
    [
        ("gpt-4.1-mini", None),
        ("ft:gpt-4.1:us", None),
        ("o4-mini", "low"),
        ("gpt-5-mini", "minimal"),
        ("gpt-5-2025-08-07", "minimal"),
        ("gpt-5.1", "none"),
        ("gpt-6-sol", "none"),
    ],
)
def test_the_least_effort_of_each_family(model: str, effort: str | None) -> None:
    assert OpenAiLlm(model=model).fields()["reasoning_effort"] == effort


def test_more_effort_can_be_asked_of_any() -> None:
    assert OpenAiLlm(reasoning_effort="high").fields()["reasoning_effort"] == "high"
