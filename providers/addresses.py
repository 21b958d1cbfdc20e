"""Addresses in settings: what is accepted as one, and which a key may be sent to."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, NamedTuple
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""The names of this machine that need no encryption and no proxy."""
_VISIBLE = re.compile(r"[!-~]+")
_LABEL = r"[A-Za-z0-9_-]{1,63}"
_PLACE = re.compile(
    rf"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>{_LABEL}(?:\.{_LABEL})*))(?::(?P<port>[0-9]+))?"
)
"""Host and port. Stricter than `urlsplit`, which reads `a.example[::1]` as this machine."""
_LAST_PORT = 65_535


class _Place(NamedTuple):
    host: str
    is_secure: bool
    """Encrypted, or of this machine."""


def of_this_machine(url: str) -> bool:
    """Whether `url` leads to this machine: no key can be overheard, no proxy is in between."""
    try:
        return _host(urlsplit(url)) in LOOPBACK
    except ValueError:
        return False


def _host(parts: SplitResult) -> str:
    """The host, in lower case and without brackets.

    Raises:
        ValueError: It or the port is none, or somebody's name stands before it.
    """
    place = _PLACE.fullmatch(parts.netloc)
    if place is None or not 1 <= int(place["port"] or 1) <= _LAST_PORT:
        raise ValueError("no host, or no port")
    if place["six"]:
        ipaddress.IPv6Address(place["six"])
    elif parts.netloc.partition(":")[0].rpartition(".")[2].isdigit():
        ipaddress.IPv4Address(place["name"])
    return (place["six"] or place["name"]).lower()


def _read(url: str, plain: str) -> _Place | None:
    """Where `url` leads, of the scheme `plain` (`http`, `ws`) or its encrypted one."""
    if not _VISIBLE.fullmatch(url) or not url.startswith((f"{plain}://", f"{plain}s://")):
        return None
    if any(sign in url for sign in "?#\\"):
        return None
    try:
        parts = urlsplit(url)
        host = _host(parts)
    except ValueError:
        return None
    return _Place(host, parts.scheme != plain or host in LOOPBACK)


def _checked(url: str, plain: str, *, secure: bool) -> str:
    place = _read(url, plain)
    names: dict[str, str | int] = {"plain": plain, "last": _LAST_PORT}
    if place is None:
        raise PydanticCustomError(
            "address",
            "an address is {plain}s://HOST or {plain}://HOST, with :PORT (1 to {last}) and /PATH "
            "if need be, and has no user, query or fragment",
            names,
        )
    if secure and not place.is_secure:
        raise PydanticCustomError(
            "insecure_address",
            "a key is sent there, so it must begin with {plain}s://; {plain}:// is only for "
            "127.0.0.1, localhost and [::1]",
            names,
        )
    return url.rstrip("/")


def _secure_http(url: str) -> str:
    return _checked(url, "http", secure=True)


def _secure_ws(url: str) -> str:
    return _checked(url, "ws", secure=True)


def _server(url: str) -> str:
    return _checked(url, "http", secure=False)


def _sent_unheard(name: str, info: ValidationInfo) -> str:
    """Refuse a key where `base_url`, a field before it, would have it sent in clear."""
    place = _read(info.data.get("base_url", ""), "http")
    if place and not place.is_secure:
        raise PydanticCustomError(
            "insecure_key",
            "a key is only sent encrypted or within this machine, so base_url must begin with "
            "https://, or its host be 127.0.0.1, localhost or [::1]",
        )
    return name


SecureHttpUrl = Annotated[str, AfterValidator(_secure_http)]
"""An `https:` address, or an `http:` one of this machine: a key may be sent there."""
SecureWsUrl = Annotated[str, AfterValidator(_secure_ws)]
"""The same for WebSockets."""
ServerUrl = Annotated[str, AfterValidator(_server)]
"""Where a server of the operator's own is, with or without encryption."""
KeyEnv = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$"), AfterValidator(_sent_unheard)]
"""The variable that holds the key of the server at `base_url`, a `ServerUrl` declared before."""
