"""The weights of this machine: which models are here, where, and the commands about them.

A file is used only when its SHA-256 is the one in `models.toml`. Only `pull` reaches the network.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from errors import MissingError
from providers.manifest import Manifest, ModelFile, ModelSpec, in_words, load_manifest
from providers.store import BlobStore, State, Verdict, folder_error, models_dir

Hashed = Callable[[str, int, int], None]
"""Told the model and file, the bytes read so far, and the bytes in all."""


@dataclass(frozen=True)
class ModelRow:
    """One line of `offhook models list`."""

    name: str
    state: State
    size_bytes: int
    licence: str
    summary: str


@dataclass(frozen=True)
class FileRow:
    """One line of `offhook models verify`."""

    model: str
    file: str
    verdict: Verdict

    def __str__(self) -> str:
        """The line as a person reads it."""
        what = f"{self.model} {self.file}: {self.verdict.state}"
        if self.verdict.state != "damaged":
            return what
        return f"{what} (expected {self.verdict.expected}, got {self.verdict.got})"


class ModelStore:
    """The known models, and the folder that they are kept in."""

    def __init__(
        self,
        *,
        env: Mapping[str, str],
        offline: bool = False,
        manifest: Manifest | None = None,
    ) -> None:
        self.offline = offline
        self.env = env
        self.manifest = manifest or load_manifest()
        self.blobs = BlobStore(models_dir(self.env))

    def weights(self, name: str) -> Path:
        """Folder with the model's files, each verified.

        A file that is as it was when last hashed costs a `stat`; any other is read whole, about a
        second for a gigabyte.

        Raises:
            ConfigError: There is no such model.
            MissingError: A file is absent or is not what it should be.
        """
        try:
            for file in self.manifest.spec(name).files:
                verdict = self.blobs.check(file.blob)
                if verdict.state != "ok":
                    raise _unusable(name, file, verdict)
                self.blobs.link(file.blob, model=name, name=file.name)
        except OSError as error:
            raise folder_error(self.blobs.root, error) from error
        return self.blobs.model_dir(name)

    def missing(self, names: Iterable[str]) -> list[str]:
        """One sentence for each model that cannot be used; a few `stat` calls, reads no weights.

        Raises:
            ConfigError: There is no such model.
        """
        found = [self._lacks(name, self.manifest.spec(name)) for name in dict.fromkeys(names)]
        return [error.message for error in found if error]

    def rows(self) -> list[ModelRow]:
        """Every known model, and whether it is here; reads no weights."""
        return [self._row(name, spec) for name, spec in self.manifest.models.items()]

    def verify(self, names: Iterable[str] = (), *, hashed: Hashed | None = None) -> list[FileRow]:
        """Hash every file again; without names, of each model that is here in whole or in part."""
        chosen = list(dict.fromkeys(names)) or [
            name
            for name, spec in self.manifest.models.items()
            if any(self.blobs.glance(file.blob).state != "missing" for file in spec.files)
        ]
        return [
            FileRow(name, file.name, self._rehash(f"{name} {file.name}", file, hashed))
            for name in chosen
            for file in self.manifest.spec(name).files
        ]

    def _rehash(self, label: str, file: ModelFile, hashed: Hashed | None) -> Verdict:
        done_bytes = 0

        def advance(count: int) -> None:
            nonlocal done_bytes
            done_bytes += count
            if hashed:
                hashed(label, done_bytes, file.size_bytes)

        return self.blobs.rehash(file.blob, advance=advance)

    def _row(self, name: str, spec: ModelSpec) -> ModelRow:
        states: set[State] = {self.blobs.glance(file.blob).state for file in spec.files}
        return ModelRow(name, _worst(states), spec.size_bytes, spec.licence, spec.summary)

    def _lacks(self, name: str, spec: ModelSpec) -> MissingError | None:
        for file in spec.files:
            verdict = self.blobs.glance(file.blob)
            if verdict.state != "ok":
                return _unusable(name, file, verdict)
        return None


def list_models(store: ModelStore) -> int:
    """`offhook models list`: print every known model; the status that the shell sees."""
    cells = [("MODEL", "STATE", "SIZE", "LICENCE", "WHAT IT IS")]
    cells += [
        (row.name, row.state, in_words(row.size_bytes), row.licence, row.summary)
        for row in store.rows()
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for line in cells:
        padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        _print("  ".join(padded).rstrip())
    _print(f"in {store.blobs.root}")
    return 0


def pull(store: ModelStore, names: Iterable[str]) -> int:
    """`offhook models pull`: bring models here; the status that the shell sees.

    Raises:
        ConfigError: There is no such model.
        MissingError: A file could not be had; the message lists what was tried.
    """
    from providers.fetch import PullOptions
    from providers.fetch import pull as fetch
    from providers.progress import reporter

    specs = {name: store.manifest.spec(name) for name in names}
    options = PullOptions(env=store.env, offline=store.offline)
    with reporter(store.env) as watcher:
        fetch(specs, store.blobs, reporter=watcher, options=options)
    return 0


def verify(store: ModelStore, names: Iterable[str] | None = None) -> int:
    """`offhook models verify`: hash again; 1 if a file is not what it should be."""
    from providers.progress import reporter

    with reporter(store.env) as watcher:
        rows = store.verify(names or (), hashed=watcher.moved)
    for row in rows:
        _print(str(row))
    if not rows:
        _print(f"no weights in {store.blobs.root}")
    bad = dict.fromkeys(row.model for row in rows if row.verdict.state != "ok")
    if bad:
        _print(f"Run `offhook models pull {' '.join(bad)}` to repair.")
    return int(bool(bad))


def _worst(states: set[State]) -> State:
    if "damaged" in states:
        return "damaged"
    return "missing" if "missing" in states else "ok"


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _unusable(name: str, file: ModelFile, verdict: Verdict) -> MissingError:
    if verdict.state == "missing":
        return MissingError(
            f"The weights of {name} are not on this machine ({file.name} is absent). "
            f"Run `offhook models pull {name}`.",
            code="weights_missing",
        )
    return MissingError(
        f"The weights of {name} are damaged and are not used: {file.name} should be "
        f"{verdict.expected} but is {verdict.got}. Run `offhook models pull {name}` to repair it.",
        code="weights_damaged",
    )
