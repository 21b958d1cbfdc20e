"""What goes wrong at a vendor: the turn fails in time, in plain words, and without the key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest
from pipecat.frames.frames import ErrorFrame, LLMFullResponseEndFrame
from pipecat.utils.errors import ErrorCategory

from evals.simulators.behaviour import Fault
from evals.simulators.vendors import Vendors
from providers.llm._patience import LostError, Progress, SilenceError, UselessAnswerError, in_time
from tests.support.llms import EACH, PROVIDERS, Provider, Site, Talk, caller, saying, talking

pytestmark = pytest.mark.integration

SENTENCE = "We open at nine, and on Fridays we close at two."
HASTY = {"retry_timeout_ms": 300, "give_up_ms": 500, "retry_on_timeout": True}
RETRYING = HASTY | {"give_up_ms": 20_000}
KEY = "wrong-planted-key-0123456789"


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    async with Vendors() as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        yield vendors


async def answer(
    vendors: Vendors, provider: Provider, fault: Fault, settings: dict[str, int]
) -> Talk:
    """One turn with a vendor that has that fault, in any case over when this returns."""
    vendors.desk.behave(saying(SENTENCE, service=provider.service, faults=[fault]))
    llm = provider.config(vendors, **settings).build(Site())
    async with talking(llm, caller("When do you open?")) as talk:
        await talk.ask()
        assert talk.below.of(LLMFullResponseEndFrame)
    return talk


def the_error(talk: Talk) -> ErrorFrame:
    [error] = talk.errors
    return error


@pytest.mark.parametrize("provider", EACH)
async def test_a_vendor_that_never_answers(vendors: Vendors, provider: Provider) -> None:
    talk = await answer(vendors, provider, Fault(kind="hang", times=None), HASTY)
    error = the_error(talk)
    assert "timeout" in error.error or "sent nothing for" in error.error
    assert error.category is ErrorCategory.CONNECTIVITY
    assert vendors.desk.count(provider.service) == 2


@pytest.mark.parametrize("provider", EACH)
async def test_a_vendor_that_answers_when_asked_again(vendors: Vendors, provider: Provider) -> None:
    talk = await answer(vendors, provider, Fault(kind="hang"), RETRYING)
    assert (talk.said, talk.errors) == (SENTENCE, [])
    assert vendors.desk.count(provider.service) == 2


@pytest.mark.parametrize("provider", EACH)
async def test_a_vendor_that_stops_half_way(vendors: Vendors, provider: Provider) -> None:
    talk = await answer(vendors, provider, Fault(kind="stall", after=6, times=None), HASTY)
    error = the_error(talk)
    assert "timeout" in error.error or "sent nothing for 0.5 s" in error.error
    assert SENTENCE.startswith(talk.said)
    assert talk.said != ""


@pytest.mark.parametrize("provider", EACH)
async def test_a_connection_that_breaks_half_way(vendors: Vendors, provider: Provider) -> None:
    talk = await answer(vendors, provider, Fault(kind="close", after=6, times=None), RETRYING)
    error = the_error(talk)
    assert "broke off its answer" in error.error
    assert error.category is ErrorCategory.CONNECTIVITY
    assert vendors.desk.count(provider.service) == 1, "what was said is not said again"


@pytest.mark.parametrize("provider", EACH)
async def test_a_vendor_that_cannot_be_reached(vendors: Vendors, provider: Provider) -> None:
    talk = await answer(vendors, provider, Fault(kind="refuse", times=None), RETRYING)
    assert "cannot be reached" in the_error(talk).error


@pytest.mark.parametrize("provider", EACH)
@pytest.mark.parametrize("kind", ["refuse", "status"])
async def test_a_hiccup_is_not_noticed(vendors: Vendors, provider: Provider, kind: str) -> None:
    fault = Fault.model_validate({"kind": kind, "status": 503})
    talk = await answer(vendors, provider, fault, RETRYING)
    assert (talk.said, talk.errors) == (SENTENCE, [])


@pytest.mark.parametrize("provider", EACH)
@pytest.mark.parametrize(
    ("status", "category"),
    [
        (401, ErrorCategory.AUTHENTICATION),
        (402, ErrorCategory.QUOTA),
        (404, ErrorCategory.INVALID_REQUEST),
        (429, ErrorCategory.RATE_LIMIT),
        (500, ErrorCategory.SERVER),
    ],
)
async def test_what_a_status_means(
    vendors: Vendors, provider: Provider, status: int, category: ErrorCategory
) -> None:
    fault = Fault(kind="status", status=status, times=None)
    error = the_error(await answer(vendors, provider, fault, RETRYING))
    assert error.category is category
    assert f"simulated fault {status}" in error.error


@pytest.mark.parametrize("provider", EACH)
async def test_no_caller_waits_as_long_as_a_vendor_says(
    vendors: Vendors, provider: Provider
) -> None:
    """Asked to come back in 50 s: within the turn's patience it is an error, not a silence."""
    fault = Fault(kind="status", status=429, retry_after_secs=50, times=None)
    talk = await answer(vendors, provider, fault, RETRYING | {"give_up_ms": 30_000})
    assert "simulated fault 429" in the_error(talk).error


