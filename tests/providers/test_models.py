from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from errors import ConfigError, MissingError
from providers.models import ModelStore, list_models, pull, verify
from tests.support.file_server import file_server
from tests.support.weights import file_table, manifest, never, sha256, some_bytes

pytestmark = pytest.mark.unit

CONTENT = some_bytes(60_000)
HUB = {"hub": "owner/repo", "path": "model.bin", "revision": "1"}
MODELS = manifest(
    tiny=[file_table("model.bin", CONTENT, HUB), file_table("model.json", b"{}", HUB)],
    other=[file_table("other.bin", b"other", HUB)],
)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(env={"OFFHOOK_MODELS": str(tmp_path / "store")}, manifest=MODELS)


def put(store: ModelStore, *contents: bytes) -> None:
    for content in contents:
        path = store.blobs.root / "blobs" / "sha256" / sha256(content)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def spoil(store: ModelStore, content: bytes, spoiled: bytes) -> None:
    (store.blobs.root / "blobs" / "sha256" / sha256(content)).write_bytes(spoiled)


def test_verified_files_lie_in_one_folder(store: ModelStore) -> None:
    put(store, CONTENT, b"{}")
    folder = store.weights("tiny")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "model.bin": CONTENT,
        "model.json": b"{}",
    }


def test_absent_weights_come_with_the_command_that_brings_them(store: ModelStore) -> None:
    put(store, CONTENT)
    with pytest.raises(MissingError, match=r"model\.json is absent.*`offhook models pull tiny`"):
        store.weights("tiny")


@pytest.mark.parametrize(
    ("spoiled", "expected", "got"),
    [
        (b"\0" + CONTENT[1:], sha256(CONTENT), sha256(b"\0" + CONTENT[1:])),
        (CONTENT[:10], "60000 bytes", "10 bytes"),
    ],
)
def test_corrupt_weights_are_named_and_never_used(
    store: ModelStore, spoiled: bytes, expected: str, got: str
) -> None:
    put(store, CONTENT, b"{}")
    store.weights("tiny")
    spoil(store, CONTENT, spoiled)
    with pytest.raises(MissingError) as caught:
        store.weights("tiny")
    assert caught.value.code == "weights_damaged"
    for word in ("tiny", "model.bin", expected, got, "offhook models pull tiny"):
        assert word in caught.value.message
    assert store.missing(["tiny"]) == [caught.value.message]


def test_an_unknown_model_is_told_the_nearest(store: ModelStore) -> None:
    with pytest.raises(ConfigError, match="Did you mean tiny"):
        store.weights("tinny")
    with pytest.raises(ConfigError, match="Did you mean tiny"):
        store.missing(["tinny"])


def test_each_missing_model_is_one_sentence(store: ModelStore) -> None:
    assert len(store.missing(["tiny", "other", "tiny"])) == 2
    put(store, CONTENT, b"{}", b"other")
    assert store.missing(["tiny", "other"]) == []


def test_looking_for_what_is_missing_reads_no_weights(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, CONTENT, b"{}")
    monkeypatch.setattr("providers.store.sha256_of", never)
    assert store.missing(["tiny"]) == []
    assert [row.state for row in store.rows()] == ["ok", "missing"]


def test_a_folder_that_cannot_be_used_is_named(store: ModelStore) -> None:
    put(store, CONTENT, b"{}")
    (store.blobs.root / "models").write_text("not a folder")
    with pytest.raises(MissingError, match="OFFHOOK_MODELS"):
        store.weights("tiny")


def test_listing_shows_every_model(store: ModelStore, capsys: pytest.CaptureFixture[str]) -> None:
    put(store, CONTENT, b"{}")
    spoil(store, b"{}", b"[]")
    assert store.verify(["tiny"])
    assert list_models(store) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["tiny", "damaged", "60", "kB", "MIT", "The", "model", "tiny"]
    assert lines[2].split()[:2] == ["other", "missing"]
    assert lines[3] == f"in {store.blobs.root}"


def test_verifying_tells_good_from_bad(
    store: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    put(store, CONTENT, b"{}")
    assert verify(store) == 0
    assert capsys.readouterr().out == "tiny model.bin: ok\ntiny model.json: ok\n"
    spoil(store, b"{}", b"[]")
    assert verify(store) == 1
    out = capsys.readouterr().out
    assert f"model.json: damaged (expected SHA-256 {sha256(b'{}')}, got SHA-256 " in out
    assert "Run `offhook models pull tiny` to repair." in out


def test_verifying_what_is_not_here_fails_if_it_was_named(
    store: ModelStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(store) == 0
    assert "no weights in" in capsys.readouterr().out
    assert verify(store, ["other"]) == 1
    assert "other other.bin: missing" in capsys.readouterr().out


def test_verifying_tells_how_far_it_is(store: ModelStore) -> None:
    put(store, b"other")
    steps: list[tuple[str, int, int]] = []
    store.verify(["other"], hashed=lambda label, done, size: steps.append((label, done, size)))
    assert steps == [("other other.bin", 5, 5)]


def test_pulling_brings_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with file_server() as server:
        server.files["/owner/repo/resolve/1/model.bin"] = b"other"
        env = {"OFFHOOK_MODELS": str(tmp_path / "store"), "HF_ENDPOINT": server.url}
        store = ModelStore(env=env, manifest=MODELS)
        assert pull(store, ["other"]) == 0
    assert (store.weights("other") / "other.bin").read_bytes() == b"other"
    assert "from hub owner/repo" in capsys.readouterr().err


def test_an_unknown_name_stops_a_pull_before_it_begins(store: ModelStore) -> None:
    with pytest.raises(ConfigError):
        pull(store, ["other", "nope"])
    assert not store.blobs.root.exists()


def test_an_offline_store_pulls_nothing(tmp_path: Path) -> None:
    store = ModelStore(offline=True, env={"OFFHOOK_MODELS": str(tmp_path)}, manifest=MODELS)
    with pytest.raises(MissingError, match="offline nothing is fetched"):
        pull(store, ["other"])


def test_importing_loads_neither_client_nor_bars() -> None:
    code = (
        "import providers.models, sys; print({'httpx', 'rich', 'providers.fetch'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", code]
    root = Path(__file__).parents[2]
    run = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    assert run.stdout == "set()\n"
