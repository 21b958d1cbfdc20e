"""The socket that a server is reached at."""

from __future__ import annotations

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
