"""What `models.toml` says: each model's files by hash, and where each can be had."""

from __future__ import annotations

import difflib
import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from errors import ConfigError
from providers.store import Blob

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Pin = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.]*$")]
"""One exact version of one package, `NAME==VERSION`."""
NpmPin = Annotated[
    str, StringConstraints(pattern=r"^(@[a-z0-9-]+/)?[a-z0-9][a-z0-9._-]*@[0-9][A-Za-z0-9.-]*$")
]
"""One exact version of one package of the npm registry, `NAME@VERSION`."""
Web = Annotated[str, StringConstraints(pattern=r"^https?://")]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InstalledSource(_Table):
    """A file of a distribution that is installed in this environment anyway."""

    installed: Pin
    path: str

    def __str__(self) -> str:
        """The source in words."""
        return f"installed package {self.installed}"


class HubSource(_Table):
    """A file of a repository on the model hub."""

    hub: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]
    path: str
    revision: str

    def __str__(self) -> str:
        """The source in words."""
        return f"hub {self.hub}"


class UrlSource(_Table):
    """A file at an address of its maker's."""

    url: Web

    def __str__(self) -> str:
        """The source in words."""
        return self.url


class Member(_Table):
    """A file in a package's wheel. The wheel is unzipped, never installed or imported."""

    package: Pin
    path: str


class PackageSource(Member):
    """A file that lies whole in a package's wheel."""

    def __str__(self) -> str:
        """The source in words."""
        return f"package {self.package}"


class PartsSource(_Table):
    """A file that lies in pieces in several wheels; joined in this order."""

    parts: Annotated[tuple[Member, ...], Field(min_length=2)]

    def __str__(self) -> str:
        """The source in words."""
        return f"{len(self.parts)} packages, {self.parts[0].package} to {self.parts[-1].package}"


class NpmSource(_Table):
    """A file in a package of the npm registry, which the user's own npm brings."""

    npm: NpmPin
    path: str

    def __str__(self) -> str:
        """The source in words."""
        return f"npm package {self.npm}"


Source = InstalledSource | HubSource | UrlSource | PackageSource | PartsSource | NpmSource


class ModelFile(_Table):
    """One file of a model, and where it can be had, best source first."""

    name: FileName
    sha256: Sha256
    size_bytes: int = Field(gt=0)
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]

    @property
    def blob(self) -> Blob:
        """The file's identity in the store."""
        return Blob(self.sha256, self.size_bytes)


class ModelSpec(_Table):
    """A model: a set of files that belong together."""

    summary: str
    licence: str
    notes: str = ""
    files: Annotated[tuple[ModelFile, ...], Field(min_length=1)]

    @property
    def size_bytes(self) -> int:
        """Size of all files together."""
        return sum(file.size_bytes for file in self.files)


class Manifest(_Table):
    """The content of `models.toml`."""

    models: dict[FileName, ModelSpec]

    def spec(self, name: str) -> ModelSpec:
        """Look a model up.

        Raises:
            ConfigError: There is none of that name; the message says which is nearest.
        """
        if found := self.models.get(name):
            return found
        near = difflib.get_close_matches(name, self.models, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(self.models)}."
        raise ConfigError(f"There is no model {name!r}. {hint}", code="unknown_model")


@cache
def load_manifest() -> Manifest:
    """Read the list of models that Offhook ships."""
    text = Path(__file__).with_name("models.toml").read_text("utf-8")
    return Manifest.model_validate(tomllib.loads(text))


def in_words(size_bytes: int) -> str:
    """A size as people say it."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if size_bytes >= scale:
            return f"{size_bytes / scale:.3g} {unit}"
    return f"{size_bytes / 1e3:.3g} kB"
