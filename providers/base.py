"""What every provider is: a frozen settings model that can say what it needs and build itself."""

from __future__ import annotations

import importlib
import os
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, ClassVar, Protocol, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, Field

from errors import ConfigError, MissingError
from providers.addresses import of_this_machine
from records.redact import hide

T = TypeVar("T")


class _PerCallMarker:
    """Marks a field that a caller of the API may override for one call."""


PER_CALL = _PerCallMarker()
PerCall = Annotated[T, PER_CALL]


VENDORS = "OFFHOOK_VENDORS"
"""The variable that sends every call to a vendor to simulated ones on this machine instead."""


def simulated_vendors() -> str | None:
    """Base URL of the simulated vendors (`http://127.0.0.1:PORT`), if calls are to go there.

    Raises:
        ConfigError: The address is not of this machine.
    """
    url = os.environ.get(VENDORS, "")
    if not url:
        return None
    if not (url.startswith("http://") and of_this_machine(url)):
        raise ConfigError(
            f"{VENDORS} is {url!r}; it must be http://127.0.0.1:PORT, as `offhook simulate` says.",
            field=VENDORS,
        )
    return url.rstrip("/")


def endpoint(vendor: str, base_url: str) -> str:
    """Where calls to `vendor` go: `base_url`, or its simulated twin, with the same path.

    Args:
        vendor: Name of the vendor, the first part of the path on the simulated vendors' server.
        base_url: The vendor's own, `https:` or `wss:`.
    """
    simulated = simulated_vendors()
    if simulated is None:
        return base_url
    parts = urlsplit(base_url)
    scheme = "ws" if parts.scheme in ("ws", "wss") else "http"
    return f"{scheme}{simulated.removeprefix('http')}/{vendor}{parts.path}"


def own_server(base_url: str) -> str:
    """Where calls to a server of the operator's own go, which may be a vendor's: `base_url`.

    Raises:
        ConfigError: Vendors are simulated, and the server is not of this machine.
    """
    if simulated_vendors() and not of_this_machine(base_url):
        raise ConfigError(
            f"{VENDORS} is set, so that no call leaves this machine, and base_url is "
            f"{base_url!r}. Unset it, or set base_url to a server of this machine.",
            field=VENDORS,
        )
    return base_url


def is_set(name: str) -> bool:
    """Whether the environment variable `name` holds something; simulated vendors need no key."""
    return bool(os.environ.get(name) or simulated_vendors())


def secret(name: str) -> str:
    """Return the environment variable `name`; no real one is shown to simulated vendors.

    From then on the value is hidden in whatever this process writes down or shows.

    Raises:
        MissingError: The variable is unset or empty; the message names it.
    """
    if simulated_vendors():
        return "simulated"
    value = os.environ.get(name, "")
    if not value:
        raise MissingError(f"The environment variable {name} is not set. Set it and try again.")
    hide(value)
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
    """Environment variables that must be set, whatever the settings."""
    extra: ClassVar[str | None] = None
    """The extra in `pyproject.toml` that brings the packages."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Importable modules that must be installed."""
    needs_network: ClassVar[bool] = False
    """Whether calls leave this machine."""

    provider: str

    def variables(self) -> tuple[str, ...]:
        """Environment variables that must be set, also those that a setting names."""
        return self.env

    def weights(self) -> tuple[str, ...]:
        """Names of the models in `models.toml` that must be on this machine."""
        return ()

    def sidecars(self, site: Site) -> tuple[Sidecar, ...]:
        """Processes that must run before `build()`."""
        return ()

    def server(self) -> str | None:
        """URL of a server of the operator's own that must answer; None for a vendor's cloud."""
        return None


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
