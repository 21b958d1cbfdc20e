"""What the page may reach: this server, and only those that carry calls for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.page import mount, policy

pytestmark = pytest.mark.unit


def directives(text: str) -> dict[str, list[str]]:
    parts = [directive.split() for directive in text.split("; ")]
    return {name: sources for name, *sources in parts}


def test_the_page_keeps_to_its_server() -> None:
    sources = directives(policy())
    assert sources["script-src"] == ["'self'"]
    assert sources["connect-src"] == ["'self'"]
    assert sources["frame-ancestors"] == ["'none'"]


def test_daily_may_be_reached_only_where_it_is_offered() -> None:
    sources = directives(policy(daily=True))
    assert "https://*.daily.co" in sources["script-src"]
    assert {"https://*.daily.co", "wss://*.daily.co"} <= set(sources["connect-src"])
    assert "'unsafe-eval'" not in sources["script-src"]
    assert "daily" not in policy(livekit_url="wss://media.example")


@pytest.mark.parametrize(
    ("url", "reached"),
    [
        pytest.param("wss://media.example", {"wss://media.example", "https://media.example"}),
        pytest.param("ws://10.0.0.7:7880", {"ws://10.0.0.7:7880", "http://10.0.0.7:7880"}),
        pytest.param("https://a.example/path", {"wss://a.example", "https://a.example"}),
        pytest.param("wss://x.livekit.cloud", {"wss://*.livekit.cloud", "https://*.livekit.cloud"}),
        pytest.param("wss://me:secret@a.example", {"wss://a.example", "https://a.example"}),
        pytest.param("wss://a.example; script-src *", set[str]()),
        pytest.param("nonsense", set[str]()),
        pytest.param("", set[str]()),
    ],
)
def test_a_livekit_server_is_reached_at_its_own_origin(url: str, reached: set[str]) -> None:
    sources = directives(policy(livekit_url=url))
    assert set(sources["connect-src"]) == {"'self'"} | reached
    assert sources["script-src"] == ["'self'"]


def test_every_answer_carries_the_policy(tmp_path: Path) -> None:
    app = FastAPI()
    mount(app, tmp_path, daily=True)
    answer = TestClient(app).get("/")
    assert answer.headers["content-security-policy"] == policy(daily=True)
    assert "make client" in answer.text
