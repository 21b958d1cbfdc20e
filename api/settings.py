"""What `offhook serve` was told, and what it refuses to be told."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from errors import ConfigError

if TYPE_CHECKING:
    from hosts.house import HouseSettings

DEFAULT_PORT = 7860


@dataclass(frozen=True)
class ServerSettings:
    """What `offhook serve` was told."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    offline: bool = False
    data_dir: Path = Path("data")
    api_keys: str = ""
    metrics_key: str = ""
    """Opens the figures and nothing else."""
    pipeline: str = "local"
    """The pipeline of calls that name none: a preset's name, or a TOML file."""
    house: HouseSettings | None = None
    """How callers come in, how many, how calls begin and end."""

    @property
    def address(self) -> str:
        """Host and port as a browser wants them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def check(self) -> None:
        """Refuse what would open the server to everybody.

        Raises:
            ConfigError: Others can reach the server and no key is set.
        """
        transports = self.house.transports if self.house else None
        phone = transports.twilio if transports else None
        reached = phone.public_url if phone and phone.is_public else ""
        if self.api_keys.strip(" ,") or (self.is_loopback and not reached):
            return
        raise ConfigError(
            f"{reached or self.host} can be reached from other machines, and everybody there could "
            "make calls at your cost. Set OFFHOOK_API_KEYS (one or more keys, separated by "
            "commas), or serve on 127.0.0.1 without OFFHOOK_PUBLIC_URL.",
            code="keys_needed",
            field="OFFHOOK_PUBLIC_URL" if reached else "host",
        )
