"""Which figures a server tells, and which of them a text names."""

from __future__ import annotations

import re

from records.metrics import Metrics

_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}
LABELS = {
    "bot", "code", "generation", "instance", "job", "kind", "le", "outcome", "part", "pipeline",
    "provider", "reason", "speculated", "stage", "transport", "why",
}  # fmt: skip
"""All that a figure has, and what Prometheus adds."""


def families() -> dict[str, str]:
    """Each figure's name and its kind."""
    text = Metrics().text().decode()
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))


def series() -> set[str]:
    """Every name that a query may use."""
    names = {
        name + suffix for name, kind in families().items() for suffix in _SUFFIXES.get(kind, ("",))
    }
    return names | {"up"}


def named(text: str) -> set[str]:
    """The figures that a text names."""
    return set(re.findall(r"\b(?:offhook|process|python)_[a-z0-9_]+\b", text))


def asked_by(expression: str) -> set[str]:
    """The labels that a query selects or groups by."""
    groups = re.findall(r"\b(?:by|on|ignoring|without) ?\(([^)]*)\)", expression)
    selectors = re.findall(r"(\w+) ?(?:=~|!~|!=|=)\"", expression)
    return {name.strip() for group in groups for name in group.split(",")} | set(selectors)


def balanced(expression: str) -> bool:
    """Whether each bracket is closed by its like."""
    pairs, opened = {")": "(", "}": "{", "]": "["}, list[str]()
    for sign in re.sub(r"\"[^\"]*\"", "", expression):
        if sign in pairs.values():
            opened.append(sign)
        elif sign in pairs and (not opened or opened.pop() != pairs[sign]):
            return False
    return not opened
