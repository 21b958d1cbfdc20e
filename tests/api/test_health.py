"""What an orchestrator asks: does the process answer, and does it take calls."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import api.health

pytestmark = pytest.mark.unit


@dataclass
class Slots:
    slots: int = 8
    taken: int = 3


@dataclass
class Host:
    live: int = 2
    admission: Slots = field(default_factory=Slots)


def client(reasons: list[str]) -> TestClient:
    app = FastAPI()
    app.include_router(api.health.router(Host(), lambda: reasons))
    return TestClient(app)


def test_a_process_that_answers_is_alive_whatever_it_refuses() -> None:
    answer = client(["draining"]).get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "calls": 2, "slots": 8, "slots_taken": 3}


def test_a_server_that_takes_calls_is_ready() -> None:
    answer = client([]).get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "reasons": []}
    assert answer.headers["cache-control"] == "no-store"


def test_one_that_does_not_says_why_and_is_asked_anew_each_time() -> None:
    reasons = ["full", "draining"]
    probe = client(reasons)
    answer = probe.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "not_ready", "reasons": ["full", "draining"]}
    reasons.clear()
    assert probe.get("/readyz").status_code == 200
