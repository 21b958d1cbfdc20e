"""Pipecat's Deepgram service as we make it, against the simulated vendor's socket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pipecat.frames.frames import InterimTranscriptionFrame, STTMetadataFrame, TranscriptionFrame
from pydantic import ValidationError

from evals.simulators.vendors import Vendors
from providers.stt.deepgram import DeepgramStt
from tests.support.ears import LINES, Listening, Nowhere, behaving, listening, quiet, said, sentence

pytestmark = [
    pytest.mark.integration,
    # Deepgram's SDK connects by what websockets is about to drop.
    pytest.mark.filterwarnings(r"ignore:websockets\..* is deprecated:DeprecationWarning"),
]

KEY = "dg-planted-key-0123456789"
FAULTS = {
    "status-401": ({"kind": "status", "status": 401}, r"refused \(HTTP 401\)"),
    "status-402": ({"kind": "status", "status": 402}, r"refused \(HTTP 402\)"),
    "status-429": ({"kind": "status", "status": 429}, r"refused \(HTTP 429\)"),
    "status-503": ({"kind": "status", "status": 503}, r"refused \(HTTP 503\)"),
    "refuse": ({"kind": "refuse"}, "connection error"),
    "hang": ({"kind": "hang"}, "no connection within 4 s"),
    "stall": ({"kind": "stall", "after": 2}, "nothing heard for 4 s of audio"),
    "close": ({"kind": "close", "after": 2}, "line broken"),
    "malformed": ({"kind": "malformed", "after": 2}, "no JSON"),
}


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    monkeypatch.delenv("OFFHOOK_VENDORS", raising=False)
    monkeypatch.setenv("DEEPGRAM_API_KEY", KEY)
    async with Vendors(behaving()) as running:
        yield running


def reaching(vendors: Vendors, **settings: object) -> DeepgramStt:
    """The provider with a real key, sent to the simulated vendor by its address alone."""
    url = f"{vendors.url.replace('http', 'ws', 1)}/deepgram"
    return DeepgramStt.model_validate({"base_url": url, "dead_line_ms": 4000} | settings)


async def test_words_come_as_they_are_spoken_and_a_vads_stop_makes_them_final(
    vendors: Vendors,
) -> None:
    async with listening(reaching(vendors).build(Nowhere())) as ears:
        for index, line in enumerate(LINES, 1):
            await ears.say(sentence(index)[0])
            await ears.tap.wait(TranscriptionFrame, index)
            await ears.hear(quiet(800))
            assert ears.tap.of(TranscriptionFrame)[-1].text == line
    finals = ears.tap.of(TranscriptionFrame)
    assert said([*finals]) == list(LINES)
    assert all(final.finalized for final in finals), "Deepgram said that no more words come"
    interims = said([*ears.tap.of(InterimTranscriptionFrame)])
    assert "when are you" in interims
    assert all(any(line.startswith(text) for line in LINES) for text in interims)
    assert ears.errors == []


async def test_a_pause_inside_a_turn_gives_several_finals(vendors: Vendors) -> None:
    """The VAD stops at each pause; Deepgram gives what there is and goes on."""
    speech = sentence(0)[0]
    vendors.desk.behave(behaving(words_per_sec=2))
    async with listening(reaching(vendors, endpointing_ms=5000).build(Nowhere())) as ears:
        await ears.say(speech[:48_000])
        (first,) = await ears.tap.wait(TranscriptionFrame)
        await ears.say(speech[48_000:])
        both = await ears.tap.wait(TranscriptionFrame, 2)
    assert first.text != LINES[0]
    assert " ".join(said([*both])) == LINES[0]


async def test_what_is_asked_for_is_what_the_settings_say(vendors: Vendors) -> None:
    stt = reaching(
        vendors,
        language="en-GB",
        keyterms=["Offhook", "Dr Patel"],
        endpointing_ms=None,
        numerals=True,
        smart_format=True,
        profanity_filter=True,
        redact=["pci"],
        mip_opt_out=True,
        final_p99_ms=420,
    )
    async with listening(stt.build(Nowhere())) as ears:
        (metadata,) = await ears.tap.wait(STTMetadataFrame)
    (seen,) = vendors.desk.seen
    assert metadata.ttfs_p99_latency == 0.42
    assert seen.headers["authorization"] == f"Token {KEY}"
    asked = {name: value for name, value in seen.query.items() if name in ASKED}
    assert asked == ASKED
    assert not {"vad_events", "keywords", "replace"} & set(seen.query)


ASKED = {
    "model": "nova-3",
    "language": "en-GB",
    "encoding": "linear16",
    "sample_rate": "16000",
    "channels": "1",
    "interim_results": "true",
    "endpointing": "false",
    "keyterm": "Offhook",
    "punctuate": "true",
    "smart_format": "true",
    "numerals": "true",
    "profanity_filter": "true",
    "redact": "pci",
    "mip_opt_out": "true",
}


@pytest.mark.parametrize("model", ["nova-2", "nova-2-phonecall", "nova", "base", "whisper-large"])
def test_an_older_model_takes_no_keyterms(model: str) -> None:
    with pytest.raises(ValidationError, match=f"keyterms\n  {model} takes no keyterms"):
        DeepgramStt(model=model, keyterms=("Offhook",))
    assert DeepgramStt(model=model).keyterms == ()


@pytest.mark.parametrize("model", ["nova-3", "nova-3-medical", "11d5-of-our-own"])
def test_a_newer_model_takes_keyterms(model: str) -> None:
    assert DeepgramStt(model=model, keyterms=("Offhook",)).keyterms == ("Offhook",)


@pytest.mark.parametrize(("fault", "says"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_is_said_and_the_call_can_end(
    vendors: Vendors, fault: dict[str, Any], says: str
) -> None:
    vendors.desk.behave(behaving("deepgram-listen", **fault))
    async with listening(reaching(vendors).build(Nowhere())) as ears:
        talk = asyncio.ensure_future(_talk(ears))
        told = await ears.error()
        talk.cancel()
    assert re.search(says, told), told
    assert told.startswith("Deepgram: ")
    assert KEY not in "".join(error.error for error in ears.errors)


async def _talk(ears: Listening) -> None:
    for index in range(3):
        await ears.say(sentence(index)[0])


async def test_a_vendor_that_hears_nothing_says_nothing(vendors: Vendors) -> None:
    vendors.desk.behave(behaving("deepgram-listen", kind="silent"))
    async with listening(reaching(vendors).build(Nowhere())) as ears:
        await ears.say(sentence(0)[0])
        await ears.hear(quiet(1000))
    assert ears.tap.of(TranscriptionFrame) == ears.tap.of(InterimTranscriptionFrame) == []
    assert ears.errors == []


async def test_a_line_that_broke_is_drawn_anew(vendors: Vendors) -> None:
    vendors.desk.behave(behaving("deepgram-listen", kind="close", after=1, times=1))
    async with listening(reaching(vendors).build(Nowhere())) as ears:
        await ears.say(sentence(0)[0])
        await ears.error()
        while vendors.desk.count("deepgram-listen") < 2:
            await ears.hear(quiet(200))
        await ears.hear(quiet(200))
        await ears.say(sentence(1)[0])
        await ears.tap.wait(TranscriptionFrame)
    assert said([*ears.tap.of(TranscriptionFrame)])[-1] == LINES[0]
