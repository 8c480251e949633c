"""Serves one of the example projects on this machine, for a person to look at: what `scripts/demo` runs.

It needs nothing but what iron_wsgi itself needs. It is no server for production.
"""

from __future__ import annotations

import argparse
import http.client
import importlib
import re
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Final, NamedTuple

from werkzeug.serving import BaseWSGIServer, make_server

HOST: Final = "127.0.0.1"
FIRST_PORT: Final = 8000
PORTS_TRIED: Final = 100
FETCH_TIMEOUT: Final = 10  # seconds

DEMOS: Final = {
    "wsgi": "example_projects.wsgi_playground.app",
    "flask": "example_projects.flask_login.demo",
    "django": "example_projects.django_site.demo",
}
"""The module of each demo: `application`, a WSGI callable, and `ACCOUNT`, a user's name and password."""


class Arguments(NamedTuple):
    """The command line."""

    demo: str
    port: int | None
    check: bool


def parse(arguments: list[str]) -> Arguments:
    """Read the command line.

    Raises:
        SystemExit: It cannot be read (code 2), or help was asked for (code 0).
    """
    parser = argparse.ArgumentParser(prog="scripts/demo", description="Serve a demo on this machine.")
    parser.add_argument("demo", nargs="?", choices=DEMOS, default="wsgi", help="which one (default: wsgi)")
    default = f"{FIRST_PORT} or the next free one"
    parser.add_argument("--port", type=int, metavar="N", help=f"this port and no other (default: {default})")
    parser.add_argument("--check", action="store_true", help="fetch the first page, say what came, and end")
    read = parser.parse_args(arguments)
    if read.port is not None and not 0 <= read.port <= 65535:
        parser.error(f"argument --port: {read.port} is not between 0 and 65535")
    return Arguments(read.demo, read.port, read.check)


def listen(port: int | None) -> socket.socket:
    """Listen on `port`, or on the first free one from 8000 on.

    Raises:
        OSError: The port, or every port tried, is taken.
    """
    ports = [port] if port is not None else list(range(FIRST_PORT, FIRST_PORT + PORTS_TRIED))
    for candidate in ports:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # Connections of a demo that just ended linger for a minute; its successor gets the same address.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, candidate))
            listener.listen()
        except OSError:
            listener.close()
            if candidate == ports[-1]:
                raise
        else:
            return listener
    raise AssertionError


def fetch(server: BaseWSGIServer) -> int:
    """Fetch the first page over HTTP, print what came, and return the exit code: 0 if it is a page."""
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    connection = http.client.HTTPConnection(HOST, server.port, timeout=FETCH_TIMEOUT)
    try:
        connection.request("GET", "/")
        response = connection.getresponse()
        page = response.read()
        kind = response.getheader("Content-Type", "no content type")
        print(f"GET / answered {response.status} {response.reason}: {kind}, {len(page)} bytes")
        if title := re.search(rb"<title>(.*?)</title>", page):
            print(f"Its title: {title[1].decode()}")
    finally:
        connection.close()
        server.shutdown()
        serving.join()
    return 0 if response.status == http.client.OK and page else 1


def main(arguments: list[str]) -> int:
    """Serve until told to stop. Return the exit code."""
    # A shell starts what runs in its background with SIGINT ignored, and SIGTERM would end a server unsaid.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    read = parse(arguments)
    # The demos are found beside this file, wherever it is run from.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    demo = importlib.import_module(DEMOS[read.demo])
    try:
        listener = listen(read.port)
    except OSError as error:
        print(f"Port {read.port or FIRST_PORT} on {HOST}: {error.strerror}.", file=sys.stderr)
        return 1
    with listener:
        port = listener.getsockname()[1]
        server = make_server(HOST, port, demo.application, threaded=True, fd=listener.fileno())
    user, password = demo.ACCOUNT
    print(f"The {read.demo} demo is at http://{HOST}:{port}/")
    print(f"Sign in as {user} with the password {password}.")
    if read.check:
        return fetch(server)
    try:
        print("Ctrl-C stops it.", flush=True)
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()  # it came before the server's own loop, which ends by itself
    print("Stopped.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
