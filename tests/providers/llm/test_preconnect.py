"""The connection is there before the first answer is asked for, and no vendor is bothered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import providers.llm._preconnect as preconnect
from evals.simulators.vendors import Vendors
from providers.kinds import Preconnects
from providers.llm.openai_compatible import OpenAiCompatibleLlm
from tests.support.llms import EACH, Provider, Site, bodies, caller, talking

pytestmark = pytest.mark.integration


def has_preconnect(service: object) -> bool:
    return isinstance(service, Preconnects)


def ports(vendors: Vendors) -> list[int]:
    """The connection of each request, in turn."""
    return [port for _, port in vendors.desk.came]


@pytest.mark.parametrize("provider", EACH)
async def test_the_first_answer_comes_by_the_connection_that_was_there(
    vendors: Vendors, provider: Provider
) -> None:
    llm: Any = await asyncio.to_thread(provider.config(vendors).build, Site())
    assert has_preconnect(llm)
    await llm.preconnect()
    (ahead,) = ports(vendors)
    async with talking(llm, caller("Hello?")) as talk:
        # The caller's first words come later than what a call begins with.
        while not llm._opening:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        await asyncio.wait({llm._opening})
        await talk.ask()
    assert (talk.said, talk.errors) == ("Hello.", [])
    assert ports(vendors) == [ahead] * 3
    # Nothing that is billed was asked for ahead.
    assert len(bodies(vendors, provider.service)) == 1


@pytest.mark.parametrize("provider", EACH)
async def test_one_that_the_vendor_has_closed_is_opened_again(
    vendors: Vendors, provider: Provider
) -> None:
    llm: Any = provider.config(vendors).build(Site())
    await llm.preconnect()
    vendors.drop()
    await asyncio.sleep(0.05)
    await llm.preconnect()
    await llm.preconnect()
    first, second, third = ports(vendors)
    assert first != second == third
    await llm.cleanup()


async def test_a_vendor_that_is_not_there_is_nobodys_trouble() -> None:
    llm: Any = OpenAiCompatibleLlm(base_url="http://127.0.0.1:9/v1").build(Site())
    await llm.preconnect()
    await llm.cleanup()


async def test_one_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preconnect, "_KNOCK_SECS", 0.05)
    left = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        llm: Any = OpenAiCompatibleLlm(base_url=f"http://127.0.0.1:{port}/v1").build(Site())
        async with asyncio.timeout(10):
            await llm.preconnect()
            await llm.cleanup()
            await left.wait()
