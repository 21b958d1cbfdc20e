from __future__ import annotations

import pytest

from evals.simulators.vendors import Vendors
from providers.kinds import Opening
from providers.llm._warm_up import load, read_opening
from tests.support.llms import bodies, saying

pytestmark = pytest.mark.integration


async def test_loading_says_whether_it_worked() -> None:
    async with Vendors(saying("Hello.")) as vendors:
        root = f"{vendors.url}/ollama"
        assert await load(root, model="m", keep_alive_secs=60)
        assert not await load(f"{root}/elsewhere", model="m", keep_alive_secs=60)
    assert not await load(root, model="m", keep_alive_secs=60)


async def test_the_first_opening_alone_is_read_with_the_key() -> None:
    openings = [Opening(({"role": "system", "content": text},)) for text in ("one", "two")]
    async with Vendors(saying("Hello.")) as vendors:
        await read_opening(f"{vendors.url}/openai/v1", "secret", model="m", openings=openings)
        [body] = bodies(vendors, "openai-chat")
    assert body["messages"] == [{"role": "system", "content": "one"}]
    assert "tools" not in body
    assert vendors.desk.seen[0].headers["authorization"] == "Bearer secret"


async def test_without_a_bot_nothing_is_read() -> None:
    async with Vendors(saying("Hello.")) as vendors:
        await read_opening(f"{vendors.url}/openai/v1", "secret", model="m", openings=())
    assert vendors.desk.seen == []
