from __future__ import annotations

import pytest

from evals.simulators.vendors import Vendors
from providers.llm._clients import trusts_proxies
from tests.support.llms import EACH, Provider, Site, caller, talking

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("provider", EACH)
async def test_no_proxy_stands_before_this_machine(
    vendors: Vendors, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with talking(provider.config(vendors).build(Site()), caller("Hello?")) as talk:
        await talk.ask()
    assert (talk.said, talk.errors) == ("Hello.", [])


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("http://127.0.0.1:8000/v1", False),
        ("http://localhost:8000/v1", False),
        ("http://[::1]:8000/v1", False),
        ("http://192.168.0.2:8000/v1", True),
        ("https://api.groq.com/openai/v1", True),
    ],
)
def test_where_a_proxy_may_stand(url: str, may: bool) -> None:
    assert trusts_proxies(url) is may
