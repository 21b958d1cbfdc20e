"""Tokens say who may do what, where and for how long; a server that is down ends the call."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from bots.call import Surroundings, run
from bots.plan import plan_call
from errors import ConfigError
from hosts.legs import leg
from hosts.livekit import LiveKitLine, LiveKitSettings
from hosts.sidecars import Sidecars
from hosts.site import LocalSite
from providers.models import ModelStore
from records.events import CallEvent, Failed
from records.record import FolderStore
from tests.support.serving import free_port

pytestmark = pytest.mark.integration

SECRET = "a secret that is long enough for HS256"
SETTINGS = LiveKitSettings("wss://livekit.example", "key", SECRET)


def read(token: str) -> dict[str, Any]:
    return jwt.decode(token, SECRET, algorithms=["HS256"])


def test_a_token_opens_one_room_for_a_while() -> None:
    token = SETTINGS.mint("caller", room="offhook-1", name="Caller", life=timedelta(minutes=5))
    claims = read(token)
    assert (claims["iss"], claims["sub"], claims["name"]) == ("key", "caller", "Caller")
    assert claims["exp"] - claims["nbf"] == 300
    grants = claims["video"]
    assert grants["roomJoin"]
    assert grants["room"] == "offhook-1"
    assert grants["canPublish"]
    assert grants["canSubscribe"]
    assert not {"roomAdmin", "roomCreate", "roomList", "roomRecord"} & set(grants)


async def test_the_person_gets_a_token_and_the_agent_another() -> None:
    line = LiveKitLine(SETTINGS, call_id="abc", bot_name="Robin", life_secs=60)
    invitation = await line.open()
    assert invitation["url"] == "wss://livekit.example"
    caller = read(str(invitation["token"]))
    assert (caller["sub"], caller["video"]["room"]) == ("caller", "offhook-abc")
    ticket = line.ticket()
    assert (ticket["kind"], ticket["url"]) == ("livekit", "wss://livekit.example")
    assert ticket["room"] == "offhook-abc"
    claims = read(str(ticket["token"]))
    assert (claims["sub"], claims["name"]) == ("agent", "Robin")
    assert claims["video"]["room"] == "offhook-abc"


def test_a_token_is_signed_with_the_secret() -> None:
    token = SETTINGS.mint("caller", room="r", name="n", life=timedelta(minutes=5))
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, "another secret that is long enough", algorithms=["HS256"])


def test_each_variable_that_is_not_set_is_named() -> None:
    lacking = " ".join(LiveKitSettings().lacks())
    assert "LIVEKIT_URL" in lacking
    assert "LIVEKIT_API_KEY" in lacking
    assert "LIVEKIT_API_SECRET" in lacking
    assert SETTINGS.lacks() == []


@pytest.mark.parametrize("url", ["https://livekit.example", "livekit.example", "ws://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        LiveKitSettings(url).check()


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(SETTINGS)


async def test_a_server_that_is_down_ends_the_call_with_a_reason(tmp_path: Path) -> None:
    settings = LiveKitSettings(f"ws://127.0.0.1:{free_port()}", "key", SECRET)
    line = LiveKitLine(settings, call_id="abc", bot_name="Robin", life_secs=60)
    await line.open()
    told: list[CallEvent] = []
    around = Surroundings(
        site=LocalSite(ModelStore(offline=True, env={}), Sidecars()),
        records=FolderStore(tmp_path),
        state_dir=tmp_path,
        listener=told.append,
    )
    plan = plan_call(pipeline="simulated", transport="livekit")
    reason = await run(plan, leg(line.ticket()).transport(), around)
    await line.close()
    assert reason == "provider_failed"
    assert any(isinstance(event, Failed) for event in told)
