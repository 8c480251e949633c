"""Parsers of the options' values: each returns the checked value or raises ConfigError."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, NoReturn

from iron_wsgi.cookies.cookie import MAX_CHUNKS
from iron_wsgi.cookies.options import CookieOptions
from iron_wsgi.errors import ConfigError
from iron_wsgi.revocation.revocations import Revocations
from iron_wsgi.revocation.urls import open_revocations
from iron_wsgi.seals.keys import check_iterations
from iron_wsgi.stores.store import Store
from iron_wsgi.stores.urls import open_store
from iron_wsgi.times import seconds


def as_given(value: Any, _name: str) -> Any:
    """Return *value*; `SessionOptions` checks it later."""
    return value


def flag(value: Any, name: str) -> bool:
    """Return a bool."""
    if not isinstance(value, bool):
        refuse(name, "must be True or False", value)
    return value


def optional_seconds(value: Any, name: str) -> float | None:
    """Return seconds, or None."""
    return None if value is None else seconds(value, name)


def timeout(value: Any, name: str) -> float | None:
    """Return more than 0 seconds, or None."""
    duration = optional_seconds(value, name)
    if duration == 0:
        refuse(name, "must be positive, or None for no such limit", value)
    return duration


def positive(value: object, name: str) -> int:
    """Return an integer of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        refuse(name, "must be an integer of at least 1", value)
    return value


def rounds(value: Any, name: str) -> int:
    """Return a number of PBKDF2 rounds."""
    check_iterations(positive(value, name))
    return int(value)


def chunks(value: Any, name: str) -> int:
    """Return a number of chunks."""
    count = positive(value, name)
    if count > MAX_CHUNKS:
        refuse(name, f"must be at most {MAX_CHUNKS}, which is what is read", value)
    return count


def one_of(*choices: str) -> Callable[[Any, str], Any]:
    """Return a parser of one of *choices*."""

    def parse(value: Any, name: str) -> Any:
        if value not in choices:
            refuse(name, f"must be one of {', '.join(map(repr, choices))}", value)
        return value

    return parse


def some_of(*choices: str) -> Callable[[Any, str], Any]:
    """Return a parser of a tuple of *choices*."""

    def parse(value: Any, name: str) -> Any:
        if not isinstance(value, (tuple, list)) or not all(one in choices for one in value):
            refuse(name, f"must be a tuple of {', '.join(map(repr, choices))}", value)
        return tuple(value)

    return parse


def has(*methods: str) -> Callable[[Any, str], Any]:
    """Return a parser of objects with *methods*."""

    def parse(value: Any, name: str) -> Any:
        if not all(callable(getattr(value, method, None)) for method in methods):
            refuse(name, f"must be an object with {' and '.join(methods)}", value)
        return value

    return parse


def function(value: Any, name: str) -> Any:
    """Return a function, or None."""
    if value is not None and not callable(value):
        refuse(name, "must be callable", value)
    return value


def text(value: Any, name: str) -> str:
    """Return a non-empty string."""
    if not isinstance(value, str) or not value:
        refuse(name, "must be a non-empty string", value)
    return value


def generate_id() -> str:
    """Return a session id of 256 random bits."""
    return secrets.token_urlsafe(32)


def id_source(value: Any, name: str) -> Any:
    """Return a function that makes ids."""
    return generate_id if value is None else function(value, name)


def cookie_options(value: Any, _name: str) -> CookieOptions:
    """Return the attributes of a cookie."""
    return CookieOptions.parse(value)


def store(value: Any, name: str) -> Store | None:
    """Return a store, the store at a URL, or None."""
    if isinstance(value, str):
        return open_store(value)
    if value is not None and not isinstance(value, Store):
        refuse(name, "must be a Store, a URL, or CacheStore(cache)", type(value))  # it may hold a password
    return value


def revocations(value: Any, name: str) -> Revocations | None:
    """Return a list of revocations, the list at a URL, or None."""
    if isinstance(value, str):
        return open_revocations(value)
    if value is not None and not isinstance(value, Revocations):
        refuse(name, "must inherit from Revocations, or be a URL", type(value))
    return value


def subject(value: Any, name: str) -> Any:
    """Return a key of the data, a function of the data, or None."""
    return value if callable(value) or value is None else text(value, name)


def refuse(name: str, demand: str, value: object) -> NoReturn:
    """Raise ConfigError: the option *name* has the wrong *value*, and *demand* says what it must be."""
    msg = f"{name} {demand}, not {value!r}"
    raise ConfigError(msg)
