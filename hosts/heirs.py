"""The processes of calls that an earlier server left: found, waited for, or ended."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path

from loguru import logger

from hosts.channel import ChannelClosedError
from hosts.identity import kill_noted
from hosts.offspring import Child
from hosts.rundir import call_notes, call_sockets, noted_call
from hosts.vitals import process_state

STATE_SECS = 2.0
"""How long one may take to say what it does."""
_DEATH_SECS = 5.0
"""How long one that was killed may take to be gone."""
_POLL_SECS = 0.05


class Heirs:
    """Looks for them once, and then only for those that did not answer.

    Whoever appears later was made by this server, and is nobody's to find.

    Args:
        run: The run directory.
    """

    def __init__(self, run: Path) -> None:
        self._run = run
        self._silent: list[Path] | None = None

    @property
    def silent(self) -> int:
        """How many are there and have not said what they do."""
        return len(self._silent or ())

    async def find(self, *, ours: Collection[str]) -> list[Child]:
        """Those that take a call, all asked at once; what nobody listens on is removed.

        Args:
            ours: Names of the processes that this server made.
        """
        paths = self._all() if self._silent is None else self._silent
        asked = [path for path in paths if path.stem not in ours]
        self._silent = []
        found = await asyncio.gather(*(self._ask(path) for path in asked))
        return [child for child in found if child]

    async def end(self) -> int:
        """End those that never answered (SIGKILL), and wait until they are gone; how many."""
        silent, self._silent = self._silent or [], []
        ended = [pid for path in silent if (pid := _kill(path)) is not None]
        try:
            async with asyncio.timeout(_DEATH_SECS):
                while any(process_state(pid) not in (None, "Z") for pid in ended):  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_SECS)
        except TimeoutError:
            logger.error("processes of calls cannot be ended: {}", ended)
        return len(ended)

    def _all(self) -> list[Path]:
        paths = call_sockets(self._run)
        for orphan in {*call_notes(self._run)} - {noted_call(path) for path in paths}:
            orphan.unlink(missing_ok=True)
        return paths

    async def _ask(self, path: Path) -> Child | None:
        try:
            return await Child.find(path, timeout_secs=STATE_SECS)
        except ChannelClosedError as error:
            cause = error.__cause__
            if isinstance(cause, ConnectionRefusedError | FileNotFoundError):
                _forget(path)
            else:
                logger.warning("a call's process does not answer yet: {}", error.message)
                assert self._silent is not None
                self._silent.append(path)
        return None


def _kill(path: Path) -> int | None:
    """End who listens at `path`; its process number, None if it is gone or not known."""
    try:
        pid = kill_noted(noted_call(path))
    except (OSError, ValueError) as error:
        logger.error("nobody knows which process listens at {}: {}", path.name, error)
        return None
    if pid is not None:
        logger.error("the process {} of a call never answered and was killed", pid)
    _forget(path)
    return pid


def _forget(path: Path) -> None:
    path.unlink(missing_ok=True)
    noted_call(path).unlink(missing_ok=True)
