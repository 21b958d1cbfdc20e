"""Groq's Whisper, against the simulated vendor."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pipecat.frames.frames import STTMetadataFrame, TranscriptionFrame

from evals.simulators.vendors import Vendors
from providers.stt.groq_whisper import GroqWhisperStt
from tests.support.ears import LINES, Nowhere, behaving, listening, said, sentence

pytestmark = pytest.mark.integration

KEY = "gsk_planted_key_0123456789"
FAULTS = {
    "status-401": ({"kind": "status", "status": 401}, "it refuses the key (HTTP 401)"),
    "status-402": ({"kind": "status", "status": 402}, "it refused (HTTP 402): simulated fault"),
    "status-429": (
        {"kind": "status", "status": 429, "retry_after_secs": 60},
        "it refused (HTTP 429): simulated fault",
    ),
    "status-503": ({"kind": "status", "status": 503}, "it refused (HTTP 503): simulated fault"),
    "refuse": ({"kind": "refuse"}, "the connection failed"),
    "hang": ({"kind": "hang"}, "no answer within 0.5 s"),
    "stall": ({"kind": "stall", "after": 0}, "no answer within 0.5 s"),
    "close": ({"kind": "close", "after": 0}, "the connection failed"),
    "malformed": ({"kind": "malformed", "after": 0}, "the answer is no transcript"),
}


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    monkeypatch.delenv("OFFHOOK_VENDORS", raising=False)
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    async with Vendors(behaving()) as running:
        yield running


def reaching(vendors: Vendors, **settings: object) -> GroqWhisperStt:
    """The provider with a real key, sent to the simulated vendor by its address alone."""
    where: dict[str, object] = {"base_url": f"{vendors.url}/groq/openai/v1"}
    return GroqWhisperStt.model_validate(where | settings)


async def test_each_stretch_of_speech_is_a_line(vendors: Vendors) -> None:
    vendors.desk.behave(behaving(final_ms=10))
    async with listening(reaching(vendors, final_p99_ms=900).build(Nowhere())) as ears:
        for index in range(2):
            await ears.say(sentence(index)[0])
        finals = await ears.tap.wait(TranscriptionFrame, 2)
        (metadata,) = await ears.tap.wait(STTMetadataFrame)
    assert said([*finals]) == list(LINES)
    assert all(final.finalized for final in finals)
    assert metadata.ttfs_p99_latency == 0.9
    assert {seen.headers["authorization"] for seen in vendors.desk.seen} == {f"Bearer {KEY}"}
    assert ears.errors == []


async def test_without_a_key_of_its_own_it_goes_to_the_simulated_vendors(
    vendors: Vendors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
    async with listening(GroqWhisperStt().build(Nowhere())) as ears:
        await ears.say(sentence(0)[0])
        (final,) = await ears.tap.wait(TranscriptionFrame)
    assert final.text == LINES[0]
    assert vendors.desk.seen[0].headers["authorization"] == "Bearer simulated"


@pytest.mark.parametrize(("fault", "says"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_is_said_and_the_call_can_end(
    vendors: Vendors, fault: dict[str, Any], says: str
) -> None:
    vendors.desk.behave(behaving("groq-transcribe", final_ms=10, **fault))
    give_up_ms = 500 if "no answer" in says else 20_000
    async with listening(reaching(vendors, give_up_ms=give_up_ms).build(Nowhere())) as ears:
        await ears.say(sentence(1)[0])
        told = await ears.error()
    assert told.startswith(f"Groq: {says}")
    assert KEY not in told
    assert ears.tap.of(TranscriptionFrame) == []


async def test_one_hiccup_is_not_noticed(vendors: Vendors) -> None:
    vendors.desk.behave(
        behaving("groq-transcribe", final_ms=10, kind="status", status=503, times=1)
    )
    async with listening(reaching(vendors, give_up_ms=20_000).build(Nowhere())) as ears:
        await ears.say(sentence(1)[0])
        (final,) = await ears.tap.wait(TranscriptionFrame)
    assert final.text == LINES[0]
    assert ears.errors == []


async def test_a_vendor_that_hears_nothing_says_nothing(vendors: Vendors) -> None:
    vendors.desk.behave(behaving("groq-transcribe", final_ms=10, kind="silent"))
    async with listening(reaching(vendors).build(Nowhere())) as ears:
        await ears.say(sentence(1)[0])
    assert ears.tap.of(TranscriptionFrame) == []
    assert ears.errors == []
