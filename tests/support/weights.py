"""Small models of random bytes, and packages that hold them."""

from __future__ import annotations

import hashlib
import io
import random
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest
from pydantic import JsonValue

from providers.downloads import SourceError
from providers.manifest import Manifest
from providers.wheels import Wheel

SourceTable = Mapping[str, JsonValue]


def some_bytes(count: int, *, seed: int = 1) -> bytes:
    """Bytes that look like weights: they do not compress."""
    return random.Random(seed).randbytes(count)


def sha256(content: bytes) -> str:
    """Hash of bytes, as `models.toml` holds it."""
    return hashlib.sha256(content).hexdigest()


def file_table(name: str, content: bytes, *sources: SourceTable) -> dict[str, JsonValue]:
    """One file as `models.toml` would have it."""
    return {
        "name": name,
        "sha256": sha256(content),
        "size_bytes": len(content),
        "sources": [dict(source) for source in sources],
    }


def manifest(**models: Sequence[Mapping[str, JsonValue]]) -> Manifest:
    """A list of models, each with these files."""
    tables = {
        name: {"summary": f"The model {name}", "licence": "MIT", "files": list(files)}
        for name, files in models.items()
    }
    return Manifest.model_validate({"models": tables})


def wheel(**members: bytes) -> bytes:
    """A wheel's bytes; `__` in a name stands for a slash."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name.replace("__", "/"))  # the same bytes each time
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def never(*_: object, **__: object) -> NoReturn:
    """Stands in for what must not be called."""
    pytest.fail("this must not be called")


@dataclass
class FakeIndex:
    """A package index that knows what it was told."""

    wheels: dict[str, Wheel] = field(default_factory=dict[str, Wheel])
    by_client: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """Wheels that only the index's own client can bring."""
    located: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])

    def locate(self, pins: Sequence[str]) -> dict[str, Wheel]:
        """Say where the wheels are."""
        self.located.append(tuple(pins))
        if unknown := [pin for pin in pins if pin not in {**self.wheels, **self.by_client}]:
            raise SourceError(f"no such package: {unknown[0]}")
        return {pin: self.wheels[pin] for pin in pins if pin in self.wheels}

    def download(self, pin: str, folder: Path) -> Path:
        """Bring a wheel here."""
        if pin not in self.by_client:
            raise SourceError(f"the client has no {pin}")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{pin}.whl"
        path.write_bytes(self.by_client[pin])
        return path


@dataclass
class Lines:
    """Remembers what a pull told."""

    said: list[str] = field(default_factory=list[str])
    progress: list[tuple[str, int, int]] = field(default_factory=list[tuple[str, int, int]])

    def say(self, line: str) -> None:
        """Remember the line."""
        self.said.append(line)

    def moved(self, label: str, done_bytes: int, total_bytes: int) -> None:
        """Remember the progress."""
        self.progress.append((label, done_bytes, total_bytes))
