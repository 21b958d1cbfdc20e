"""Stamps: equal for equal starts, different for what changes behaviour."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hosts import stamp as stamps
from hosts.stamp import stamp

pytestmark = pytest.mark.unit


def test_a_variable_counts_unless_it_is_new_at_each_start() -> None:
    env = {"GROQ_API_KEY": "one", "PATH": "/bin"}
    assert stamp(env) == stamp(dict(reversed(env.items())))
    assert stamp(env) == stamp(env | {"SHLVL": "3", "INVOCATION_ID": "x"})
    assert stamp(env) != stamp(env | {"GROQ_API_KEY": "two"})
    assert stamp(env) != stamp({"PATH": "/bin"})


def test_code_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "errors.py").write_text("")
    (tmp_path / "bots").mkdir()
    bot = tmp_path / "bots" / "prompt.md"
    bot.write_text("Be kind.")
    monkeypatch.setattr(stamps, "ROOT", tmp_path)
    before = stamp({})
    assert stamp({}) == before
    (tmp_path / "bots" / "cache.pyc").write_bytes(b"x")
    assert stamp({}) == before
    os.utime(bot, ns=(1, 1))
    changed = stamp({})
    assert changed != before
    (tmp_path / "bots" / "new.py").write_text("")
    assert stamp({}) not in (before, changed)
