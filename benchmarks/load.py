"""A load generator in a process of its own: jobs are lines of JSON, and so are the seconds that they took.

``python -m benchmarks.load`` is started by `benchmarks.gunicorn`. It does as little as it can, to leave the
processor to the servers. The sync workers of gunicorn close every connection, so there is none to keep.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections import deque
from typing import Final

DEPTH: Final = 8  # requests under way at once: enough to keep two workers busy
PATIENCE: Final = 30.0  # seconds without an octet


def main() -> None:
    """Do jobs until there are no more."""
    for line in sys.stdin:
        job = json.loads(line)
        seconds, busy = load(job["port"], job["request"].encode(), job["calls"])
        print(json.dumps({"seconds": seconds, "busy": busy}), flush=True)


def load(port: int, request: bytes, calls: int) -> tuple[float, float]:
    """Ask so many times; return the seconds, and how many of them this process itself was at work."""
    waiting: deque[socket.socket] = deque()
    began, worked = time.perf_counter(), time.process_time()
    for _ in range(calls):
        if len(waiting) == DEPTH:
            _finish(waiting.popleft())
        connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        connection.sendall(request)
        waiting.append(connection)
    while waiting:
        _finish(waiting.popleft())
    return time.perf_counter() - began, time.process_time() - worked


def _finish(connection: socket.socket) -> None:
    """Read an answer to its end."""
    with connection:
        answer = connection.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200 "):
            msg = f"the server answered {answer[:100]!r}"
            raise RuntimeError(msg)
        while connection.recv(65536):
            pass


if __name__ == "__main__":
    main()
