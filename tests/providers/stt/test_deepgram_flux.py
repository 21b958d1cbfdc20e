"""Pipecat's Flux service as we make it, against the simulated vendor's socket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    LLMContextFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMUserAggregator,
    LLMUserAggregatorParams,
)
from pydantic import ValidationError

from evals.simulators.vendors import Vendors
from pipelines.config import TurnConfig
from pipelines.turns import strategies
from processors.keen_vad import KeenVad
from processors.speculation import Speculations
from providers.stt.deepgram_flux import DeepgramFluxStt
from tests.support.ears import LINES, Listening, Nowhere, behaving, listening, quiet, said, sentence
from tests.support.pipes import Tap, flowing

pytestmark = pytest.mark.integration

KEY = "dg-planted-key-0123456789"
FAULTS = {
    "status-401": ({"kind": "status", "status": 401}, "HTTP 401"),
    "status-429": ({"kind": "status", "status": 429}, "HTTP 429"),
    "status-503": ({"kind": "status", "status": 503}, "HTTP 503"),
    "refuse": ({"kind": "refuse"}, "did not receive a valid HTTP response"),
    "hang": ({"kind": "hang"}, "timed out"),
    "never-confirmed": ({"kind": "stall", "after": 0}, "nothing heard for 2 s of audio"),
    "stall": ({"kind": "stall", "after": 3}, "nothing heard for 2 s of audio"),
    "close": ({"kind": "close", "after": 3}, "line broken"),
    "malformed": ({"kind": "malformed", "after": 3}, "no JSON"),
}


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    monkeypatch.delenv("OFFHOOK_VENDORS", raising=False)
    monkeypatch.setenv("DEEPGRAM_API_KEY", KEY)
    async with Vendors(behaving()) as running:
        yield running


def reaching(vendors: Vendors, **settings: object) -> DeepgramFluxStt:
    """The provider with a real key, sent to the simulated vendor by its address alone."""
    url = f"{vendors.url.replace('http', 'ws', 1)}/deepgram"
    return DeepgramFluxStt.model_validate({"base_url": url, "dead_line_ms": 2000} | settings)


async def hear(ears: Listening, index: int, *, quiet_ms: int = 1000) -> None:
    """A sentence and the quiet after it; no VAD has a say."""
    await ears.hear(sentence(index)[0] + quiet(quiet_ms))


async def test_a_turn_begins_is_guessed_over_and_is(vendors: Vendors) -> None:
    async with listening(reaching(vendors).build(Nowhere())) as ears:
        for index in range(2):
            await hear(ears, index)
        await ears.tap.wait(ProposedUserStoppedSpeakingFrame, 2)
    assert said([*ears.tap.of(TranscriptionFrame)]) == list(LINES)
    assert said([*ears.tap.of(EagerTranscriptionFrame)]) == list(LINES)
    assert all(frame.finalized for frame in ears.tap.of(TranscriptionFrame))
    assert "when are you" in said([*ears.tap.of(InterimTranscriptionFrame)])
    kinds = [
        ProposedUserStartedSpeakingFrame,
        InterimTranscriptionFrame,
        EagerTranscriptionFrame,
        TranscriptionFrame,
        ProposedUserStoppedSpeakingFrame,
    ]
    told = [type(frame) for _, frame in ears.tap.seen if type(frame) in kinds]
    assert list(dict.fromkeys(told)) == kinds
    assert ears.errors == []


async def test_going_on_takes_the_guess_back(vendors: Vendors) -> None:
    """A pause shorter than the vendor's patience is inside the turn."""
    speech = sentence(0)[0]
    vendors.desk.behave(behaving(final_ms=1000, words_per_sec=2))
    stt = reaching(vendors, eager_eot_threshold=0.3, eot_threshold=0.9)
    async with listening(stt.build(Nowhere())) as ears:
        await ears.hear(speech[:48_000] + quiet(600) + speech[48_000:] + quiet(1600))
        await ears.tap.wait(TranscriptionFrame)
    first, *_, last = said([*ears.tap.of(EagerTranscriptionFrame)])
    assert LINES[0].startswith(first)
    assert first != last == LINES[0]
    assert ears.tap.of(EagerEndOfTurnCancelFrame)
    assert said([*ears.tap.of(TranscriptionFrame)]) == [LINES[0]]


async def test_no_guess_is_made_unless_it_is_asked_for(vendors: Vendors) -> None:
    async with listening(reaching(vendors, eager_eot_threshold=None).build(Nowhere())) as ears:
        await hear(ears, 0)
        await ears.tap.wait(ProposedUserStoppedSpeakingFrame)
    assert ears.tap.of(EagerTranscriptionFrame) == []
    assert "eager_eot_threshold" not in vendors.desk.seen[0].query


