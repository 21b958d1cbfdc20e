"""One port for all vendors: faults at the door, and behaviour that changes while they run."""

from __future__ import annotations

import asyncio

import aiohttp
import httpx
import pytest
from aiohttp import web

from errors import ConfigError
from evals.simulators.behaviour import Behaviour, Fault
from evals.simulators.vendors import Desk, Vendors
from providers.base import endpoint, is_set, secret, simulated_vendors

pytestmark = pytest.mark.integration


async def _serve(desk: Desk) -> tuple[web.AppRunner, str]:
    """A service of five lines whose faults can be tried."""

    async def lines(request: web.Request) -> web.StreamResponse:
        course = await desk.open(request, "lines")
        response = web.StreamResponse()
        await response.prepare(request)
        for number in range(5):
            trouble = await course.next()
            await response.write(b"?" if trouble else str(number).encode())
        return response

    from evals.simulators.vendors import quiet_cuts

    app = web.Application(middlewares=[quiet_cuts])
    app.add_routes([web.get("/lines", lines)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/lines"


async def _get(fault: Fault | None) -> tuple[int, str, dict[str, str]]:
    faults = {"lines": (fault,)} if fault else {}
    runner, url = await _serve(Desk(Behaviour(faults=faults)))
    timeout = aiohttp.ClientTimeout(total=0.5)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
            return answer.status, await answer.text(), dict(answer.headers)
    finally:
        await runner.cleanup()


async def test_without_a_fault_all_is_well() -> None:
    status, text, _ = await _get(None)
    assert (status, text) == (200, "01234")


async def test_a_status_and_when_to_come_back() -> None:
    status, text, headers = await _get(Fault(kind="status", status=429, retry_after_secs=7))
    assert status == 429
    assert "simulated fault 429" in text
    assert headers["Retry-After"] == "7"


async def test_rubbish_in_the_middle() -> None:
    _, text, _ = await _get(Fault(kind="malformed", after=2))
    assert text == "01?34"


@pytest.mark.parametrize("kind", ["refuse", "close"])
async def test_a_cut_connection(kind: str) -> None:
    # For good: an HTTP client may try an idempotent request once more by itself.
    fault = Fault.model_validate({"kind": kind, "after": 2, "times": None})
    with pytest.raises(aiohttp.ClientError):
        await _get(fault)


@pytest.mark.parametrize("kind", ["hang", "stall"])
async def test_silence(kind: str) -> None:
    with pytest.raises(asyncio.TimeoutError):
        await _get(Fault.model_validate({"kind": kind, "after": 2}))


async def test_behaviour_is_read_and_set_while_they_run() -> None:
    async with Vendors() as vendors, httpx.AsyncClient(trust_env=False) as client:
        url = f"{vendors.url}/behaviour"
        told = (await client.get(url)).json()
        told["wits"]["tokens_per_sec"] = 50
        assert (await client.put(url, json=told)).status_code == 200
        assert vendors.desk.behaviour.wits.tokens_per_sec == 50
        assert (await client.put(url, json={"ears": {"volume": 1}})).status_code == 422


async def test_calls_go_where_the_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OFFHOOK_VENDORS", raising=False)
    monkeypatch.setenv("ACME_API_KEY", "real-key-of-acme")
    assert endpoint("acme", "wss://acme.example/v1") == "wss://acme.example/v1"
    assert secret("ACME_API_KEY") == "real-key-of-acme"
    assert not is_set("OTHER_API_KEY")
    monkeypatch.setenv("OFFHOOK_VENDORS", "http://127.0.0.1:7870/")
    assert simulated_vendors() == "http://127.0.0.1:7870"
    assert endpoint("acme", "wss://acme.example/v1") == "ws://127.0.0.1:7870/acme/v1"
    assert endpoint("acme", "https://acme.example") == "http://127.0.0.1:7870/acme"
    assert secret("ACME_API_KEY") == "simulated"
    assert is_set("OTHER_API_KEY")


def test_simulated_vendors_are_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFHOOK_VENDORS", "http://vendors.example:7870")
    with pytest.raises(ConfigError, match="must be http"):
        simulated_vendors()
