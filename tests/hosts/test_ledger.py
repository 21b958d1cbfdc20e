"""Rooms are written down from before they are made until they are gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from hosts.ledger import Ledger

pytestmark = pytest.mark.unit


def test_names_outlive_whoever_wrote_them(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "rooms")
    assert ledger.names() == []
    for name in ("offhook-b", "offhook-a", "offhook-a"):
        ledger.add(name)
    ledger.drop("offhook-b")
    ledger.drop("offhook-c")
    assert Ledger(tmp_path / "rooms").names() == ["offhook-a"]


def test_what_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for ledger in (Ledger(), Ledger(tmp_path / "file"), Ledger(tmp_path / "none" / "rooms")):
        ledger.add("offhook-a")
        ledger.drop("offhook-a")
        assert ledger.names() == []
