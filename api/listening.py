"""The socket that a server is reached at."""

from __future__ import annotations

import resource
import socket

from errors import ConfigError


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything is loaded, so that a taken port is said at once.

    Raises:
        ConfigError: The address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        shown = f"[{host}]" if ":" in host else host
        raise ConfigError(
            f"Cannot serve on {shown}:{port}: {error.strerror}. Is another "
            "server running? Choose another port with --port.",
            code="port_taken",
            field="port",
        ) from error
    return listener


def allow_connections() -> None:
    """Let this process have as many descriptors as it may.

    The usual limit of 1024 is there for programs that call `select`, and idle connections would
    use it up, so that no process could be had for a call.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
