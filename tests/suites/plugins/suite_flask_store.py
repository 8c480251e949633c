"""The plugin suite_flask, with sessions in a store and a list of revocations."""

from __future__ import annotations

import flask
from suite_flask import CountedInterface, pytest_sessionfinish

from iron_wsgi.revocation import MemoryRevocations
from iron_wsgi.stores import MemoryStore

__all__ = ["pytest_sessionfinish"]

flask.Flask.session_interface = CountedInterface(
    storage="store", store=MemoryStore(), revocations=MemoryRevocations()
)
