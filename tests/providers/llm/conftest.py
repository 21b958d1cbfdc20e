"""What the models' tests share."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from evals.simulators.vendors import Vendors
from tests.support.llms import saying


@pytest.fixture
async def vendors(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Vendors]:
    """Simulated vendors whose models say hello."""
    async with Vendors(saying("Hello.")) as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        yield vendors
