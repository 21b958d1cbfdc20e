"""Memory in large pages: only where it is this process's own, and without changing it."""

from __future__ import annotations

import pytest

from hosts.large_pages import SIZE_BYTES, places, use_large_pages

pytestmark = pytest.mark.unit

MB = 2**20
OWN = "{:x}-{:x} rw-p 00000000 00:00 0 {}"


def test_it_takes_what_fits_and_is_nobody_elses() -> None:
    own = OWN.format(3 * MB, 9 * MB, "")
    assert list(places([own])) == [4 * MB, 6 * MB]
    assert list(places([OWN.format(4 * MB, 6 * MB, "[heap]")])) == [4 * MB]
    others = [
        OWN.format(4 * MB, 8 * MB, "[stack]"),
        OWN.format(5 * MB, 7 * MB, ""),
        own.replace("rw-p", "r--p"),
        own.replace("rw-p", "rw-s"),
        own.replace("00:00 0", "fe:00 77"),
        "nonsense",
    ]
    assert list(places(others)) == []


def test_what_is_in_memory_stays() -> None:
    kept = bytearray(range(256)) * (4 * SIZE_BYTES // 256)
    assert use_large_pages() >= 0
    assert kept == bytearray(range(256)) * (4 * SIZE_BYTES // 256)
