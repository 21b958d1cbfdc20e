"""Credentials are coturn's own convention, and end; addresses are checked before anybody calls."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from errors import ConfigError
from hosts.ice import IceServer, IceSettings, credential

pytestmark = pytest.mark.unit

SETTINGS = IceSettings(
    stun_urls=("stun:stun.example:3478",),
    turn_urls=("turn:turn.example", "turns:turn.example:443?transport=tcp"),
    turn_secret="north",
)


def test_a_credential_is_what_coturn_makes_of_the_name() -> None:
    """`use-auth-secret`: the name's HMAC-SHA1; tests/browser/test_turn.py asks coturn itself."""
    digest = hmac.digest(b"north", b"1700000000:alice", hashlib.sha1)
    assert credential("north", "1700000000:alice") == base64.b64encode(digest).decode()
    assert len(base64.b64decode(credential("north", "x"))) == 20


def test_each_side_has_its_own_name_and_time() -> None:
    stun, turn = SETTINGS.servers("bot", until=1_700_000_000)
    assert stun == IceServer(("stun:stun.example:3478",))
    assert turn.username == "1700000000:bot"
    assert turn.credential == credential("north", "1700000000:bot")
    assert SETTINGS.servers("me", until=1_700_000_000)[1].credential != turn.credential


def test_an_entry_is_a_browsers() -> None:
    assert IceServer(("stun:a",)).as_dict() == {"urls": ["stun:a"]}
    entry = SETTINGS.servers("me", until=7)[1].as_dict()
    assert entry["username"] == "7:me"
    assert set(entry) == {"urls", "username", "credential"}


def test_without_servers_there_is_nothing() -> None:
    IceSettings().check()
    assert IceSettings().servers("me", until=7) == ()


def test_what_is_right_passes() -> None:
    SETTINGS.check()
    IceSettings(stun_urls=("stun:[::1]:3478", "stun:1.2.3.4:65535")).check()
    IceSettings(turn_urls=("turn:a?transport=udp", "turns:[::1]:5349"), turn_secret="s").check()


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (IceSettings(stun_urls=("stun.example:3478",)), "OFFHOOK_STUN_URLS"),
        (IceSettings(stun_urls=("turn:stun.example",)), "OFFHOOK_STUN_URLS"),
        (IceSettings(turn_urls=("https://turn.example",), turn_secret="s"), "OFFHOOK_TURN_URLS"),
        (IceSettings(turn_urls=("turn:a?transport=sctp",), turn_secret="s"), "OFFHOOK_TURN_URLS"),
        (IceSettings(turn_urls=("turns:a?transport=udp",), turn_secret="s"), "OFFHOOK_TURN_URLS"),
        (IceSettings(turn_urls=("turn:a:99999",), turn_secret="s"), "OFFHOOK_TURN_URLS"),
        (IceSettings(turn_urls=("turns:[::1]:65536",), turn_secret="s"), "OFFHOOK_TURN_URLS"),
        (IceSettings(stun_urls=("stun:a:0",)), "OFFHOOK_STUN_URLS"),
        (IceSettings(turn_urls=("turn:turn.example",)), "OFFHOOK_TURN_SECRET"),
    ],
)
def test_what_is_wrong_is_named(settings: IceSettings, field: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings.check()
    assert caught.value.field == field


def test_the_secret_is_not_shown() -> None:
    assert "north" not in repr(SETTINGS)
    assert "word" not in repr(IceServer(("turn:a",), "me", "word"))
