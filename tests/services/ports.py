"""Ports for servers that are stopped and started again."""

from __future__ import annotations

import random
import socket
from typing import Final

# Below what Linux (32768 and up) and macOS (49152 and up) give to connections and to whoever asks for any
# port, so that nobody takes one while its server is down. Drawn, so that processes which test at once hardly
# ever want the same; each once, since a server may be given its port long before it is started.
_PORTS: Final = iter(random.sample(range(20_000, 32_000), 12_000))


def free_port() -> int:
    """Return a port of this machine that nobody listens on, and another at each call."""
    return next(filter(_is_free, _PORTS))


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
