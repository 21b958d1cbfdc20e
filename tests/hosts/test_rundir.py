"""The folder of sockets: one for each folder of records, nobody else's, short enough."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import ConfigError
from hosts import rundir
from hosts.rundir import MAX_PATH_BYTES, call_socket, call_sockets, fork_socket, run_dir
from tests.support.forking import short_run

pytestmark = pytest.mark.unit


def test_equal_records_meet_and_different_ones_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with short_run() as run:
        base = run.parents[1]
        monkeypatch.chdir(tmp_path)
        here = run_dir(Path("data"), base=base)
        assert here == run_dir(tmp_path / "x" / ".." / "data", base=base)
        assert here != run_dir(tmp_path / "other", base=base)
        (tmp_path / "link").symlink_to(tmp_path / "data")
        assert here == run_dir(tmp_path / "link", base=base)


def test_it_is_made_for_its_owner_alone_also_where_it_was_open() -> None:
    with short_run() as run:
        (run / "calls").chmod(0o777)
        again = run_dir(run.parents[1] / "data", base=run.parents[1])
        assert again == run
        for folder in (run.parent, run, run / "calls"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert call_sockets(run) == []


def test_the_systems_folder_is_taken_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with short_run() as run:
        base = run.parents[1]
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
        assert run_dir(base / "data") == run
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(base / "absent"))
        monkeypatch.setattr("tempfile.tempdir", str(base))
        assert run_dir(base / "data") == run


def test_another_owners_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with short_run() as run:
        base = run.parents[1]
        mine = os.geteuid()
        (base / f"offhook-{mine + 1}").mkdir()
        monkeypatch.setattr(rundir.os, "geteuid", lambda: mine + 1)
        with pytest.raises(ConfigError, match="not a folder of this user's"):
            run_dir(base / "data", base=base)


def test_a_link_and_a_file_are_refused(tmp_path: Path) -> None:
    with short_run() as run:
        base = run.parents[1]
        run.joinpath("calls").rmdir()
        run.joinpath("calls").symlink_to(tmp_path)
        with pytest.raises(ConfigError) as refused:
            run_dir(base / "data", base=base)
        assert refused.value.code == "run_dir_taken"
        run.joinpath("calls").unlink()


def test_a_path_too_long_for_a_socket_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    base = tmp_path / ("x" * 60)
    base.mkdir()
    with pytest.raises(ConfigError) as refused:
        run_dir(tmp_path, base=base)
    assert refused.value.code == "path_too_long"
    assert list(base.iterdir()) == []


@given(st.text(max_size=30))
def test_a_name_gives_a_socket_inside_the_folder_or_is_refused(name: str) -> None:
    run = Path("/run/offhook")
    try:
        path = call_socket(run, name)
    except ConfigError:
        return
    assert path.parent == run / "calls"
    assert path.stem == name
    assert len(os.fsencode(path)) < MAX_PATH_BYTES


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "x" * 21, "a\n", "é"])
def test_a_name_that_could_be_something_else_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        call_socket(Path("/run"), name)


def test_the_fork_servers_socket_is_beside_the_calls() -> None:
    assert fork_socket(Path("/run/x")) == Path("/run/x/fork.sock")
