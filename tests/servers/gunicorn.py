"""Gunicorn with two worker processes, and a client that keeps its connection."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from typing_extensions import Self

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
WORKERS: Final = 2
THREADS: Final = 8  # of each worker
WITHIN: Final = 30.0  # seconds for anything to happen

_DELETION: Final = re.compile(r"; *max-age=0 *(;|$)", re.IGNORECASE)


class Answer(NamedTuple):
    """What a server answered.

    Attributes:
        status: The status code.
        cookies: The Set-Cookie lines.
        retry_after: The header of that name; None without it.
        said: The body; JSON is decoded.
    """

    status: int
    cookies: tuple[str, ...]
    retry_after: str | None
    said: Any

    @property
    def deletes(self) -> bool:
        """Whether nothing is left of the session's cookie."""
        return bool(self.cookies) and not self.value

    @property
    def value(self) -> str:
        """The value of the cookie that is set; empty if none is."""
        pairs = [line.partition(";")[0] for line in self.cookies if not _DELETION.search(line)]
        assert len(pairs) <= 1, "one cookie is enough"
        return pairs[0].partition("=")[2] if pairs else ""


class Connection:
    """Asks one site, over one connection, as long as that holds.

    Bare sockets: the standard library's client takes longer for an answer than the server.
    """

    def __init__(self, port: int, cookie_name: str) -> None:
        """Nothing is connected yet."""
        self._address = ("127.0.0.1", port)
        self._cookie_name = cookie_name
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def ask(self, route: str, cookie: str = "", /, **values: Any) -> Answer:
        """Make one request with the session's cookie; *values* go as JSON."""
        body = json.dumps(values).encode() if route.startswith("POST") else b""
        lines = [f"{route} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
        if cookie:
            lines.append(f"Cookie: {self._cookie_name}={cookie}")
        request = "\r\n".join([*lines, "", ""]).encode() + body
        if self._socket is not None:
            try:
                return self._exchange(self._socket, request)
            except (ConnectionError, EOFError):
                self.close()  # it was idle for longer than the server likes
        self._socket = socket.create_connection(self._address, timeout=WITHIN)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._exchange(self._socket, request)

    def _exchange(self, connection: socket.socket, request: bytes) -> Answer:
        connection.sendall(request)
        with connection.makefile("rb") as answer:
            status = answer.readline()
            if not status:
                raise EOFError
            headers: dict[str, list[str]] = {}
            while line := answer.readline().strip():
                name, _, value = line.decode("latin-1").partition(": ")
                headers.setdefault(name.lower(), []).append(value)
            if "content-length" in headers:
                octets = answer.read(int(headers["content-length"][0]))
            else:  # in chunks, each after a line with its length
                octets = b""
                while length := int(answer.readline(), 16):
                    octets += answer.read(length + 2)[:-2]
                answer.readline()
        if headers.get("connection") == ["close"]:
            self.close()
        is_json = headers.get("content-type") == ["application/json"]
        (retry_after,) = headers.get("retry-after", [None])
        return Answer(
            int(status.split()[1]),
            tuple(headers.get("set-cookie", ())),
            retry_after,
            json.loads(octets) if is_json else octets,
        )


class Gunicorn(NamedTuple):
    """A running server.

    Attributes:
        port: Where it listens.
        cookie_name: What its sessions' cookie is called.
        log: What it says.
    """

    port: int
    cookie_name: str
    log: Path

    def connect(self) -> Connection:
        """Return a new client."""
        return Connection(self.port, self.cookie_name)

    def connect_to_each(self, page: str) -> list[Connection]:
        """Return clients whose connections are with different workers, all of them; *page* tells which."""
        found: dict[int, Connection] = {}
        give_up_at = time.monotonic() + WITHIN
        while len(found) < WORKERS:
            assert time.monotonic() < give_up_at, "some worker never answered"
            clients = [self.connect() for _ in range(THREADS)]
            for client in clients:
                found.setdefault(client.ask(page).said["worker"], client)
            for client in clients:
                if client not in found.values():
                    client.close()
        return list(found.values())


@contextmanager
def serving(application: str, folder: Path, cookie_name: str, **environ: str) -> Iterator[Gunicorn]:
    """Run *application*, named as gunicorn wants it; stop it by its process id."""
    log = folder / "gunicorn.log"
    # The socket is ours: its port is known at once, and who comes before the workers waits in line.
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener, log.open("ab") as output:
        # Who accepts from it inherits this; else head and body wait for each other, 40 ms at each answer.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        command = [sys.executable, "-m", "gunicorn", "--no-control-socket"]
        command += [f"--bind=fd://{listener.fileno()}", f"--workers={WORKERS}", f"--threads={THREADS}"]
        process = subprocess.Popen(
            [*command, "--graceful-timeout=1", application],
            cwd=ROOT,
            env={**os.environ, **environ},
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Gunicorn(listener.getsockname()[1], cookie_name, log)
        finally:
            process.terminate()
            try:
                process.wait(WITHIN)
            finally:
                process.kill()
                process.wait()
    assert "Traceback" not in log.read_text()