@pytest.mark.parametrize("speculate", [True, False])
async def test_the_turn_is_the_providers_and_its_beginning_interrupts(
    vendors: Vendors, *, speculate: bool
) -> None:
    """As `turn.commit = "provider"` has it, with Pipecat's own aggregator."""
    turn = TurnConfig.model_validate({"commit": "provider", "speculate": speculate})
    context, tap = LLMContext(), Tap()
    params = LLMUserAggregatorParams(
        user_turn_strategies=strategies(turn, KeenVad(), Speculations())
    )
    user = LLMUserAggregator(context, params=params)
    async with flowing(reaching(vendors).build(Nowhere()), user, tap) as flow:
        await Listening(flow).hear(sentence(0)[0] + quiet(1000))
        await tap.wait(UserStoppedSpeakingFrame)
        await tap.wait(LLMContextFrame)
    kinds = (UserStartedSpeakingFrame, InterruptionFrame, LLMContextFrame, UserStoppedSpeakingFrame)
    told = [frame for _, frame in tap.seen if isinstance(frame, kinds)]
    order = [type(frame) for frame in told]
    assert set(order[:2]) == {UserStartedSpeakingFrame, InterruptionFrame}
    answered = order.index(LLMContextFrame) < order.index(UserStoppedSpeakingFrame)
    assert answered == speculate, "the answer is started before the turn is over"
    assert order.count(LLMContextFrame) == 1, "and is not started again"
    assert context.get_messages()[-1] == {"role": "user", "content": LINES[0]}


async def test_what_is_asked_for_is_what_the_settings_say(vendors: Vendors) -> None:
    stt = reaching(
        vendors,
        model="flux-general-multi",
        language_hints=["es"],
        keyterms=["Offhook"],
        eager_eot_threshold=0.4,
        eot_threshold=0.8,
        eot_timeout_ms=3000,
        numerals=True,
        profanity_filter=True,
        mip_opt_out=True,
    )
    async with listening(stt.build(Nowhere())):
        pass
    (seen,) = vendors.desk.seen
    assert seen.headers["authorization"] == f"Token {KEY}"
    assert seen.query == {
        "model": "flux-general-multi",
        "language_hint": "es",
        "sample_rate": "16000",
        "encoding": "linear16",
        "keyterm": "Offhook",
        "eager_eot_threshold": "0.4",
        "eot_threshold": "0.8",
        "eot_timeout_ms": "3000",
        "numerals": "true",
        "profanity_filter": "true",
        "mip_opt_out": "true",
    }


@pytest.mark.parametrize(
    "settings",
    [
        {"eot_threshold": 0.5, "eot_timeout_ms": 500},
        {"eot_threshold": 1.0, "eot_timeout_ms": 60_000},
    ],
)
async def test_deepgrams_limits_are_ours(vendors: Vendors, settings: dict[str, float]) -> None:
    async with listening(reaching(vendors, **settings).build(Nowhere())):
        pass
    (seen,) = vendors.desk.seen
    assert {name: float(seen.query[name]) for name in settings} == settings


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValidationError, match="above eot_threshold"):
        DeepgramFluxStt(eager_eot_threshold=0.9, eot_threshold=0.6)
    with pytest.raises(ValidationError, match="flux-general-multi"):
        DeepgramFluxStt(language_hints=("es",))


@pytest.mark.parametrize(("fault", "says"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_is_said_and_the_call_can_end(
    vendors: Vendors, fault: dict[str, Any], says: str
) -> None:
    vendors.desk.behave(behaving("deepgram-flux", **fault))
    async with listening(reaching(vendors).build(Nowhere())) as ears:
        talk = asyncio.ensure_future(hear(ears, 0))
        told = await ears.error()
        talk.cancel()
    assert re.search(says, told), told
    assert told.startswith("Deepgram Flux: ")
    assert KEY not in "".join(error.error for error in ears.errors)


async def test_a_vendor_that_hears_nothing_says_nothing(vendors: Vendors) -> None:
    vendors.desk.behave(behaving("deepgram-flux", kind="silent"))
    async with listening(reaching(vendors).build(Nowhere())) as ears:
        await hear(ears, 0)
    assert ears.tap.of(TranscriptionFrame) == ears.tap.of(InterimTranscriptionFrame) == []
    assert ears.errors == []


async def test_a_turn_that_the_line_cut_short_ends_and_the_next_is_heard(vendors: Vendors) -> None:
    vendors.desk.behave(behaving("deepgram-flux", kind="close", after=10, times=1))
    async with listening(reaching(vendors).build(Nowhere())) as ears:
        await hear(ears, 0)
        assert "line broken" in await ears.error()
        while vendors.desk.count("deepgram-flux") < 2:
            await ears.hear(quiet(200))
        await ears.hear(quiet(200))
        await hear(ears, 1)
        await ears.tap.wait(TranscriptionFrame)
        heard = said([*ears.tap.of(TranscriptionFrame)])
    assert heard[-1] in LINES
    stops = ears.tap.of(ProposedUserStoppedSpeakingFrame)
    assert len(ears.tap.of(ProposedUserStartedSpeakingFrame)) == len(stops)
