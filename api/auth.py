"""Who may call: anybody on loopback, holders of a key elsewhere."""

from __future__ import annotations

import hashlib
import hmac

from fastapi import Request

from errors import OffhookError


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
        if not self._digests:
            return
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        given = _digest(key.strip())
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        if scheme.lower() != "bearer" or not any(matches):
            raise UnauthorizedError


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
