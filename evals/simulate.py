"""`offhook simulate`: every vendor on this machine, so that a cloud pipeline needs no key."""

from __future__ import annotations

import asyncio
import os
import signal
import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from errors import ConfigError
from evals.simulators.behaviour import SERVICES, Behaviour
from evals.simulators.vendors import Vendors
from pipelines.config import nearest
from providers.base import VENDORS

_HINT = """Simulated vendors are at {url}; Ctrl-C ends them. To talk with a cloud pipeline on them:

    {variable}={url} offhook serve --pipeline cloud
"""


def read_behaviour(path: Path | None) -> Behaviour:
    """Read how the vendors shall behave: a TOML file of `Behaviour`; the default without one.

    Raises:
        ConfigError: The file cannot be used; the message names what in it.
    """
    if path is None:
        return Behaviour()
    try:
        behaviour = Behaviour.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.", code="unreadable") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.", code="not_toml") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: {field}: {first['msg']}.", field=field) from error
    for name in behaviour.unknown():
        raise ConfigError(
            f"{path}: faults.{name}: nobody plays {name!r}{nearest(name, list(SERVICES))}.",
            field=f"faults.{name}",
        )
    return behaviour


async def simulate(behaviour: Behaviour, *, port: int, command: Sequence[str] = ()) -> int:
    """Serve until interrupted, or until `command`, run on the simulated vendors, has ended.

    Returns:
        The status that the shell sees: the command's.

    Raises:
        ConfigError: The port is taken, or there is no such command.
    """
    vendors = Vendors(behaviour, port=port)
    try:
        async with vendors:
            if command:
                return await _run(command, vendors.url)
            print(_HINT.format(url=vendors.url, variable=VENDORS), flush=True)  # noqa: T201
            await asyncio.Event().wait()
    except OSError as error:
        raise ConfigError(
            f"Cannot simulate on port {port}: {error.strerror}. Choose another with --port.",
            code="port_taken",
            field="port",
        ) from error
    return 0


async def _run(command: Sequence[str], url: str) -> int:
    try:
        process = await asyncio.create_subprocess_exec(*command, env=_environment(url))
    except FileNotFoundError as error:
        raise ConfigError(f"There is no command {command[0]!r}.", field="command") from error
    loop = asyncio.get_running_loop()
    # The terminal sends Ctrl-C to both: the command ends in its own time, then this does.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    loop.add_signal_handler(signal.SIGTERM, process.terminate)
    return await process.wait()


def _environment(url: str) -> dict[str, str]:
    return os.environ | {VENDORS: url}  # noqa: TID251 - handed on whole to the command
