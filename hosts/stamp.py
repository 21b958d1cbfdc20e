"""What a process of ours was started from: equal stamps, equal behaviour."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
_PACKAGES = ("bots", "hosts", "pipelines", "processors", "providers", "records")
_SOURCES = {".md", ".py", ".toml"}
_PASSING = frozenset(
    {"_", "INVOCATION_ID", "JOURNAL_STREAM", "OLDPWD", "PWD", "PYTEST_CURRENT_TEST", "SHLVL"}
    | {"SYSTEMD_EXEC_PID"}
)
"""Variables that are new at each start and change nothing."""


def stamp(env: Mapping[str, str]) -> str:
    """Digest of the interpreter, the installed packages, our own code and `env`.

    Code counts by its files' names, sizes and times of change; some milliseconds.
    """
    digest = hashlib.sha256(f"{sys.version}\0{sys.executable}\0{ROOT}".encode())
    for path in _parts():
        found = path.stat()
        digest.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
    for name in sorted(set(env) - _PASSING):
        digest.update(f"{name}={env[name]}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _parts() -> Iterator[Path]:
    yield Path(sysconfig.get_path("purelib"))
    yield ROOT / "errors.py"
    for package in _PACKAGES:
        files = (path for path in (ROOT / package).rglob("*") if path.suffix in _SOURCES)
        yield from sorted(files)
