from __future__ import annotations

import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.downloads import (
    CancelledError,
    Downloader,
    Patience,
    Retry,
    SourceError,
    Want,
    redact,
)
from tests.support.file_server import Fault, FileServer, file_server
from tests.support.serving import free_port
from tests.support.weights import sha256, some_bytes

pytestmark = pytest.mark.unit

CONTENT = some_bytes(300_000)
IMPATIENT = Retry(attempts=3, connect_attempts=2, base_secs=0.001, cap_secs=0.002)


@pytest.fixture
def server() -> Generator[FileServer]:
    with file_server() as files:
        files.files["/model.bin"] = CONTENT
        yield files


@pytest.fixture
def downloader() -> Generator[Downloader]:
    made = Downloader(env={}, retry=IMPATIENT)
    yield made
    made.close()


def fetch(
    downloader: Downloader, url: str, target: Path, *, size_bytes: int | None = None
) -> list[tuple[int, int | None]]:
    steps: list[tuple[int, int | None]] = []

    def moved(done_bytes: int, total_bytes: int | None) -> None:
        steps.append((done_bytes, total_bytes))

    downloader.fetch(url, target, want=Want(sha256(CONTENT), size_bytes), moved=moved)
    return steps


def test_a_file_arrives(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    steps = fetch(downloader, f"{server.url}/model.bin", tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert not (tmp_path / "model.bin.part").exists()


def test_an_unfinished_file_is_gone_on_with(
    server: FileServer, downloader: Downloader, tmp_path: Path
) -> None:
    (tmp_path / "model.bin.part").write_bytes(CONTENT[:200_000])
    steps = fetch(downloader, f"{server.url}/model.bin", tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    assert server.asked == [("/model.bin", "bytes=200000-")]
    assert steps[0][0] > 200_000
    assert steps[-1] == (300_000, 300_000)


def test_a_part_that_is_whole_is_not_asked_for_again(
    server: FileServer, downloader: Downloader, tmp_path: Path
) -> None:
    (tmp_path / "model.bin.part").write_bytes(CONTENT)
    fetch(downloader, f"{server.url}/model.bin", tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    assert len(server.asked) == 1


@pytest.mark.parametrize("part", [b"\0" * 1000, CONTENT + b"more", b"\0" * 300_000])
def test_a_bad_part_is_thrown_away_and_begun_anew(
    server: FileServer, downloader: Downloader, tmp_path: Path, part: bytes
) -> None:
    (tmp_path / "model.bin.part").write_bytes(part)
    fetch(downloader, f"{server.url}/model.bin", tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    assert [span for _, span in server.asked] == [f"bytes={len(part)}-", ""]


def test_a_server_without_ranges_sends_all_of_it(
    server: FileServer, downloader: Downloader, tmp_path: Path
) -> None:
    (tmp_path / "model.bin.part").write_bytes(CONTENT[:1000])
    server.faults["/model.bin"] = [Fault(ignores_range=True)]
    fetch(downloader, f"{server.url}/model.bin", tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_broken_connection_is_resumed(
    server: FileServer, downloader: Downloader, tmp_path: Path
) -> None:
    server.faults["/model.bin"] = [Fault(cut_after_bytes=131_072), Fault(status=503)]
    fetch(downloader, f"{server.url}/model.bin", tmp_path / "model.bin")
    assert (tmp_path / "model.bin").read_bytes() == CONTENT
    spans = [span for _, span in server.asked]
    assert spans[0] == ""
    assert spans[1] == spans[2] == "bytes=131072-"


def test_tries_are_bounded(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    server.faults["/model.bin"] = [Fault(status=500)] * 10
    with pytest.raises(SourceError, match="HTTP status 500"):
        fetch(downloader, f"{server.url}/model.bin", tmp_path / "model.bin")
    assert len(server.asked) == IMPATIENT.attempts


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_final(
    server: FileServer, downloader: Downloader, tmp_path: Path, status: int
) -> None:
    server.faults["/model.bin"] = [Fault(status=status)]
    with pytest.raises(SourceError, match=f"HTTP status {status}"):
        fetch(downloader, f"{server.url}/model.bin", tmp_path / "model.bin")
    assert len(server.asked) == 1


def test_wrong_content_is_kept_nowhere(
    server: FileServer, downloader: Downloader, tmp_path: Path
) -> None:
    server.files["/model.bin"] = b"\0" + CONTENT[1:]
    with pytest.raises(SourceError, match=f"expected SHA-256 {sha256(CONTENT)}, got "):
        fetch(downloader, f"{server.url}/model.bin", tmp_path / "model.bin")
    assert list(tmp_path.iterdir()) == []
    assert len(server.asked) == 1


def test_more_than_the_whole_file_is_not_taken(
    server: FileServer, downloader: Downloader, tmp_path: Path
) -> None:
    server.files["/model.bin"] = CONTENT + b"more"
    with pytest.raises(SourceError, match="more than 300000 bytes"):
        fetch(downloader, f"{server.url}/model.bin", tmp_path / "model.bin", size_bytes=300_000)
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_is_away_is_asked_twice_and_never_again(
    downloader: Downloader, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{free_port()}/model.bin"
    with pytest.raises(SourceError, match="could not connect"):
        fetch(downloader, url, tmp_path / "model.bin")
    downloader.cancelled.set()  # would end a second wait between tries
    with pytest.raises(SourceError, match="could not connect"):
        fetch(downloader, url, tmp_path / "other.bin")


@pytest.mark.parametrize("url", ["gopher://x/y", "no address", "http://a:b/"])
def test_an_unusable_address_is_named(downloader: Downloader, tmp_path: Path, url: str) -> None:
    with pytest.raises(SourceError, match="not a usable address"):
        fetch(downloader, url, tmp_path / "model.bin")


def test_a_certificate_bundle_that_is_not_there_is_named(tmp_path: Path) -> None:
    downloader = Downloader(env={"PIP_CERT": str(tmp_path / "none.pem")}, retry=IMPATIENT)
    with pytest.raises(SourceError, match="PIP_CERT"):
        fetch(downloader, "http://127.0.0.1:9/", tmp_path / "model.bin")


def test_a_download_can_be_called_off(server: FileServer, tmp_path: Path) -> None:
    downloader = Downloader(env={}, retry=IMPATIENT)
    downloader.cancelled.set()
    with pytest.raises(CancelledError):
        fetch(downloader, f"{server.url}/model.bin", tmp_path / "model.bin")
    downloader.close()


def test_a_wait_can_be_called_off(server: FileServer, tmp_path: Path) -> None:
    downloader = Downloader(env={}, retry=Retry(base_secs=60, cap_secs=60))
    server.faults["/model.bin"] = [Fault(status=503)]
    threading.Timer(0.1, downloader.cancelled.set).start()
    began = time.monotonic()
    with pytest.raises(CancelledError):
        fetch(downloader, f"{server.url}/model.bin", tmp_path / "model.bin")
    assert time.monotonic() - began < 10
    downloader.close()


@given(st.integers(0, 50), st.floats(0, 1))
def test_waits_grow_to_a_bound(attempt: int, jitter: float) -> None:
    retry = Retry()
    assert retry.base_secs / 2 <= retry.delay_secs(attempt, jitter=jitter) <= retry.cap_secs
    assert retry.delay_secs(attempt, jitter=1) <= 2 * retry.delay_secs(attempt, jitter=0)


@given(st.lists(st.tuples(st.booleans(), st.booleans())))
def test_patience_ends_after_enough_tries_in_vain(tries: list[tuple[bool, bool]]) -> None:
    patience = Patience(Retry(attempts=5, connect_attempts=2))
    in_vain = 0
    for gained, unreachable in tries:
        patience.failed(gained=gained, unreachable=unreachable)
        in_vain = 0 if gained else in_vain + 1
        answered = patience.answered
        assert patience.is_over == (in_vain >= (5 if answered else 2))
    assert patience.answered == any(gained or not unreachable for gained, unreachable in tries)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at https://me:pass@host/a.whl", "at https://***@host/a.whl"),
        ("https://token@host/a?sig=1&x=2 failed", "https://***@host/a?*** failed"),
        ("https://host/a@b", "https://host/a@b"),
        ("nothing", "nothing"),
    ],
)
def test_secrets_in_addresses_are_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown
