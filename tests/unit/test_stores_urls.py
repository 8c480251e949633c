"""Stores and lists of revocations by their URLs; and what their errors do not say."""

from __future__ import annotations

import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iron_wsgi.errors import ConfigError
from iron_wsgi.revocation import MemoryRevocations, open_revocations
from iron_wsgi.revocation.redis import RedisRevocations
from iron_wsgi.revocation.sql import SqlRevocations
from iron_wsgi.stores import MemoryStore, open_store
from iron_wsgi.stores.redis import RedisStore
from iron_wsgi.stores.sql import SqlStore
from iron_wsgi.stores.urls import Places
from iron_wsgi.testing.promise import at_once

Opener = Callable[[str], Any]
BOTH = pytest.mark.parametrize("open_url", [open_store, open_revocations])

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "store", "revocations"),
    [
        ("memory:", MemoryStore, MemoryRevocations),
        ("sqlite:///{folder}/sessions.db", SqlStore, SqlRevocations),
        ("postgresql://user:hunter2@localhost/shop", SqlStore, SqlRevocations),
        ("postgresql+psycopg://user:hunter2@localhost/shop", SqlStore, SqlRevocations),
        ("redis://:hunter2@localhost:6379/0", RedisStore, RedisRevocations),
        ("rediss://:hunter2@localhost:6379/0", RedisStore, RedisRevocations),
        ("valkey://:hunter2@localhost:6379/0", RedisStore, RedisRevocations),
        ("REDIS://localhost", RedisStore, RedisRevocations),
    ],
)
def test_the_scheme_says_what_is_opened(url: str, store: type, revocations: type, tmp_path: Path) -> None:
    url = url.format(folder=tmp_path)
    assert type(open_store(url)) is store
    assert type(open_revocations(url)) is revocations
    assert list(tmp_path.iterdir()) == []  # nothing is connected to, or made, before it is used


@BOTH
def test_the_same_url_gives_the_same_object(open_url: Opener, tmp_path: Path) -> None:
    one, two = f"sqlite:///{tmp_path}/one.db", f"sqlite:///{tmp_path}/two.db"
    assert open_url(one) is open_url(one)
    assert open_url(one) is not open_url(two)
    assert open_url("memory:") is open_url("memory:")


def test_threads_that_open_one_url_at_once_get_one_object() -> None:
    made = []
    both = threading.Barrier(2, timeout=10)

    def make(_: str) -> object:
        made.append(object())
        return made[-1]

    places = Places({"memory": make})

    def open_one() -> object:
        both.wait()
        return places.open("memory:")

    one, two = at_once(open_one, open_one)
    assert one is two
    assert made == [one]


@BOTH
@pytest.mark.parametrize(
    "url",
    [
        "mysql://user:hunter2@localhost/shop",
        "postgresql+psycopg2://user:hunter2@localhost/shop",
        "http://user:hunter2@localhost",
        "hunter2:",
        "hunter2",
        "/var/lib/hunter2.db",
        ":hunter2",
        "",
    ],
)
def test_an_unknown_scheme_is_answered_with_those_that_are_known(open_url: Opener, url: str) -> None:
    with pytest.raises(
        ConfigError, match=r"known are memory:, sqlite:, postgresql:, .*redis:, .*valkey:"
    ) as caught:
        open_url(url)
    assert SECRET not in told(caught.value)


@BOTH
@pytest.mark.parametrize("url", ["django-cache:default", "django-db:default"])
def test_what_stands_for_djangos_settings_is_said_to_be_for_them(open_url: Opener, url: str) -> None:
    with pytest.raises(ConfigError, match=r"django-(cache|db): URLs are for Django's settings"):
        open_url(url)


@BOTH
@pytest.mark.parametrize("url", ["memory://", "memory:name", "memory://user:hunter2@localhost"])
def test_memory_is_one_place(open_url: Opener, url: str) -> None:
    with pytest.raises(ConfigError, match="memory: takes nothing behind the colon") as caught:
        open_url(url)
    assert SECRET not in told(caught.value)


