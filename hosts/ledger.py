"""The names of the rooms that were made and not yet deleted, for whoever comes after a crash."""

from __future__ import annotations

from pathlib import Path

from loguru import logger


class Ledger:
    """An empty file per name. What cannot be written is only logged: rooms expire at the worst.

    Args:
        folder: Where the files are; made on first use. Without one nothing is kept.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def add(self, name: str) -> None:
        """It is about to be made."""
        if self._folder is None:
            return
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            (self._folder / name).touch(mode=0o600)
        except OSError as error:
            logger.warning("the room {} is not written down: {}", name, error.strerror)

    def drop(self, name: str) -> None:
        """It is gone."""
        if self._folder is None:
            return
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            logger.warning("the room {} stays written down: {}", name, error.strerror)

    def names(self) -> list[str]:
        """Those that are not gone, as far as anybody knows."""
        if self._folder is None or not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir())
