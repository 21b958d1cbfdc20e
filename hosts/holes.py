"""Free memory between what is in use, filled: so that a fork writes elsewhere.

What was freed while libraries were loaded lies in pieces all over the heap. A child's allocator
would fill those first, and each piece costs it a copy of a page of 4 kB, for a few bytes.
"""

from __future__ import annotations

import ctypes

_SIZES = (*range(64 * 1024, 4096, -1024), *range(4096, 0, -16))
"""Of a piece, the largest first; what is larger has pages of its own."""


class _Usage(ctypes.Structure):
    """`struct mallinfo2` of glibc 2.33."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def fill_holes() -> int:
    """Take what this process's heap has free below its end, for good; how many bytes that was.

    Takes milliseconds. For a process with one thread; 0 where the C library is not glibc.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        return 0
    libc.mallinfo2.restype = _Usage
    libc.sbrk.restype = libc.malloc.restype = ctypes.c_size_t
    libc.sbrk.argtypes = (ctypes.c_ssize_t,)
    libc.malloc.argtypes = libc.free.argtypes = (ctypes.c_size_t,)
    usage = libc.mallinfo2()
    end, most_bytes, filled_bytes = libc.sbrk(0) - usage.keepcost, usage.fordblks, 0
    for size in _SIZES:
        while filled_bytes < most_bytes:
            piece = libc.malloc(size)
            if not piece or piece >= end:
                libc.free(piece)
                break
            filled_bytes += size
    return filled_bytes