@pytest.mark.parametrize("provider", EACH)
async def test_what_is_not_of_the_protocol(vendors: Vendors, provider: Provider) -> None:
    talk = await answer(vendors, provider, Fault(kind="malformed", after=6), RETRYING)
    assert "sent what is not JSON" in the_error(talk).error


@pytest.mark.parametrize("provider", EACH)
async def test_an_answer_without_words(vendors: Vendors, provider: Provider) -> None:
    talk = await answer(vendors, provider, Fault(kind="silent"), RETRYING)
    assert "answered with nothing" in the_error(talk).error


@pytest.mark.parametrize("name", [name for name, each in PROVIDERS.items() if each.key_env])
async def test_a_wrong_key_is_told_and_not_shown(
    vendors: Vendors, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = PROVIDERS[name]
    assert provider.key_env
    monkeypatch.delenv("OFFHOOK_VENDORS")
    monkeypatch.setenv(provider.key_env, KEY)
    url = vendors.url + provider.path.removesuffix("/v1beta")
    llm = provider.kind(base_url=url).build(Site())
    async with talking(llm, caller("Hello?")) as talk:
        await talk.ask()
    error = the_error(talk)
    assert "key" in error.error.lower()
    assert KEY not in error.error
    assert KEY not in repr(error.exception)
    assert not llm.is_usable


async def items(*waits: float) -> AsyncIterator[int]:
    for number, secs in enumerate(waits):
        await asyncio.sleep(secs)
        yield number


async def test_items_that_come_in_time_pass() -> None:
    async with aclosing(in_time(items(0, 0, 0), secs=5, vendor="X")) as timed:
        assert [item async for item in timed] == [0, 1, 2]


async def test_an_item_that_is_late_is_an_error() -> None:
    heard: list[int] = []
    with pytest.raises(SilenceError, match=r"^X sent nothing for 0\.05 s"):
        async with aclosing(in_time(items(0, 60), secs=0.05, vendor="X")) as timed:
            async for item in timed:
                heard.append(item)
    assert heard == [0]


@pytest.mark.parametrize(
    ("progress", "error", "words"),
    [
        (Progress("X", spoke=True), LostError, "broke off"),
        (Progress("X", ended="stop"), UselessAnswerError, r"nothing \(stop\)"),
        (Progress("X", called=True, ended="max_tokens"), UselessAnswerError, "within a tool call"),
    ],
)
def test_answers_that_cannot_be_used(
    progress: Progress, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        progress.check()


@pytest.mark.parametrize(
    "progress",
    [
        Progress("X", spoke=True, ended="stop"),
        Progress("X", spoke=True, ended="length"),
        Progress("X", called=True, ended="tool_calls"),
    ],
)
def test_answers_that_can(progress: Progress) -> None:
    progress.check()
