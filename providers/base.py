"""What every provider is: a frozen settings model that can say what it needs and build itself."""

from __future__ import annotations

import importlib
import os
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, ClassVar, Protocol, TypeVar

from pydantic import BaseModel, Field

from errors import MissingError

T = TypeVar("T")


class _PerCallMarker:
    """Marks a field that a caller of the API may override for one call."""


PER_CALL = _PerCallMarker()
PerCall = Annotated[T, PER_CALL]


def is_set(name: str) -> bool:
    """Whether the environment variable `name` holds something."""
    return bool(os.environ.get(name))


def secret(name: str) -> str:
    """Return the environment variable `name`.

    Raises:
        MissingError: The variable is unset or empty; the message names it.
    """
    value = os.environ.get(name, "")
    if not value:
        raise MissingError(f"The environment variable {name} is not set. Set it and try again.")
    return value


@dataclass(frozen=True)
class Sidecar:
    """A process of ours that a provider talks to over HTTP on loopback.

    Started as `python -m MODULE --port PORT ARGS...`; ready when GET `health_path` answers 200.
    Two stages that describe the same sidecar (equal `name`) share one process.
    """

    name: str
    """Unique for module and arguments, for instance `llama_cpp-qwen2.5-coder-0.5b`."""
    module: str
    args: tuple[str, ...] = ()
    health_path: str = "/health"
    ready_timeout_secs: float = 120.0


class Site(Protocol):
    """Where a pipeline is built: knows the weights on this machine and the sidecars' addresses."""

    def weights(self, name: str) -> Path:
        """Folder that holds the verified files of the model `name` of `models.toml`.

        Raises:
            MissingError: They are not on this machine; the message says how to get them.
        """
        ...

    def url(self, sidecar: str) -> str:
        """Base URL (`http://127.0.0.1:PORT`) of the running sidecar of that name."""
        ...


class StageConfig(BaseModel, frozen=True, extra="forbid"):
    """Settings of one stage. Subclasses are frozen, refuse unknown keys, and hold no secret."""

    env: ClassVar[tuple[str, ...]] = ()
    """Environment variables that must be set."""
    extra: ClassVar[str | None] = None
    """The extra of the distribution (`offhook[EXTRA]`) that brings the packages."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Importable modules that must be installed."""
    needs_network: ClassVar[bool] = False
    """Whether calls leave this machine."""

    provider: str

    def weights(self) -> tuple[str, ...]:
        """Names of the models in `models.toml` that must be on this machine."""
        return ()

    def sidecars(self, site: Site) -> tuple[Sidecar, ...]:
        """Processes that must run before `build()`."""
        return ()


def choices(package: ModuleType, base: type[StageConfig]) -> Any:
    """The union of every `base` subclass in `package`'s modules, discriminated by `provider`.

    Importing the modules is cheap by rule: vendor SDKs are imported inside `build()`.
    """
    found: list[type[StageConfig]] = []
    for info in pkgutil.iter_modules(package.__path__, prefix=f"{package.__name__}."):
        if info.name.rpartition(".")[2].startswith("_"):
            continue
        module = importlib.import_module(info.name)
        found += [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, base)
            and value.__module__ == module.__name__
        ]
    union: Any = found[0]
    for config in found[1:]:
        union = union | config
    return Annotated[union, Field(discriminator="provider")] if len(found) > 1 else union