@BOTH
@pytest.mark.parametrize(
    "url",
    [
        "redis://:pa/hunter2@localhost",  # a slash that is not percent-encoded: what follows is no port
        "redis://localhost:hunter2/0",
        "redis://localhost?socket_timeout=hunter2",
        "postgresql://user:p@localhost:hunter2/shop",
        "postgresql://user:hunter2@[::1/shop",
        "sqlite:///:memory:?hunter2",
    ],
)
def test_no_error_quotes_a_url(open_url: Opener, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_url(url)
    assert SECRET not in told(caught.value)


def test_what_a_driver_raises_is_told_by_its_name_alone() -> None:
    def refuse(url: str) -> object:
        msg = f"cannot parse {url}"
        raise ValueError(msg)

    with pytest.raises(ConfigError, match=r"the redis: URL cannot be opened \(ValueError\)") as caught:
        Places({"redis": refuse}).open("redis://:hunter2@localhost")
    assert SECRET not in told(caught.value)
    assert "percent-encoded" in str(caught.value)


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("redis", 'pip install "iron-wsgi[redis]"'),
        ("sqlalchemy", 'pip install "iron-wsgi[sql]"'),
        ("sqlalchemy.dialects", 'pip install "iron-wsgi[sql]"'),
        ("psycopg", 'pip install "iron-wsgi[postgresql]"'),
    ],
)
def test_a_missing_extra_is_answered_with_the_command_that_installs_it(module: str, command: str) -> None:
    def find(_: str) -> object:
        raise ModuleNotFoundError(name=module)

    with pytest.raises(ConfigError) as caught:
        Places({"redis": find}).open("redis://:hunter2@localhost")
    assert str(caught.value).endswith(f"needs {module}, which is not installed: {command}")
    assert SECRET not in told(caught.value)


@pytest.mark.parametrize("name", ["iron_wsgi.stores.missing", None])
def test_a_missing_module_that_no_extra_brings_is_an_error_of_ours(name: str | None) -> None:
    def find(_: str) -> object:
        raise ModuleNotFoundError(name=name)

    with pytest.raises(ModuleNotFoundError):
        Places({"redis": find}).open("redis://localhost")


@pytest.mark.parametrize(
    ("module", "scheme", "extra"),
    [("redis", "redis", "redis"), ("sqlalchemy", "sqlite", "sql"), ("psycopg", "postgresql", "psycopg")],
)
@pytest.mark.parametrize("function", ["iron_wsgi.stores:open_store", "iron_wsgi.revocation:open_revocations"])
def test_without_the_extra_the_core_works_and_the_url_says_what_to_install(
    module: str, scheme: str, extra: str, function: str
) -> None:
    home, _, name = function.partition(":")
    program = (
        f"import sys; sys.modules[{module!r}] = None\n"
        f"import iron_wsgi\nfrom {home} import {name}\n"
        f"{name}('memory:')\n"
        f"try: {name}('{scheme}://host/file.db'.replace('sqlite://host', 'sqlite://'))\n"
        "except iron_wsgi.ConfigError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert f"needs {module}" in run.stdout
    assert "pip install" in run.stdout
    assert extra in run.stdout


def test_a_failure_is_not_remembered() -> None:
    failures: list[Exception] = [OSError()]

    def make(_: str) -> object:
        if failures:
            raise failures.pop()
        return object()

    places = Places({"redis": make})
    with pytest.raises(ConfigError):
        places.open("redis://localhost")
    assert places.open("redis://localhost") is places.open("redis://localhost")


def told(error: BaseException) -> str:
    """What an error says in a log, with the errors before it, but without the source of the lines."""
    lines = traceback.TracebackException.from_exception(error, lookup_lines=False)
    texts = [str(lines)]
    texts += [str(one) for one in (error.__cause__, error.__context__) if one is not None]
    return " ".join(texts)
