from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from evals.simulators.vendors import Vendors
from providers.llm.anthropic import AnthropicLlm
from tests.support.llms import Body, Site, asked, bodies, caller, price, talking

pytestmark = pytest.mark.integration

OLDER = "claude-haiku-4-5"
"""A model that still takes sampling settings and a budget to think in."""


def marks(body: Body) -> list[Any]:
    """Where the prompt is cached up to."""
    said = [message["content"] for message in body["messages"] if message["role"] == "user"]
    blocks = [*body["system"], *(block for content in said for block in content)]
    return [block["cache_control"] for block in blocks if "cache_control" in block]


async def test_by_default_it_does_not_think_and_caches(vendors: Vendors) -> None:
    body = await asked(vendors, "anthropic")
    assert (body["model"], body["thinking"]) == ("claude-haiku-5-5", {"type": "disabled"})
    assert [mark["type"] for mark in marks(body)] == ["ephemeral", "ephemeral"]
    assert {"temperature", "top_p", "top_k", "tool_choice", "output_config"} & set(body) == set()


async def test_settings_reach_the_wire(vendors: Vendors) -> None:
    settings: dict[str, Any] = {"temperature": 0.3, "top_p": 0.9, "top_k": 40}
    body = await asked(
        vendors,
        "anthropic",
        model=OLDER,
        max_tokens=200,
        stop=("END",),
        service_tier="standard_only",
        **settings,
    )
    assert {name: body[name] for name in settings} == settings
    assert (body["max_tokens"], body["stop_sequences"]) == (200, ["END"])
    assert body["service_tier"] == "standard_only"


@pytest.mark.parametrize(
    ("settings", "thinking"),
    [
        ({"thinking": "adaptive"}, {"type": "adaptive"}),
        ({"model": "claude-sonnet-5-5"}, {"type": "between_tools"}),
        (
            {"model": OLDER, "thinking_budget_tokens": 1024, "max_tokens": 2048},
            {"type": "enabled", "budget_tokens": 1024},
        ),
    ],
)
async def test_how_it_thinks_is_chosen(
    vendors: Vendors, settings: dict[str, Any], thinking: dict[str, Any]
) -> None:
    assert (await asked(vendors, "anthropic", **settings))["thinking"] == thinking


@pytest.mark.parametrize("max_tokens", [1024, 1500])
def test_a_budget_leaves_room_for_words(max_tokens: int) -> None:
    budget = {"model": OLDER, "thinking_budget_tokens": max_tokens}
    limit = {} if max_tokens == 1024 else {"max_tokens": max_tokens}
    with pytest.raises(ValidationError, match="thinking_budget_tokens\n  it must be less than max"):
        AnthropicLlm.model_validate(budget | limit)


async def test_how_thorough_it_is(vendors: Vendors) -> None:
    assert (await asked(vendors, "anthropic", effort="low"))["output_config"] == {"effort": "low"}


async def test_an_hour_of_cache(vendors: Vendors) -> None:
    body = await asked(vendors, "anthropic", prompt_cache_life="1h")
    assert body["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


async def test_no_cache(vendors: Vendors) -> None:
    body = await asked(vendors, "anthropic", prompt_caching=False)
    assert "cache_control" not in str(body)


async def test_tools_are_called_one_at_a_time(vendors: Vendors) -> None:
    body = await asked(vendors, "anthropic", tools=[price])
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert body["tools"][0]["input_schema"]["required"] == ["treatment"]


async def test_the_caller_has_the_first_word(vendors: Vendors) -> None:
    llm = AnthropicLlm().build(Site())
    greeting = {"role": "assistant", "content": "Good morning."}
    async with talking(llm, greeting, caller("Hello?")) as talk:
        await talk.ask()
    roles = [message["role"] for message in bodies(vendors, "anthropic")[0]["messages"]]
    assert roles == ["user", "assistant", "user"]


async def test_key_and_version_go_into_headers(vendors: Vendors) -> None:
    await asked(vendors, "anthropic")
    headers = vendors.desk.seen[0].headers
    assert (headers["x-api-key"], headers["anthropic-version"]) == ("simulated", "2023-06-01")
