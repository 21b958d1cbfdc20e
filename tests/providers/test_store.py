from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from providers.store import Blob, BlobStore, folder_error, models_dir, sha256_of
from tests.support.weights import never, sha256, some_bytes

pytestmark = pytest.mark.unit

CONTENT = some_bytes(50_000)
BLOB = Blob(sha256(CONTENT), len(CONTENT))


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "store")


def put(store: BlobStore, content: bytes = CONTENT) -> Path:
    incoming = store.root / "incoming"
    store.root.mkdir(parents=True, exist_ok=True)
    incoming.write_bytes(content)
    assert store.adopt(incoming, BLOB).state == "ok"
    return store.blob_path(BLOB)


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"OFFHOOK_MODELS": "/data/weights"}, "/data/weights"),
        ({"OFFHOOK_MODELS": "", "XDG_CACHE_HOME": "/cache"}, "/cache/offhook/models"),
        ({"XDG_CACHE_HOME": "relative"}, str(Path.home() / ".cache/offhook/models")),
        ({}, str(Path.home() / ".cache/offhook/models")),
    ],
)
def test_the_environment_names_the_folder(env: dict[str, str], expected: str) -> None:
    assert models_dir(env) == Path(expected)


def test_hashing_tells_how_far_it_is(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 2_500_000)
    steps: list[int] = []
    assert sha256_of(path, advance=steps.append) == sha256(b"x" * 2_500_000)
    assert sum(steps) == 2_500_000
    assert len(steps) > 1


def test_what_was_never_put_is_missing(store: BlobStore) -> None:
    verdicts = [store.glance(BLOB), store.check(BLOB), store.rehash(BLOB)]
    assert [verdict.state for verdict in verdicts] == ["missing"] * 3


def test_adopting_moves_the_file_in(store: BlobStore) -> None:
    path = put(store)
    assert path.read_bytes() == CONTENT
    assert not (store.root / "incoming").exists()
    assert store.glance(BLOB).state == "ok"


@pytest.mark.parametrize(
    ("content", "expected", "got"),
    [
        (CONTENT[:-1], "50000 bytes", "49999 bytes"),
        (b"\0" + CONTENT[1:], f"SHA-256 {BLOB.sha256}", "SHA-256 "),
    ],
)
def test_a_wrong_file_is_not_adopted(
    store: BlobStore, tmp_path: Path, content: bytes, expected: str, got: str
) -> None:
    incoming = tmp_path / "incoming"
    incoming.write_bytes(content)
    verdict = store.adopt(incoming, BLOB)
    assert (verdict.state, verdict.expected) == ("damaged", expected)
    assert verdict.got.startswith(got)
    assert incoming.exists()
    assert store.glance(BLOB).state == "missing"


def test_an_unchanged_file_is_not_read_again(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store)
    monkeypatch.setattr("providers.store.sha256_of", never)
    assert store.check(BLOB).state == "ok"


def test_a_flipped_byte_is_found_and_remembered(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(store)
    before = path.stat()
    with path.open("r+b") as file:
        file.write(bytes([CONTENT[0] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    verdict = store.check(BLOB)
    assert (verdict.state, verdict.expected) == ("damaged", f"SHA-256 {BLOB.sha256}")
    monkeypatch.setattr("providers.store.sha256_of", never)
    assert store.glance(BLOB).state == "damaged"
    assert store.check(BLOB) == verdict


def test_a_copy_of_the_store_is_hashed_once(store: BlobStore) -> None:
    path = put(store)
    copy = path.with_name("copy")
    copy.write_bytes(CONTENT)
    copy.replace(path)
    stamp = (store.root / "stamps" / BLOB.sha256).read_text()
    assert store.check(BLOB).state == "ok"
    assert (store.root / "stamps" / BLOB.sha256).read_text() != stamp


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seen": 1}'])
def test_an_unreadable_stamp_counts_for_nothing(store: BlobStore, text: str) -> None:
    put(store)
    (store.root / "stamps" / BLOB.sha256).write_text(text)
    assert store.check(BLOB).state == "ok"


def test_a_shorter_file_is_damaged_at_a_glance(store: BlobStore) -> None:
    put(store).write_bytes(CONTENT[:100])
    assert store.glance(BLOB).got == "100 bytes"
    assert store.check(BLOB).state == "damaged"


def test_a_store_that_cannot_remember_still_judges(
    store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store)
    (store.root / "stamps" / BLOB.sha256).unlink()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "write_text", refuse)
    assert store.check(BLOB).state == "ok"
    assert not (store.root / "stamps" / BLOB.sha256).exists()


def test_a_link_leads_to_the_blob(store: BlobStore) -> None:
    put(store)
    link = store.model_dir("tiny") / "model.bin"
    store.link(BLOB, model="tiny", name="model.bin")
    assert link.read_bytes() == CONTENT
    inode = link.lstat().st_ino
    store.link(BLOB, model="tiny", name="model.bin")
    assert link.lstat().st_ino == inode


def test_a_file_in_place_of_the_link_is_never_used(store: BlobStore) -> None:
    put(store)
    link = store.model_dir("tiny") / "model.bin"
    link.parent.mkdir(parents=True)
    link.write_bytes(b"something else")
    store.link(BLOB, model="tiny", name="model.bin")
    assert link.read_bytes() == CONTENT


def test_the_store_may_be_moved(store: BlobStore, tmp_path: Path) -> None:
    put(store)
    store.link(BLOB, model="tiny", name="model.bin")
    store.root.rename(tmp_path / "elsewhere")
    moved = BlobStore(tmp_path / "elsewhere")
    assert (moved.model_dir("tiny") / "model.bin").read_bytes() == CONTENT
    assert moved.check(BLOB).state == "ok"


def test_a_lock_that_is_free_waits_for_nobody(store: BlobStore) -> None:
    waited: list[bool] = []
    with store.lock("tiny", waiting=lambda: waited.append(True)):
        pass
    assert waited == []


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [
        (errno.ENOSPC, "disk_full", "no room"),
        (errno.EDQUOT, "disk_full", "no room"),
        (errno.EACCES, "weights_folder", "Permission denied"),
    ],
)
def test_a_folder_that_cannot_be_written_is_named(number: int, code: str, word: str) -> None:
    error = folder_error(Path("/data/weights"), OSError(number, os.strerror(number)))
    assert error.code == code
    assert word in error.message
    assert "/data/weights" in error.message
    assert "OFFHOOK_MODELS" in error.message
