"""Sealing and unsealing against other Python libraries, each used as its documentation shows."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import flask
from cryptography.fernet import Fernet
from django.conf import settings
from django.contrib.sessions.serializers import JSONSerializer
from django.core import signing
from flask.sessions import SecureCookieSessionInterface
from joserfc import jwe
from joserfc.jwk import OctKey

from iron_wsgi import seal_data, unseal_data

from .payloads import PASSWORD, SIZES, TTL, data_of
from .report import Group, Line
from .timing import Effort, compare, python

DJANGO_SALT: Final = "django.contrib.sessions.backends.signed_cookies"


class Rival(NamedTuple):
    """Another way to put data into a cookie."""

    name: str
    write: Callable[[dict[str, Any]], Any]
    read: Callable[[Any], Any]


def groups(effort: Effort) -> Iterator[Group]:
    """Measure all of them together."""
    rivals = [_fernet(), _itsdangerous(), _django(), _jwe()]
    yield Group(
        title="Data: seal_data and unseal_data against other Python libraries (ratio: how many times faster)",
        lines=[line for size in SIZES for line in _lines(size, rivals, effort)],
    )


def _lines(size: int, rivals: list[Rival], effort: Effort) -> Iterator[Line]:
    data = data_of(size)
    sealed = seal_data(data, password=PASSWORD, ttl=TTL)
    writers = {"ours": python(lambda: seal_data(data, password=PASSWORD, ttl=TTL))}
    readers = {"ours": python(lambda: unseal_data(sealed, password=PASSWORD))}
    for rival in rivals:
        _add(rival, data, writers, readers)
    for verb, timers in (("seal", writers), ("unseal", readers)):
        seconds = compare(timers, effort)
        for rival in rivals:
            yield Line(
                what=f"{verb} {size} octets of JSON",
                ours=seconds["ours"],
                against=rival.name,
                theirs=seconds[rival.name],
                kind="speed",
            )


def _add(rival: Rival, data: dict[str, Any], writers: dict[str, Any], readers: dict[str, Any]) -> None:
    token = rival.write(data)
    if rival.read(token) != data:
        msg = f"{rival.name} does not read what it wrote"
        raise AssertionError(msg)
    writers[rival.name] = python(lambda: rival.write(data))
    readers[rival.name] = python(lambda: rival.read(token))


def _fernet() -> Rival:
    fernet = Fernet(Fernet.generate_key())
    return Rival(
        "Fernet + json (encrypts)",
        lambda data: fernet.encrypt(json.dumps(data).encode()),
        lambda token: json.loads(fernet.decrypt(token, ttl=TTL)),
    )


def _itsdangerous() -> Rival:
    """Flask's own session, which makes a serializer for each request."""
    app = flask.Flask("benchmarks")
    app.secret_key = PASSWORD
    interface = SecureCookieSessionInterface()

    def serializer() -> Any:
        return interface.get_signing_serializer(app)

    return Rival(
        "itsdangerous, as in Flask (signs)",
        lambda data: serializer().dumps(data),
        lambda token: serializer().loads(token, max_age=TTL),
    )


def _django() -> Rival:
    if not settings.configured:
        settings.configure(SECRET_KEY=PASSWORD)
    return Rival(
        "Django's signed_cookies (signs)",
        lambda data: signing.dumps(data, compress=True, salt=DJANGO_SALT, serializer=JSONSerializer),
        lambda token: signing.loads(token, max_age=TTL, salt=DJANGO_SALT, serializer=JSONSerializer),
    )


def _jwe() -> Rival:
    key = OctKey.import_key(base64.urlsafe_b64decode(Fernet.generate_key()))
    header = {"alg": "dir", "enc": "A256GCM"}
    return Rival(
        "joserfc, dir and A256GCM (encrypts)",
        lambda data: jwe.encrypt_compact(header, json.dumps(data).encode(), key),
        lambda token: json.loads(jwe.decrypt_compact(token, key).plaintext or b""),
    )
