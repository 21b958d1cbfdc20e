"""Who may call: anybody on loopback, holders of a key elsewhere."""

from __future__ import annotations

import hashlib
import hmac

from fastapi import Request

from errors import OffhookError

_NAME_DIGITS = 8
"""Enough to tell the keys of one server apart, too few to find a key by."""


class UnauthorizedError(OffhookError):
    """No key, or one that is not known here."""

    code = "unauthorized"
    status = 401

    def __init__(self) -> None:
        super().__init__("This server asks for a key: send `Authorization: Bearer KEY`.")
        self.headers = {"WWW-Authenticate": "Bearer"}


class Keys:
    """The keys of `OFFHOOK_API_KEYS`, separated by commas; none means that nobody is asked."""

    def __init__(self, keys: str) -> None:
        self._digests = [_digest(key.strip()) for key in keys.split(",") if key.strip()]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def check(self, request: Request) -> None:
        """Let the request pass or not, in the same time for every wrong key.

        Raises:
            UnauthorizedError: Keys are asked for and this request has none of them.
        """
        if self._digests and self._match(request) is None:
            raise UnauthorizedError

    def name(self, request: Request) -> str | None:
        """Name of the request's key, by which its calls are counted; None if it has none of ours.

        The same key has the same name on every server, and after others were added or taken away.
        A name is no secret: it may be logged, and the key cannot be told from it.
        """
        digest = self._match(request)
        return _named(digest) if digest else None

    def _match(self, request: Request) -> bytes | None:
        """Digest of the known key that the request carries."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        given = _digest(key.strip())
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        return given if scheme.lower() == "bearer" and any(matches) else None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _named(digest: bytes) -> str:
    # Of the digest, not of the key: so nothing that is compared with is in the name.
    return f"key-{hashlib.sha256(b'name of ' + digest).hexdigest()[:_NAME_DIGITS]}"
