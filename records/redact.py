"""Keeps secrets out of whatever is written down or shown: logs, errors, events."""

from __future__ import annotations

from collections.abc import Iterable

_SHORTEST = 8
"""A shorter value would hide parts of innocent words; no vendor has keys so short."""
_MASK = "[hidden]"

_hidden: set[str] = set()


def hide(value: str) -> None:
    """Hide `value` from now on, wherever this process would write it."""
    if len(value) >= _SHORTEST:
        _hidden.add(value)


def redact(text: str) -> str:
    """`text` with every hidden value masked."""
    return mask(text, _hidden)


def mask(text: str, values: Iterable[str]) -> str:
    """`text` without `values`; the longest first, so that nothing of it is left."""
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, _MASK)
    return text
