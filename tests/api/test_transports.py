"""What can be chosen is listed; Daily and LiveKit as a client meets them, without their servers."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import pytest

from evals.simulators.behaviour import Behaviour, Fault
from evals.simulators.vendors import Vendors
from hosts.ice import credential
from tests.support.serving import Served, free_port, serving
from tests.support.vendors import vendors_beside

pytestmark = pytest.mark.integration

SECRET = "a secret that is long enough for HS256"
SETUP = {
    "OFFHOOK_VENDORS": "",
    "OFFHOOK_STUN_URLS": "stun:stun.example:3478",
    "OFFHOOK_TURN_URLS": "turn:turn.example:3478",
    "OFFHOOK_TURN_SECRET": SECRET,
    "OFFHOOK_DAILY_ROOMS": "standup",
    "LIVEKIT_URL": "",
    "LIVEKIT_API_KEY": "key",
    "LIVEKIT_API_SECRET": SECRET,
}
"""What is set up here; an empty value is known when the test runs."""
KEY = {"Authorization": "Bearer simulated"}


@dataclass(frozen=True)
class Furnished:
    """A server with everything set up, and the vendors that it asks."""

    served: Served
    vendors: Vendors

    def rooms(self) -> list[dict[str, Any]]:
        """What is left at Daily, asked past every fault."""
        self.vendors.desk.behave(Behaviour())
        answer = httpx.get(f"{self.vendors.url}/daily/v1/rooms", headers=KEY, trust_env=False)
        return answer.json()["data"]

    def await_no_rooms(self) -> None:
        for _ in range(400):
            if not self.rooms():
                return
            time.sleep(0.1)
        raise AssertionError(f"rooms are left: {self.rooms()}")

    def await_free(self, http: httpx.Client) -> None:
        for _ in range(400):
            if http.get("/healthz").json()["slots_taken"] == 0:
                return
            time.sleep(0.1)
        raise AssertionError("the slots are still taken")

    def break_with(self, **fault: Any) -> None:
        faults = (Fault.model_validate(fault),)
        self.vendors.desk.behave(Behaviour(faults={"daily": faults}))

    def reasons(self) -> dict[str, str | None]:
        """How each call ended, by the name of its Daily room."""
        folders = self.served.data_dir / "calls"
        records = [json.loads(path.read_text()) for path in folders.glob("*/record.json")]
        return {f"offhook-{record['id']}": record.get("reason") for record in records}


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furnished]:
    folder = tmp_path_factory.mktemp("serve")
    with pytest.MonkeyPatch.context() as patch, vendors_beside() as vendors:
        addresses = {
            "OFFHOOK_VENDORS": vendors.url,
            "LIVEKIT_URL": f"ws://127.0.0.1:{free_port()}",
        }
        for name, value in (SETUP | addresses).items():
            patch.setenv(name, value)
        with serving(folder, "--pipeline", "simulated", "--slots", "8") as served:
            yield Furnished(served, vendors)


@pytest.fixture
def http(furnished: Furnished) -> Generator[httpx.Client]:
    with furnished.served.client() as client:
        yield client
    assert SECRET not in (furnished.served.data_dir / "server.log").read_text()


def test_transports_are_listed_the_default_first(http: httpx.Client) -> None:
    listed = http.get("/transports").json()["transports"]
    assert [entry["name"] for entry in listed] == ["webrtc", "websocket", "daily", "livekit"]
    assert [entry["default"] for entry in listed] == [True, False, False, False]
    assert all(entry["ready"] and entry["title"] and not entry["missing"] for entry in listed)


def test_what_a_bare_server_lacks_is_listed(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SETUP:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path_factory.mktemp("bare")
    with serving(folder, "--pipeline", "simulated") as served, served.client() as http:
        listed = http.get("/transports").json()["transports"]
    lacking = {entry["name"]: " ".join(entry["missing"]) for entry in listed}
    assert lacking["webrtc"] == lacking["websocket"] == ""
    assert "DAILY_API_KEY" in lacking["daily"]
    assert "LIVEKIT_API_SECRET" in lacking["livekit"]


def test_the_browser_gets_stun_and_turn_for_a_while(http: httpx.Client) -> None:
    opened = http.post("/start", json={}).json()
    stun, turn = opened["iceConfig"]["iceServers"]
    assert stun == {"urls": ["stun:stun.example:3478"]}
    assert turn["urls"] == ["turn:turn.example:3478"]
    assert turn["credential"] == credential(SECRET, turn["username"])
    until, _, user = turn["username"].partition(":")
    assert 900 < int(until) - time.time() < 16_000
    assert user != opened["sessionId"]
    assert http.delete(f"/sessions/{opened['sessionId']}").status_code == 204


def test_livekit_gives_a_token_and_a_server_that_is_down_frees_the_line(
    furnished: Furnished, http: httpx.Client
) -> None:
    opened = http.post("/start", json={"transport": "livekit"}).json()
    claims = jwt.decode(opened["token"], SECRET, algorithms=["HS256"])
    assert claims["video"]["room"].startswith("offhook-")
    assert opened["url"].startswith("ws://127.0.0.1:")
    assert set(opened) == {"sessionId", "url", "token"}
    furnished.await_free(http)
    assert furnished.reasons()[claims["video"]["room"]] == "provider_failed"


@pytest.mark.parametrize("wish", [{"transport": "daily"}, {"createDailyRoom": True}])
def test_a_bot_that_cannot_join_ends_the_call_and_the_room(
    furnished: Furnished, http: httpx.Client, wish: dict[str, Any]
) -> None:
    opened = http.post("/start", json=wish).json()
    assert set(opened) == {"sessionId", "dailyRoom", "dailyToken"}
    [room] = furnished.rooms()
    assert room["url"] == opened["dailyRoom"]
    furnished.await_no_rooms()
    furnished.await_free(http)
    assert furnished.reasons()[room["name"]] == "provider_failed"


def test_hanging_up_deletes_the_room_while_the_bot_joins(
    furnished: Furnished, http: httpx.Client
) -> None:
    opened = http.post("/start", json={"transport": "daily"}).json()
    [room] = furnished.rooms()
    assert http.delete(f"/sessions/{opened['sessionId']}").status_code == 204
    furnished.await_no_rooms()
    furnished.await_free(http)
    assert furnished.reasons()[room["name"]] == "caller_hung_up"


def test_an_existing_room_is_joined_and_left_as_it_is(
    furnished: Furnished, http: httpx.Client
) -> None:
    url = f"{furnished.vendors.url}/daily/v1/rooms"
    httpx.post(url, headers=KEY, json={"name": "standup"}, trust_env=False)
    opened = http.post("/start", json={"transport": "daily", "dailyRoom": "standup"}).json()
    assert opened["dailyRoom"].endswith("/standup")
    http.delete(f"/sessions/{opened['sessionId']}")
    furnished.await_free(http)
    assert [room["name"] for room in furnished.rooms()] == ["standup"]
    httpx.delete(f"{url}/standup", headers=KEY, trust_env=False)
    gone = http.post("/start", json={"transport": "daily", "dailyRoom": "standup"})
    assert (gone.status_code, gone.json()["error"]["field"]) == (404, "dailyRoom")
    private = http.post("/start", json={"dailyRoom": "board"})
    assert (private.status_code, private.json()["error"]["field"]) == (422, "dailyRoom")


def test_wishes_for_a_room_are_passed_over(furnished: Furnished, http: httpx.Client) -> None:
    wish = {
        "createDailyRoom": True,
        "dailyRoomProperties": {"privacy": "public", "max_participants": 50},
        "dailyMeetingTokenProperties": {"is_owner": True},
    }
    opened = http.post("/start", json=wish).json()
    [room] = furnished.rooms()
    assert (room["privacy"], room["config"]["max_participants"]) == ("private", 2)
    assert http.delete(f"/sessions/{opened['sessionId']}").status_code == 204
    furnished.await_free(http)


@pytest.mark.parametrize(
    ("fault", "skip", "status", "code"),
    [
        ({"kind": "status", "status": 401}, 0, 502, "daily_key"),
        ({"kind": "status", "status": 429, "retry_after_secs": 60}, 0, 503, "daily_busy"),
        ({"kind": "status", "status": 401}, 1, 502, "daily_key"),
        ({"kind": "status", "status": 400}, 2, 502, "daily"),
    ],
)
def test_what_daily_does_not_do_is_told_and_leaves_nothing(
    furnished: Furnished,
    http: httpx.Client,
    fault: dict[str, Any],
    skip: int,
    status: int,
    code: str,
) -> None:
    furnished.break_with(**fault, skip=skip)
    answer = http.post("/start", json={"transport": "daily"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    furnished.await_no_rooms()
    furnished.await_free(http)


def test_a_client_that_goes_away_leaves_no_room(furnished: Furnished, http: httpx.Client) -> None:
    furnished.break_with(kind="hang", skip=1)
    parts = urlsplit(furnished.served.url)
    body = b'{"transport": "daily"}'
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as client:
        client.sendall(
            b"POST /start HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        while furnished.vendors.desk.count("daily") < 2:
            time.sleep(0.02)
    furnished.await_no_rooms()
    furnished.await_free(http)


@pytest.mark.parametrize("fault", [None, {"kind": "hang", "skip": 1, "times": None}])
def test_stopping_the_server_deletes_the_room(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, Any] | None,
) -> None:
    """While the bot joins, and while Daily is still asked."""
    with vendors_beside() as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        with serving(tmp_path_factory.mktemp("stop"), "--pipeline", "simulated") as served:
            furnished = Furnished(served, vendors)
            if fault:
                # The deletion is the request after next.
                furnished.break_with(**(fault | {"times": 2}))
            with served.client() as http:
                asking = _post(http, {"transport": "daily"}, wait=fault is None)
                while vendors.desk.count("daily") < 3:
                    time.sleep(0.02)
                served.process.terminate()
                served.process.wait(40)
                asking.close()
        assert furnished.rooms() == []


def _post(http: httpx.Client, body: dict[str, Any], *, wait: bool) -> socket.socket:
    """Ask for a call on a connection of its own; wait for the answer or not."""
    url = http.base_url
    client = socket.create_connection((url.host, url.port or 80))
    data = json.dumps(body).encode()
    client.sendall(
        b"POST /start HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(data), data)
    )
    if wait:
        client.recv(4096)
    return client
