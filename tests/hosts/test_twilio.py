"""Twilio's signature is Twilio's, and the call's process is told whose stream may come."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import BadRequestError, ConfigError
from hosts.legs import TwilioLeg, leg
from hosts.twilio import (
    SignatureError,
    TwilioLine,
    TwilioSettings,
    check_call_sid,
    signature,
    valid,
)

pytestmark = pytest.mark.unit

CALL = f"CA{'1' * 32}"

URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
PARAMS = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}
REPEATED = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234")]
"""Of Twilio's own tests of its Python library, like the rest."""


def test_twilios_published_signatures() -> None:
    assert signature(URL, PARAMS.items(), "12345") == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    for params in (REPEATED, REPEATED[::-1], [*REPEATED, ("Digits", "1234")]):
        assert signature(URL, params, "12345") == "IK+Dwps556ElfBT0I3Rgjkr1wJU="


texts = st.text(max_size=12)
names = st.text(string.ascii_letters, min_size=1, max_size=8)
forms = st.dictionaries(names, texts, max_size=6)


@given(form=forms, token=st.text(min_size=1, max_size=40), order=st.randoms())
def test_the_order_of_a_form_does_not_matter(form: dict[str, str], token: str, order: Any) -> None:
    shuffled = list(form.items())
    order.shuffle(shuffled)
    assert valid(signature(URL, form.items(), token), URL, params=shuffled, token=token)


@given(form=forms, name=names, value=texts, token=st.text(min_size=1, max_size=40))
def test_a_field_more_is_noticed(form: dict[str, str], name: str, value: str, token: str) -> None:
    given_signature = signature(URL, form.items(), token)
    changed = form | {name: value}
    told, known = ("".join(sum(sorted(f.items()), ())) for f in (changed, form))
    taken = valid(given_signature, URL, params=changed.items(), token=token)
    # Twilio writes names and values in one line, so that two forms may be told alike.
    assert taken == (told == known)


@given(garbage=texts, token=texts)
def test_what_is_no_signature_is_none(garbage: str, token: str) -> None:
    assert not valid(garbage, URL, params=PARAMS.items(), token=token)


def test_without_a_token_nothing_is_valid() -> None:
    assert not valid(signature(URL, (), ""), URL, params=(), token="")


@pytest.mark.parametrize(
    ("signed", "called"),
    [
        ("https://phone.example:443/v?bot=x", "https://phone.example/v?bot=x"),
        ("https://phone.example/v?bot=x", "https://phone.example:443/v?bot=x"),
        ("wss://phone.example:443/s", "wss://phone.example/s"),
        ("http://127.0.0.1:80/v", "http://127.0.0.1/v"),
    ],
)
def test_the_schemes_own_port_may_be_signed_or_not(signed: str, called: str) -> None:
    assert valid(signature(signed, (), "token"), called, params=(), token="token")


def test_another_port_is_another_address() -> None:
    for called in ("https://phone.example:8443/v", "https://phone.example/w"):
        sign = signature("https://phone.example/v", (), "token")
        assert not valid(sign, called, params=(), token="token")


BEHIND = TwilioSettings("token", "https://phone.example/offhook")


def test_what_a_proxy_takes_off_the_address_is_signed_too() -> None:
    sign = signature("https://phone.example/offhook/twilio/voice?bot=x", PARAMS.items(), "token")
    BEHIND.check_request(sign, "/twilio/voice?bot=x", PARAMS.items())
    for path, params in (("/twilio/voice", PARAMS), ("/twilio/voice?bot=x", {})):
        with pytest.raises(SignatureError):
            BEHIND.check_request(sign, path, params.items())


def test_a_stream_is_signed_by_its_wss_address() -> None:
    assert BEHIND.stream_url("/s") == "wss://phone.example/offhook/s"
    for url in ("wss://phone.example/offhook/s", "wss://phone.example/offhook/s/"):
        BEHIND.check_stream(signature(url, (), "token"), "/s")
    with pytest.raises(SignatureError):
        BEHIND.check_stream(signature("https://phone.example/offhook/s", (), "token"), "/s")


@pytest.mark.parametrize(
    "settings", [TwilioSettings(), TwilioSettings("token"), TwilioSettings("", "https://a.example")]
)
def test_what_is_not_set_up_takes_nothing(settings: TwilioSettings) -> None:
    assert settings.lacks()
    sign = signature(f"{settings.public_url}/s", (), settings.auth_token)
    with pytest.raises(SignatureError):
        settings.check_request(sign, "/s", ())
    with pytest.raises(SignatureError):
        settings.check_stream(signature("ws/s", (), settings.auth_token), "/s")


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://phone.example", True),
        ("https://phone.example:8443/offhook", True),
        ("https://[2001:db8::1]/a", True),
        ("http://127.0.0.1:7860", False),
        ("http://localhost", False),
        ("http://[::1]:7860", False),
        ("https://localhost", False),
        ("", False),
    ],
)
def test_addresses_that_can_be_used(url: str, public: bool) -> None:
    settings = TwilioSettings("token", url)
    settings.check()
    assert settings.is_public == public


@pytest.mark.parametrize(
    "url",
    [
        "phone.example",
        "http://phone.example",
        "http://127.0.0.1.example",
        "http://127.0.0.1@phone.example",
        "wss://phone.example",
        "https://phone.example/a?b=c",
        "https://phone.example/#a",
        "https://phone.example:99999",
        "https://user:word@phone.example",
        "https://",
        "https://phone.example/a b",
    ],
)
def test_addresses_that_cannot(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TwilioSettings("token", url).check()
    assert caught.value.field == "OFFHOOK_PUBLIC_URL"


def test_the_token_is_not_shown() -> None:
    assert "secret" not in repr(TwilioSettings("a secret"))


@pytest.mark.parametrize("sid", ["", "CA1", f"{CALL}\n", CALL.lower(), "../x"])
def test_what_is_no_calls_name_is_refused(sid: str) -> None:
    assert check_call_sid(CALL) == CALL
    with pytest.raises(BadRequestError) as caught:
        check_call_sid(sid)
    assert caught.value.field == "CallSid"


def test_the_calls_process_is_told_whose_stream_may_come() -> None:
    line, other = TwilioLine(), TwilioLine()
    line.expect(CALL)
    ticket = line.ticket()
    assert isinstance(leg(ticket), TwilioLeg)
    assert ticket["call_sid"] == CALL
    assert ticket["token"] != other.ticket()["token"]


def test_nobody_may_come_before_a_call_is_expected() -> None:
    with pytest.raises(BadRequestError):
        leg(TwilioLine().ticket())


async def test_twilio_is_told_the_token_and_nothing_is_kept() -> None:
    line = TwilioLine()
    assert await line.open() == {"token": line.ticket()["token"]}
    assert line.holder() == {}
    await line.close()
