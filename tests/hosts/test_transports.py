"""What is set up is read once and checked; what is missing is said by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from bots.plan import AnyTransport, CallPlan, TransportName, plan_call
from errors import ConfigError, NotFoundError
from evals.simulators.vendors import Vendors
from hosts.ice import credential
from hosts.livekit import LiveKitLine
from hosts.rooms import DailyLine
from hosts.transports import TITLES, Transports, TransportSettings
from hosts.twilio import TwilioLine
from hosts.webrtc import WebRtcLine
from hosts.websocket import SocketLine
from records.redact import redact

pytestmark = pytest.mark.unit

LIVEKIT = {
    "LIVEKIT_URL": "wss://livekit.example",
    "LIVEKIT_API_KEY": "key",
    "LIVEKIT_API_SECRET": "a secret of livekit's",
}
TWILIO = {
    "TWILIO_AUTH_TOKEN": "a secret of twilio's",
    "OFFHOOK_PUBLIC_URL": "https://phone.example/offhook/",
}
TURN = {
    "OFFHOOK_STUN_URLS": "stun:a.example, stun:b.example:3478,",
    "OFFHOOK_TURN_URLS": "turn:a.example",
    "OFFHOOK_TURN_SECRET": "a secret of coturn's",
}


def plan(transport: AnyTransport, **more: Any) -> CallPlan:
    return plan_call(bot="interviewer", pipeline="simulated", transport=transport, **more)


def test_every_transport_has_a_title_and_a_line() -> None:
    assert tuple(TITLES) == get_args(TransportName)
    lines = {name: type(Transports().line(plan(name))) for name in TITLES}
    assert lines == {
        "webrtc": WebRtcLine,
        "websocket": SocketLine,
        "daily": DailyLine,
        "livekit": LiveKitLine,
    }


def test_a_phone_call_has_a_line_and_is_not_asked_for() -> None:
    assert "twilio" not in TITLES
    assert isinstance(Transports().line(plan("twilio")), TwilioLine)
    assert Transports(TransportSettings.read(TWILIO)).lacks("twilio") == []
    for name, value in TWILIO.items():
        lacking = Transports(TransportSettings.read({name: value})).lacks("twilio")
        assert lacking == [
            f"The environment variable {other} is not set (twilio)."
            for other in TWILIO
            if other != name
        ]


def test_a_slash_at_the_end_of_the_public_address_is_not_missed() -> None:
    settings = TransportSettings.read(TWILIO)
    assert settings.twilio.public_url == "https://phone.example/offhook"


def test_lists_are_separated_by_commas() -> None:
    settings = TransportSettings.read(TURN)
    assert settings.ice.stun_urls == ("stun:a.example", "stun:b.example:3478")


def test_an_empty_environment_is_fine() -> None:
    assert TransportSettings.read({}) == TransportSettings()


@pytest.mark.parametrize(
    ("env", "field"),
    [
        ({"OFFHOOK_STUN_URLS": "a.example"}, "OFFHOOK_STUN_URLS"),
        ({"OFFHOOK_TURN_URLS": "turn:a.example"}, "OFFHOOK_TURN_SECRET"),
        ({"DAILY_API_URL": "http://api.daily.co/v1"}, "DAILY_API_URL"),
        ({"DAILY_API_URL": "http://localhost.example/v1"}, "DAILY_API_URL"),
        ({"DAILY_API_URL": "http://127.0.0.1@api.example"}, "DAILY_API_URL"),
        ({"OFFHOOK_DAILY_ROOMS": "standup, *"}, "OFFHOOK_DAILY_ROOMS"),
        ({"OFFHOOK_DAILY_ROOMS": "https://a.daily.co/r"}, "OFFHOOK_DAILY_ROOMS"),
        ({"DAILY_GEO": "Frankfurt"}, "DAILY_GEO"),
        ({"LIVEKIT_URL": "https://livekit.example"}, "LIVEKIT_URL"),
        ({"OFFHOOK_PUBLIC_URL": "http://phone.example"}, "OFFHOOK_PUBLIC_URL"),
    ],
)
def test_what_cannot_be_used_is_named(env: dict[str, str], field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TransportSettings.read(env)
    assert caught.value.field == field


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/daily/v1", "http://localhost/v1"])
def test_a_daily_on_this_machine_needs_no_https(url: str) -> None:
    assert TransportSettings.read({"DAILY_API_URL": url}).daily_url == url


def test_no_room_is_joined_that_the_operator_did_not_name() -> None:
    transports = Transports(TransportSettings.read({"OFFHOOK_DAILY_ROOMS": "standup, open-*"}))
    for name in ("standup", "open-1", "open-"):
        transports.check_room(name)
    for name in ("standup-2", "open", "Standup", "offhook-1", "*"):
        with pytest.raises(ConfigError):
            transports.check_room(name)
    with pytest.raises(ConfigError, match="OFFHOOK_DAILY_ROOMS") as caught:
        Transports().check_room("standup")
    assert (caught.value.field, caught.value.status) == ("dailyRoom", 422)


def test_secrets_are_hidden_once_they_are_read() -> None:
    settings = TransportSettings.read(TURN | LIVEKIT | TWILIO)
    for secret in (
        TURN["OFFHOOK_TURN_SECRET"],
        LIVEKIT["LIVEKIT_API_SECRET"],
        TWILIO["TWILIO_AUTH_TOKEN"],
    ):
        assert secret not in redact(f"it is {secret}")
        assert secret not in repr(settings)


def test_what_daily_and_livekit_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OFFHOOK_VENDORS", raising=False)
    monkeypatch.delenv("DAILY_API_KEY", raising=False)
    transports = Transports()
    assert transports.lacks("webrtc") == transports.lacks("websocket") == []
    assert "DAILY_API_KEY" in " ".join(transports.lacks("daily"))
    assert "LIVEKIT_URL" in " ".join(transports.lacks("livekit"))
    monkeypatch.setenv("DAILY_API_KEY", "key")
    assert transports.lacks("daily") == []
    assert Transports(TransportSettings.read(LIVEKIT)).lacks("livekit") == []


def test_a_package_that_is_not_installed_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_is(package: str) -> bool:
        return package == "another"

    monkeypatch.setattr("hosts.transports.is_installed", none_is)
    assert "'.[daily]'" in " ".join(Transports().lacks("daily"))
    assert "'.[livekit]'" in " ".join(Transports().lacks("livekit"))


async def test_the_browser_and_the_bot_have_credentials_of_their_own() -> None:
    transports = Transports(TransportSettings.read(TURN))
    call = plan("webrtc")
    line: Any = transports.line(call)
    config: Any = (await line.open())["iceConfig"]
    stun, turn = config["iceServers"]
    assert stun == {"urls": ["stun:a.example", "stun:b.example:3478"]}
    until, _, user = turn["username"].partition(":")
    assert user == call.id
    assert turn["credential"] == credential(TURN["OFFHOOK_TURN_SECRET"], turn["username"])
    assert line._ours[1].username == f"{until}:{call.id}-bot"


def test_a_room_is_dailys_alone() -> None:
    assert plan("daily", room="standup").room == "standup"
    with pytest.raises(ConfigError) as caught:
        plan("livekit", room="standup")
    assert caught.value.field == "dailyRoom"


async def test_the_line_of_an_earlier_server_can_be_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Vendors() as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        async with Transports() as transports:
            made: Any = transports.line(plan("daily"))
            await made.open()
            left = transports.reopen({**made.holder(), "key": "key-1"})
            assert left.holder() == made.holder() != {}
            for _ in range(2):
                await left.close()
            with pytest.raises(NotFoundError):
                await made._rest.find_room(made.holder()["daily_room"])
            without = transports.reopen({})
            await without.close()
            assert (await without.open(), without.ticket(), without.holder()) == ({}, {}, {})


async def test_rooms_that_a_killed_server_left_are_deleted_unless_their_call_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with Vendors() as vendors:
        monkeypatch.setenv("OFFHOOK_VENDORS", vendors.url)
        async with Transports(run=tmp_path) as killed:
            over, lives = [killed.line(plan("daily")) for _ in range(2)]
            for line in (over, lives):
                await line.open()
        async with Transports(run=tmp_path) as transports:
            going_on = transports.reopen(lives.holder())
            new: Any = transports.line(plan("daily"))
            await new.open()
            await transports.close_left()
            with pytest.raises(NotFoundError):
                await new._rest.find_room(str(over.holder()["daily_room"]))
            for line in (going_on, new):
                await new._rest.find_room(str(line.holder()["daily_room"]))
                await line.close()
    assert list((tmp_path / "rooms").iterdir()) == []
