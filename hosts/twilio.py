"""Callers who telephone: Twilio asks what to do with a call, then brings its sound."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from pydantic import JsonValue

from errors import BadRequestError, ConfigError, OffhookError
from hosts.twilio_stream import CALL_SID

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_URL = re.compile(
    r"(https://([\w.-]+|\[[\da-fA-F:]+\])|http://(127\.0\.0\.1|localhost|\[::1\]))"
    r"(:\d{1,5})?(/[\w.~/-]*)?"
)
_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}


class SignatureError(OffhookError):
    """The request was not signed by Twilio for this address."""

    code = "bad_signature"
    status = 403

    def __init__(self) -> None:
        super().__init__(
            "This is not signed by Twilio. If it comes from there: OFFHOOK_PUBLIC_URL must be this "
            "server's address as it is set at Twilio, TWILIO_AUTH_TOKEN that account's token."
        )


@dataclass(frozen=True)
class TwilioSettings:
    """Whose calls come in, and how Twilio reaches this server."""

    auth_token: str = field(default="", repr=False)
    """The account's; Twilio signs with it."""
    public_url: str = ""
    """`https://host[:port][/path]` without a slash at the end; `http://` of this machine only."""

    @property
    def is_public(self) -> bool:
        """Whether others than this machine reach the server by the address."""
        return bool(self.public_url) and urlsplit(self.public_url).hostname not in _LOOPBACK

    def check(self) -> None:
        """Refuse an address to which Twilio could bring no call.

        Raises:
            ConfigError: It is none; the message names the variable.
        """
        if self.public_url and not _usable(self.public_url):
            raise ConfigError(
                f"OFFHOOK_PUBLIC_URL is {self.public_url!r}; it must be https://HOST[/PATH], "
                "http:// only on 127.0.0.1 or localhost.",
                field="OFFHOOK_PUBLIC_URL",
            )

    def lacks(self) -> list[str]:
        """The variables that are not set, a sentence each."""
        given = {"TWILIO_AUTH_TOKEN": self.auth_token, "OFFHOOK_PUBLIC_URL": self.public_url}
        return [
            f"The environment variable {name} is not set (twilio)."
            for name, value in given.items()
            if not value
        ]

    def stream_url(self, path: str) -> str:
        """Where Twilio's WebSocket comes to: the `wss://` form of a path here."""
        return "ws" + self.public_url.removeprefix("http") + path

    def check_request(self, given: str, path: str, params: Iterable[tuple[str, str]]) -> None:
        """Refuse a request that Twilio did not sign.

        Args:
            given: Its header `X-Twilio-Signature`.
            path: As it came here, with the query.
            params: The form's fields.

        Raises:
            SignatureError: It did not.
        """
        url = self.public_url + path
        if self.lacks() or not valid(given, url, params=params, token=self.auth_token):
            raise SignatureError

    def check_stream(self, given: str, path: str) -> None:
        """Refuse a WebSocket that Twilio did not sign; with `check_request`'s arguments.

        Raises:
            SignatureError: It did not.
        """
        url = self.stream_url(path)
        # Twilio does not say whether it signs a bare path or one that ends in a slash.
        urls = () if self.lacks() else (url, f"{url}/")
        if not any(valid(given, each, params=(), token=self.auth_token) for each in urls):
            raise SignatureError


def signature(url: str, params: Iterable[tuple[str, str]], token: str) -> str:
    """What Twilio sends as `X-Twilio-Signature`: https://www.twilio.com/docs/usage/security.

    Args:
        url: As Twilio calls it, with the query.
        params: The form's fields.
        token: The account's.
    """
    told = url + "".join(name + value for name, value in sorted(set(params)))
    digest = hmac.new(token.encode(), told.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def valid(given: str, url: str, *, params: Iterable[tuple[str, str]], token: str) -> bool:
    """Whether `given` is that signature; found in the same time for every wrong one.

    Twilio signs the address now with the scheme's own port and now without.
    """
    fields = tuple(params)
    right = [
        hmac.compare_digest(given.encode(), signature(form, fields, token).encode())
        for form in _port_forms(url)
    ]
    return bool(token) and any(right)


def _usable(url: str) -> bool:
    try:
        return _URL.fullmatch(url) is not None and urlsplit(url).port != 0
    except ValueError:
        return False


def _port_forms(url: str) -> tuple[str, str]:
    """The address as it is, and with or without the port that its scheme implies."""
    parts = urlsplit(url)
    port = f":{_PORTS[parts.scheme]}"
    host = parts.netloc
    if host.endswith(port):
        host = host.removesuffix(port)
    elif parts.port is None:
        host += port
    return url, urlunsplit(parts._replace(netloc=host))


def check_call_sid(given: str) -> str:
    """The name of a call, if it is one.

    Raises:
        BadRequestError: It is none.
    """
    if not re.fullmatch(CALL_SID, given):
        raise BadRequestError("CallSid names no call of Twilio's.", field="CallSid")
    return given


class TwilioLine:
    """Knows whose stream may come; the call's process looks at what the stream says first."""

    def __init__(self) -> None:
        self._token = secrets.token_urlsafe(32)
        self._call_sid = ""

    def expect(self, call_sid: str) -> None:
        """Say which call's stream may come."""
        self._call_sid = call_sid

    async def open(self) -> Mapping[str, object]:
        """Tell the token that the stream is to show, once."""
        return {"token": self._token}

    def ticket(self) -> dict[str, JsonValue]:
        """The child waits for the stream."""
        return {"kind": "twilio", "token": self._token, "call_sid": self._call_sid}

    def holder(self) -> dict[str, JsonValue]:
        """Nothing outlives the call."""
        return {}

    async def close(self) -> None:
        """There is nothing to give back."""
