from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from evals.simulators.vendors import Vendors
from providers.llm.google import GoogleLlm
from tests.support.llms import Site, asked, bodies, caller, price, talking

pytestmark = pytest.mark.integration


async def test_by_default_it_thinks_as_little_as_it_can(vendors: Vendors) -> None:
    body = await asked(vendors, "google")
    [seen] = vendors.desk.seen
    assert seen.path == "/google/v1beta/models/gemini-3.6-flash:streamGenerateContent"
    assert seen.query == {"alt": "sse"}
    assert body["generationConfig"] == {
        "maxOutputTokens": 1024,
        "thinkingConfig": {"thinking_level": "MINIMAL"},
    }


async def test_settings_reach_the_wire(vendors: Vendors) -> None:
    body = await asked(
        vendors,
        "google",
        temperature=0.3,
        top_p=0.9,
        top_k=40,
        seed=7,
        max_tokens=200,
        stop=("END",),
        frequency_penalty=0.5,
        presence_penalty=-0.5,
        thinking_level="low",
    )
    assert body["generationConfig"] == {
        "temperature": 0.3,
        "topP": 0.9,
        "topK": 40,
        "seed": 7,
        "maxOutputTokens": 200,
        "stopSequences": ["END"],
        "frequencyPenalty": 0.5,
        "presencePenalty": -0.5,
        "thinkingConfig": {"thinking_level": "LOW"},
    }


async def test_a_budget_to_think_in(vendors: Vendors) -> None:
    body = await asked(vendors, "google", model="gemini-2.5-pro", thinking_budget_tokens=256)
    assert body["generationConfig"]["thinkingConfig"] == {"thinking_budget": 256}


def test_there_is_one_way_to_think() -> None:
    with pytest.raises(ValidationError, match="not both"):
        GoogleLlm(thinking_level="low", thinking_budget_tokens=0)


async def test_what_is_withheld(vendors: Vendors) -> None:
    body = await asked(vendors, "google", safety_threshold="BLOCK_ONLY_HIGH")
    assert len(body["safetySettings"]) == 4
    assert {said["threshold"] for said in body["safetySettings"]} == {"BLOCK_ONLY_HIGH"}


async def test_the_queue(vendors: Vendors) -> None:
    assert (await asked(vendors, "google", service_tier="priority"))["serviceTier"] == "priority"


async def test_tools_are_declared(vendors: Vendors) -> None:
    body = await asked(vendors, "google", tools=[price])
    [declared] = body["tools"][0]["functionDeclarations"]
    assert (declared["name"], declared["parameters"]["required"]) == ("price", ["treatment"])


async def test_the_caller_has_the_first_word(vendors: Vendors) -> None:
    greeting = {"role": "assistant", "content": "Good morning."}
    async with talking(GoogleLlm().build(Site()), greeting, caller("Hello?")) as talk:
        await talk.ask()
    roles = [content["role"] for content in bodies(vendors, "google")[0]["contents"]]
    assert roles == ["user", "model", "user"]


@pytest.mark.parametrize(
    "surroundings",
    [
        {"GOOGLE_GENAI_USE_VERTEXAI": "true"},
        {"GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:9"},
        {"GEMINI_API_KEY": "another"},
    ],
)
async def test_the_surroundings_change_nothing(
    vendors: Vendors, monkeypatch: pytest.MonkeyPatch, surroundings: dict[str, Any]
) -> None:
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    await asked(vendors, "google")
    assert vendors.desk.seen[0].headers["x-goog-api-key"] == "simulated"
