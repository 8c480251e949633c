"""The Django site of `tests.servers`, with the sessions of a Node application: a program for `test_live_ids`.

Its arguments are the number of an open socket, to be served by waitress, the port of a Redis, and what
`IdVault` is given, as a Python literal. The rest is in the environment, as `tests.servers.django_site` says.
"""

from __future__ import annotations

import ast
import socket
import sys

import waitress  # type: ignore[import-untyped]
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from redis import Redis

from iron_wsgi import IdVault
from tests.servers.django_site import set_up


def main(descriptor: str, redis: str, arguments: str) -> None:
    """Serve the site."""
    set_up()
    settings.IRON_SESSION["vault"] = IdVault(Redis(port=int(redis)), **ast.literal_eval(arguments))
    site = get_wsgi_application()
    waitress.serve(site, sockets=[socket.socket(fileno=int(descriptor))], threads=2)


if __name__ == "__main__":
    main(*sys.argv[1:])
