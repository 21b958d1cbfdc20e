"""Each cloud's model itself: an answer, and a tool. Runs where the vendor's key is set."""

from __future__ import annotations

import os

import pytest

from tests.support.llms import PROVIDERS, Provider, Site, caller, price, talking

pytestmark = pytest.mark.live

PROMPT = "You answer the phone of a dentist. Speak in one short sentence."
CLOUDS = [
    pytest.param(
        provider,
        id=name,
        marks=pytest.mark.skipif(
            not os.environ.get(provider.key_env), reason=f"{provider.key_env} is not set"
        ),
    )
    for name, provider in PROVIDERS.items()
    if provider.key_env
]


@pytest.fixture(autouse=True)
def the_vendors_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OFFHOOK_VENDORS", raising=False)


@pytest.mark.parametrize("provider", CLOUDS)
async def test_it_answers_word_by_word(provider: Provider) -> None:
    llm = provider.kind().build(Site())
    async with talking(llm, caller("Hello, who is this?"), prompt=PROMPT) as talk:
        await talk.ask()
    assert talk.errors == []
    assert len(talk.words) > 1
    assert talk.said.strip()


@pytest.mark.parametrize("provider", CLOUDS)
async def test_it_calls_a_tool_and_tells_the_result(provider: Provider) -> None:
    llm = provider.kind().build(Site())
    question = caller("What does a filling cost? Look it up.")
    async with talking(llm, question, prompt=PROMPT, tools=[price]) as talk:
        await talk.ask(answers=2)
    assert talk.errors == []
    assert [call.name for call in talk.called] == ["price"]
    assert "filling" in str(talk.called[0].arguments["treatment"]).lower()
    assert "120" in talk.said or "hundred" in talk.said.lower()
