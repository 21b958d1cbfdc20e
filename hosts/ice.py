"""Servers that help two ends find each other: STUN, and TURN with credentials that expire."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from errors import ConfigError

_AT = r"([\w.-]+|\[[\da-fA-F:]+\])(:(?P<port>\d{1,5}))?"
_STUN = re.compile(rf"stun:{_AT}")
_TURN = re.compile(rf"(?!turns:.*=udp)turns?:{_AT}(\?transport=(udp|tcp))?")
"""The forms of RFC 7065 that browsers and aiortc both take: aiortc passes TLS over UDP over."""
_PORTS = range(1, 65_536)


@dataclass(frozen=True)
class IceServer:
    """One entry of a browser's `iceServers`."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = field(default=None, repr=False)

    def as_dict(self) -> dict[str, object]:
        """The entry as the browser wants it."""
        entry: dict[str, object] = {"urls": list(self.urls)}
        if self.username is not None:
            entry |= {"username": self.username, "credential": self.credential}
        return entry


@dataclass(frozen=True)
class IceSettings:
    """The servers that the operator runs or trusts."""

    stun_urls: tuple[str, ...] = ()
    turn_urls: tuple[str, ...] = ()
    turn_secret: str = field(default="", repr=False)
    """coturn's `static-auth-secret`; it never leaves this process."""

    def check(self) -> None:
        """Say what cannot work before anybody calls.

        Raises:
            ConfigError: An address is none, or TURN has no secret.
        """
        _check_urls("OFFHOOK_STUN_URLS", self.stun_urls, _STUN, example="stun:host:3478")
        _check_urls("OFFHOOK_TURN_URLS", self.turn_urls, _TURN, example="turn:host:3478")
        if self.turn_urls and not self.turn_secret:
            raise ConfigError(
                "OFFHOOK_TURN_URLS is set and OFFHOOK_TURN_SECRET is not: no credentials can be "
                "made for TURN. Set it to coturn's static-auth-secret.",
                field="OFFHOOK_TURN_SECRET",
            )

    def servers(self, user: str, *, until: int) -> tuple[IceServer, ...]:
        """The servers, with credentials for `user` that TURN takes until that Unix time."""
        found: list[IceServer] = []
        if self.stun_urls:
            found.append(IceServer(self.stun_urls))
        if self.turn_urls:
            username = f"{until}:{user}"
            found.append(
                IceServer(self.turn_urls, username, credential(self.turn_secret, username))
            )
        return tuple(found)


def credential(secret: str, username: str) -> str:
    """The password of `username`, by the convention of coturn's `use-auth-secret`."""
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def _check_urls(variable: str, urls: Sequence[str], form: re.Pattern[str], *, example: str) -> None:
    for url in urls:
        found = form.fullmatch(url)
        if not found or int(found["port"] or _PORTS[0]) not in _PORTS:
            raise ConfigError(
                f"{variable}: {url!r} is no address of such a server; write {example}.",
                field=variable,
            )
