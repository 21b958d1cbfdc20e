"""What reaches Cartesia, and what comes of the times of its words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from pydantic import ValidationError

from errors import MissingError
from evals.simulators.behaviour import Behaviour, Fault, Voice
from evals.simulators.vendors import Vendors
from providers.kinds import Preconnects, TtsConfig
from providers.tts.cartesia import CartesiaTts
from tests.support.speaking import Here, messages, speaking

pytestmark = pytest.mark.integration


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    async with Vendors(Behaviour(voice=Voice(speed=20))) as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        yield vendors


async def test_a_reply_is_one_context_of_whole_clauses(vendors: Vendors) -> None:
    async with speaking(CartesiaTts()) as voice:
        await voice.reply("Yes, that is fine with us, and it costs $80 in all. Shall I book it?")
        await voice.ended()
    said = messages(vendors, "cartesia")
    assert [message["transcript"] for message in said] == [
        "Yes, that is fine with us ",
        "and it costs eighty dollars in all. ",
        "Shall I book it? ",
        "",
    ]
    assert len({message["context_id"] for message in said}) == 1
    assert [message["continue"] for message in said] == [True, True, True, False]
    assert {message["max_buffer_delay_ms"] for message in said} == {0}


async def test_its_options_reach_the_vendor(vendors: Vendors) -> None:
    config = CartesiaTts(
        model="sonic-4",
        voice="00000000-0000-0000-0000-000000000001",
        language="de",
        speed=1.2,
        volume=0.8,
        emotion="calm",
        pronunciation_dict_id="names",
        max_buffer_delay_ms=200,
        sample_rate_hz=16000,
    )
    async with speaking(config) as voice:
        await voice.reply("Guten Tag.")
        await voice.ended()
    message = messages(vendors, "cartesia")[0]
    assert message["model_id"] == "sonic-4"
    assert message["voice"] == {"mode": "id", "id": config.voice}
    assert message["language"] == "de"
    assert message["generation_config"] == {"speed": 1.2, "volume": 0.8, "emotion": "calm"}
    assert message["pronunciation_dict_id"] == "names"
    assert message["max_buffer_delay_ms"] == 200
    assert message["output_format"]["sample_rate"] == 16000


async def test_it_asks_for_nothing_that_is_not_set(vendors: Vendors) -> None:
    async with speaking(CartesiaTts()) as voice:
        await voice.reply("Good day.")
        await voice.ended()
    message = messages(vendors, "cartesia")[0]
    assert "generation_config" not in message
    assert message["output_format"]["sample_rate"] == 24_000


def test_without_a_key_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CARTESIA_API_KEY", raising=False)
    with pytest.raises(MissingError, match="CARTESIA_API_KEY"):
        CartesiaTts().build(Here())


@pytest.mark.parametrize(
    ("field", "value"),
    [("speed", 2.0), ("volume", 0.1), ("voice", "a&b=c"), ("base_url", "file:///etc")],
)
def test_what_it_cannot_be_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        CartesiaTts.model_validate({field: value})


class _Built:
    """A voice that was built before there is a call."""

    def __init__(self) -> None:
        self.voice: Any = CartesiaTts().build(Here())

    def build(self, _: object) -> Any:
        return self.voice


async def test_a_line_that_was_opened_ahead_is_the_calls(vendors: Vendors) -> None:
    built = _Built()
    assert isinstance(built.voice, Preconnects)
    await built.voice.preconnect()
    assert len(vendors.desk.came) == 1
    async with speaking(cast(TtsConfig, built)) as voice:
        await voice.reply("Yes.")
        await voice.ended()
    assert len(vendors.desk.came) == 1
    assert voice.secs > 0
    assert not voice.errors


async def test_a_line_that_idled_is_renewed_and_one_that_was_closed_opened_again(
    vendors: Vendors,
) -> None:
    built = _Built()
    await built.voice.preconnect()
    await built.voice.preconnect()
    assert len(vendors.desk.came) == 2
    vendors.drop()
    await asyncio.sleep(0.05)
    async with speaking(cast(TtsConfig, built)) as voice:
        await voice.reply("Yes.")
        await voice.ended()
    assert len(vendors.desk.came) == 3
    assert voice.secs > 0


async def test_what_could_not_be_opened_ahead_is_opened_by_the_call(vendors: Vendors) -> None:
    refused = Fault(kind="status", status=401, times=None)
    vendors.desk.behave(Behaviour(voice=Voice(speed=20), faults={"cartesia": (refused,)}))
    built = _Built()
    for _ in range(3):
        await built.voice.preconnect()
    vendors.desk.behave(Behaviour(voice=Voice(speed=20)))
    async with speaking(cast(TtsConfig, built)) as voice:
        await voice.reply("Yes.")
        await voice.ended()
    assert voice.secs > 0
    assert not voice.errors
