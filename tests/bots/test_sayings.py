"""A sentence that somebody else has the bot say gets in only while there is a conversation."""

from __future__ import annotations

import pytest

from bots.sayings import NotTalkingError, Sayings

pytestmark = pytest.mark.unit


async def refused(sayings: Sayings) -> str:
    with pytest.raises(NotTalkingError) as caught:
        await sayings.say("Hello.")
    assert caught.value.status == 409
    return caught.value.code


async def test_it_is_said_from_the_callers_coming_to_the_calls_end() -> None:
    said: list[str] = []

    async def say(text: str) -> None:
        said.append(text)

    sayings = Sayings()
    assert await refused(sayings) == "not_joined"
    sayings.open(say)
    await sayings.say("Hello.")
    sayings.close()
    assert await refused(sayings) == "ending"
    assert said == ["Hello."]


async def test_a_call_that_ended_before_anybody_came_stays_closed() -> None:
    async def say(_: str) -> None:
        raise AssertionError("nobody is there")

    sayings = Sayings()
    sayings.close()
    sayings.open(say)
    assert await refused(sayings) == "ending"
