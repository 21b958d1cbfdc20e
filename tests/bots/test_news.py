"""What the page is told, in which order, and what comes last."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

import bots.news
from bots.news import News
from records.events import CallEnded, CallerJoined, CallEvent
from records.record import CallWriter

pytestmark = pytest.mark.unit

LAST = CallEnded(at_ms=9, reason="idle")


class _Record:
    def __init__(self) -> None:
        self.kept: list[CallEvent] = []

    def append(self, event: CallEvent) -> None:
        self.kept.append(event)


class _Page:
    def __init__(self, record: _Record) -> None:
        self.news = News(cast(CallWriter, record), None)
        self.shown: list[int] = []
        self.slow = asyncio.Event()
        self.slow.set()

    async def show(self, message: dict[str, Any]) -> None:
        await self.slow.wait()
        self.shown.append(message["event"]["at_ms"])


def _event(at_ms: int) -> CallEvent:
    return CallerJoined(at_ms=at_ms)


async def test_nothing_is_shown_after_the_end_and_all_before_it() -> None:
    record = _Record()
    page = _Page(record)
    pumping = asyncio.ensure_future(page.news.pump())
    page.news.tell(_event(1))
    page.news.open_page(page.show)
    page.slow.clear()
    page.news.tell(_event(2))
    closing = asyncio.ensure_future(page.news.close_page(LAST))
    await asyncio.sleep(0)
    page.news.tell(_event(3))
    page.slow.set()
    await closing
    page.news.tell(_event(10))
    await asyncio.sleep(0.01)
    pumping.cancel()
    assert page.shown == [1, 2, 3, 9]
    assert [event.at_ms for event in record.kept] == [1, 2, 3, 10]


async def test_a_page_that_takes_nothing_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bots.news, "_CATCH_UP_SECS", 0.01)
    page = _Page(_Record())
    pumping = asyncio.ensure_future(page.news.pump())
    page.news.open_page(page.show)
    page.slow.clear()
    page.news.tell(_event(1))
    closing = asyncio.ensure_future(page.news.close_page(LAST))
    await asyncio.wait({closing}, timeout=0.1)
    assert not closing.done()
    page.slow.set()
    await closing
    pumping.cancel()
    assert page.shown == [1, 9]


async def test_without_a_page_nothing_is_shown() -> None:
    page = _Page(_Record())
    page.news.tell(_event(1))
    pumping = asyncio.ensure_future(page.news.pump())
    await page.news.close_page(LAST)
    pumping.cancel()
    assert page.shown == []
