"""A record is complete at any moment, and the folder it lies in cannot be chosen from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from records import record as records
from records.events import CallEnded, CallerJoined, CallEvent, Heard
from records.record import CallFacts, CallRecord, FolderStore, RecordStore

pytestmark = pytest.mark.unit

_CALLS_UNTIL_KILLED = """
import sys, pathlib
from records.events import CallerJoined
from records.record import CallFacts, FolderStore
facts = CallFacts(id="killed", bot="b", pipeline="p", transport="t")
writer = FolderStore(pathlib.Path(sys.argv[1])).open(facts)
writer.append(CallerJoined(at_ms=40))
print("ready", flush=True)
sys.stdin.readline()
"""


def facts(call_id: str = "call-1") -> CallFacts:
    return CallFacts(
        id=call_id,
        bot="receptionist",
        pipeline="local",
        config={"llm": {"provider": "llama_cpp"}},
        transport="webrtc",
    )


def heard(text: str, at_ms: int = 10) -> Heard:
    return Heard(at_ms=at_ms, text=text, final=True)


def test_a_live_call_can_be_read(tmp_path: Path) -> None:
    store: RecordStore = FolderStore(tmp_path)
    writer = store.open(facts())
    writer.append(heard("two lines\nin one"))

    record = store.read("call-1")
    events = store.events("call-1")
    writer.close("idle")

    assert record.status == "live"
    assert record.secs is None
    assert record.config == {"llm": {"provider": "llama_cpp"}}
    assert record.versions["pipecat-ai"].startswith("1.14")
    assert events == [heard("two lines\nin one")]


def test_a_finished_call_says_when_and_how_it_ended(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    writer = store.open(facts())
    writer.append(CallEnded(at_ms=20, reason="idle"))
    writer.close("idle")
    writer.close("crashed")
    writer.append(heard("too late"))

    record = store.read("call-1")

    assert (record.status, record.reason) == ("ended", "idle")
    assert record.secs is not None
    assert record.secs >= 0
    assert store.events("call-1") == [CallEnded(at_ms=20, reason="idle")]


def test_the_newest_comes_first_and_what_is_broken_is_left_out(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    for number in range(4):
        store.open(facts(f"call-{number}")).close("idle")
        os.utime(tmp_path / f"call-{number}", (number, number))
    (tmp_path / "call-1" / "record.json").write_text("{")
    (tmp_path / "notes.txt").write_text("not a call")

    assert [record.id for record in store.list()] == ["call-3", "call-2", "call-0"]
    assert [record.id for record in store.list(limit=1)] == ["call-3"]
    assert FolderStore(tmp_path / "nowhere").list() == []


def test_the_audio_lies_beside_the_record(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    writer = store.open(facts())

    assert store.audio("call-1") is None
    writer.audio.write_bytes(b"RIFF")
    writer.close("idle")
    assert store.audio("call-1") == tmp_path / "call-1" / "audio.wav"


def test_a_killed_process_leaves_a_record_that_is_closed_later(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", _CALLS_UNTIL_KILLED, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        assert store.close_orphans() == []
        assert store.read("killed").status == "live"
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    assert store.close_orphans() == ["killed"]
    assert store.close_orphans() == []

    record = store.read("killed")
    joined, ended = store.events("killed")
    assert (record.status, record.reason) == ("ended", "crashed")
    assert record.ended_at is not None
    assert record.started_at <= record.ended_at <= datetime.now(UTC)
    assert joined == CallerJoined(at_ms=40)
    assert isinstance(ended, CallEnded)
    assert ended.at_ms >= 40


def leave_behind(root: Path, events: bytes) -> None:
    """A record as a killed process leaves it."""
    FolderStore(root).open(facts()).close("idle")
    folder = root / "call-1"
    live = CallRecord(**facts().model_dump(), started_at=datetime.now(UTC))
    (folder / "record.json").write_text(live.model_dump_json())
    (folder / "events.jsonl").write_bytes(events)


def test_a_line_torn_by_a_kill_is_cut_off(tmp_path: Path) -> None:
    whole = heard("hello").model_dump_json().encode() + b"\n"
    leave_behind(tmp_path, whole + whole[:20])

    assert FolderStore(tmp_path).close_orphans() == ["call-1"]
    lines = (tmp_path / "call-1" / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["heard", "call_ended"]


def test_one_that_cannot_be_closed_does_not_keep_the_others_open(tmp_path: Path) -> None:
    leave_behind(tmp_path, b"")
    other = tmp_path / "call-2"
    other.mkdir()
    (other / "record.json").write_bytes((tmp_path / "call-1" / "record.json").read_bytes())
    (other / "events.jsonl").mkdir()

    assert FolderStore(tmp_path).close_orphans() == ["call-1"]


def test_an_end_that_was_told_is_believed(tmp_path: Path) -> None:
    ended = CallEnded(at_ms=5, reason="bot_hung_up").model_dump_json().encode() + b"\n"
    leave_behind(tmp_path, ended)

    FolderStore(tmp_path).close_orphans()

    assert FolderStore(tmp_path).read("call-1").reason == "bot_hung_up"
    assert len(FolderStore(tmp_path).events("call-1")) == 1


def test_events_are_bounded_but_the_end_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MAX_EVENTS_BYTES", 300)
    writer = FolderStore(tmp_path).open(facts())
    for _ in range(50):
        writer.append(heard("again and again"))
    writer.append(CallEnded(at_ms=9, reason="idle"))
    writer.close("idle")

    events = FolderStore(tmp_path).events("call-1")

    assert 1 < len(events) < 6
    assert isinstance(events[-1], CallEnded)


def test_an_id_is_used_once(tmp_path: Path) -> None:
    FolderStore(tmp_path).open(facts()).close("idle")

    with pytest.raises(FileExistsError):
        FolderStore(tmp_path).open(facts())


@pytest.mark.parametrize("call_id", ["", "..", "../x", "a/b", "/etc", "a\\b", ".hidden", "x" * 65])
def test_an_id_is_no_path(tmp_path: Path, call_id: str) -> None:
    with pytest.raises(ValidationError):
        facts(call_id)
    with pytest.raises(LookupError):
        FolderStore(tmp_path).read(call_id)


@given(st.text(max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_asked_for_stays_below_the_root(tmp_path: Path, call_id: str) -> None:
    (tmp_path / "calls").mkdir(exist_ok=True)
    (tmp_path / "record.json").write_text("{}")

    with pytest.raises(LookupError):
        FolderStore(tmp_path / "calls").events(call_id)


def test_lines_of_another_version_are_passed_over(tmp_path: Path) -> None:
    known: CallEvent = heard("hello")
    leave_behind(tmp_path, b'{"kind":"dreamt"}\n' + known.model_dump_json().encode() + b"\n")

    assert FolderStore(tmp_path).events("call-1") == [known]


def test_one_dead_call_is_buried_once_and_a_live_one_never(tmp_path: Path) -> None:
    leave_behind(tmp_path, b"")
    store = FolderStore(tmp_path)
    alive = store.open(facts("call-2"))

    assert [store.bury("call-1"), store.bury("call-1"), store.bury("call-2")] == [
        True,
        False,
        False,
    ]
    alive.close("idle")

    assert (store.read("call-1").reason, store.read("call-2").reason) == ("crashed", "idle")
    assert [store.bury(call_id) for call_id in ("never was", "../x", "call-2")] == [False] * 3
