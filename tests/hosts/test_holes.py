"""Holes in the heap: filled once, and nothing that is in use is touched."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

_SCRIPT = """
import ctypes
from hosts.holes import fill_holes

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = (ctypes.c_size_t,)
libc.free.argtypes = (ctypes.c_void_p,)
kept = [bytes([i % 256]) * 600 for i in range(4000)]
pieces = [libc.malloc(size) for _ in range(4000) for size in (20, 3000)]
for piece in pieces[::4] + pieces[1::4]:
    libc.free(piece)
holes = set(pieces[::4])
first = fill_holes()
refilled = sum(libc.malloc(20) in holes for _ in range(2000))
print(first, fill_holes(), refilled, all(b == bytes([i % 256]) * 600 for i, b in enumerate(kept)))
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="needs glibc 2.33")
def test_what_is_free_below_the_end_is_taken_once() -> None:
    # A process of its own: the heap of this one has threads, and is needed.
    ran = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    first, again, refilled, whole = ran.stdout.split()
    assert int(first) >= 2000 * 2900
    assert int(again) < 100_000
    assert int(refilled) < 100
    assert whole == "True"
