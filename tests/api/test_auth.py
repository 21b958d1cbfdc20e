"""A key lets in, and has a name that tells nothing of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from api.auth import Keys, UnauthorizedError

pytestmark = pytest.mark.unit

_keys = st.text("abcdefgh-_0123456789", min_size=1, max_size=40)


def _request(authorization: str | None) -> Request:
    headers = [] if authorization is None else [(b"authorization", authorization.encode())]
    return Request({"type": "http", "headers": headers})


def _named(keys: str, key: str) -> str | None:
    return Keys(keys).name(_request(f"Bearer {key}"))


@given(st.lists(_keys, min_size=1, max_size=5, unique=True))
def test_each_key_has_a_name_of_its_own(keys: list[str]) -> None:
    names = [_named(",".join(keys), key) for key in keys]
    assert len(set(names)) == len(keys)
    assert None not in names


@given(_keys, _keys)
def test_it_stays_when_others_come_and_go(key: str, other: str) -> None:
    assert _named(key, key) == _named(f"{other}, {key}", key) == _named(f"{key},{other}", key)


def test_the_key_is_not_in_it() -> None:
    name = _named("abcdef", "abcdef")
    assert name is not None
    assert len(name) == len("key-") + 8


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer other", "Basic mine"])
def test_who_has_no_key_of_ours_has_no_name(authorization: str | None) -> None:
    request = _request(authorization)
    assert Keys("mine").name(request) is None
    assert Keys("").name(request) is None
    with pytest.raises(UnauthorizedError):
        Keys("mine").check(request)
    Keys("").check(request)


def test_a_known_key_lets_in_however_the_scheme_is_spelled() -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        Keys("a, mine ,b").check(_request(f"{scheme} mine"))
