"""The figures are open on loopback without keys, and to holders of a key elsewhere."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import api.errors
import api.metrics
from api.auth import Keys
from api.limits import SameOrigin
from records.metrics import CONTENT_TYPE, Metrics

pytestmark = pytest.mark.unit


def client(keys: str, *, loopback_only: bool = False) -> TestClient:
    app = FastAPI()
    api.errors.install(app)
    app.add_middleware(SameOrigin, loopback_only=loopback_only)
    metrics = Metrics()
    metrics.refused("full")
    app.include_router(api.metrics.router(metrics, Keys(keys)))
    return TestClient(app, base_url="http://127.0.0.1:7860")


def test_on_loopback_without_keys_anybody_may_scrape() -> None:
    answer = client(",", loopback_only=True).get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == CONTENT_TYPE
    assert 'offhook_refusals_total{why="full"} 1.0' in answer.text


def test_another_name_for_loopback_is_refused() -> None:
    """A rebound DNS name, or a proxy that passes the world's requests on."""
    scraper = client(",", loopback_only=True)
    assert scraper.get("/metrics", headers={"Host": "offhook.example"}).status_code == 403


@pytest.mark.parametrize("key", ["caller-key-1", "scraper-key"])
def test_where_there_are_keys_one_of_them_is_needed(key: str) -> None:
    scraper = client("caller-key-1,caller-key-2,scraper-key")
    assert scraper.get("/metrics").status_code == 401
    assert scraper.get("/metrics", headers={"Authorization": "Bearer no"}).status_code == 401
    answer = scraper.get("/metrics", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200


def test_a_refusal_tells_no_figure() -> None:
    assert "offhook_" not in client("scraper-key").get("/metrics").text
