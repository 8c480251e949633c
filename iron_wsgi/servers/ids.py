"""Session ids, and the hashed names under which servers keep records and entries."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from iron_wsgi.errors import ConfigError

MAX_ID: Final = 128
"""Characters of a session's id, at most."""


def new_id(generate_id: Callable[[], str]) -> str:
    """Return an id from the option ``generate_id``.

    Raises:
        ConfigError: It returned something that cannot be one.
    """
    sid = generate_id()
    if not isinstance(sid, str) or not sid.isascii() or not 0 < len(sid) <= MAX_ID:
        msg = f"generate_id must return a string of 1 to {MAX_ID} ASCII characters"
        raise ConfigError(msg)
    return sid


def key_of(sid: str) -> str:
    """Return the name for the record or entry of the session *sid*: 64 hexadecimal digits.

    It is a hash, so that memory, dumps and logs of the server show no id, and the time of a look-up tells
    nothing about ids (CVE-2019-16782).
    """
    return _hash("session", sid)


def subject_key_of(subject: str) -> str:
    """Return the name for the entries of *subject*: 64 hexadecimal digits.

    Subjects are mostly users' ids, so a guess can be checked against a dump.
    """
    return _hash("subject", subject)


def _hash(kind: str, text: str) -> str:
    return hashlib.sha256(f"iron_wsgi {kind} {text}".encode("utf-8", "surrogatepass")).hexdigest()
