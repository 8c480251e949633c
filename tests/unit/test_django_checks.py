"""The system checks: each fault is named before a visitor meets it, and the advice removes it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from django.core.checks import CheckMessage, run_checks
from django.db import models
from django.test.utils import isolate_apps, override_settings
from django.utils.module_loading import import_string

from iron_wsgi import WeakPasswordWarning
from iron_wsgi.stores import MemoryStore
from iron_wsgi_django import checks
from iron_wsgi_django.middleware import SessionMiddleware

from .django_project import AUTH, OURS, STOCK, set_up

set_up()

MESSAGES: Final = "django.contrib.messages.middleware.MessageMiddleware"
CSRF: Final = "django.middleware.csrf.CsrfViewMiddleware"
CACHE: Final = "django.middleware.cache.UpdateCacheMiddleware"
DB: Final = "django.contrib.sessions.backends.db"

PASSWORD: Final = "checks-Vn4pQ8Zt1-bJxN6wKs3RmL0yEc9Ua2Of"
PUBLISHED: Final = "complex_password_at_least_32_characters_long"
OLD_KEY: Final = "checks-2Rm5Kc8Xv1-zLqT7wBn4PdJ9sYh6Ga3U-of-these-tests"
SECRET_KEY: Final = "checks-9fQ2Lz7Xw4-kTmB8vRn1YcJ6sHd3Gp5U-of-these-tests"

FAULTLESS: Final[dict[str, Any]] = {
    "SECRET_KEY": SECRET_KEY,
    "INSTALLED_APPS": ["django.contrib.auth", "django.contrib.contenttypes", "iron_wsgi_django"],
    "MIDDLEWARE": [CACHE, OURS, CSRF, AUTH, MESSAGES],
    "SESSION_ENGINE": "iron_wsgi_django.backend",
    "SESSION_COOKIE_SECURE": True,
    "IRON_SESSION": {"password": {2: PASSWORD, 1: PASSWORD[::-1]}},
}


class Pickles:
    """A serializer whose name says it, since what it writes begins like text."""

    dumps = staticmethod(partial(pickle.dumps, protocol=0))
    loads = staticmethod(pickle.loads)


class Disguised:
    """One whose name is none."""

    dumps = staticmethod(pickle.dumps)
    loads = staticmethod(pickle.loads)


class Broken:
    """A serializer that fails."""

    def dumps(self, _data: object) -> bytes:
        raise RuntimeError

    loads = dumps


class Child(SessionMiddleware):
    """A site's own, derived from ours."""


def found(*, deploy: bool = True, **changes: Any) -> list[CheckMessage]:
    """What `manage.py check` says of this package, under faultless settings with *changes*."""
    with override_settings(**{**FAULTLESS, **changes}):
        messages: list[CheckMessage] = run_checks(include_deployment_checks=deploy)
    return [one for one in messages if str(one.id).startswith("iron_wsgi.")]


def ids(**changes: Any) -> set[str]:
    return {str(one.id).removeprefix("iron_wsgi.") for one in found(**changes)}


# Each fault, the message it must get, and the settings that make it.
FAULTS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "an unknown option": ("E001", {"IRON_SESSION": {"overflaw": "chunk"}}),
    "options that are no dict": ("E001", {"IRON_SESSION": ["password"]}),
    "an impossible option": ("E001", {"IRON_SESSION": {"skew": -1}}),
    "a serializer that is not there": ("E001", {"SESSION_SERIALIZER": "no.such.serializer"}),
    "a cookie name that is none": ("E001", {"SESSION_COOKIE_NAME": "two words"}),
    "no password and no secret key": ("E002", {"SECRET_KEY": "", "IRON_SESSION": {}}),
    "a password from a variable that is not set": ("E002", {"IRON_SESSION": {"password": None}}),
    "a short password": ("E003", {"IRON_SESSION": {"password": "short"}}),
    "an empty password": ("E003", {"IRON_SESSION": {"password": ""}}),
    "a password id that is none": ("E003", {"IRON_SESSION": {"password": {0: PASSWORD}}}),
    "a password that is no text": ("E003", {"IRON_SESSION": {"password": 7}}),
    "no password to seal with": ("E003", {"IRON_SESSION": {"password": PASSWORD, "seal_with": 9}}),
    "a published password": ("E004", {"IRON_SESSION": {"password": PUBLISHED}}),
    "a uniform password": ("E004", {"IRON_SESSION": {"password": {2: PASSWORD, 1: "x" * 32}}}),
    "a pickling serializer": ("E005", {"SESSION_SERIALIZER": f"{__name__}.Pickles"}),
    "a pickling serializer in disguise": ("E005", {"SESSION_SERIALIZER": f"{__name__}.Disguised"}),
    "a pickling serializer as an option": ("E005", {"IRON_SESSION": {"serializer": Disguised()}}),
    "__Host- without Secure": (
        "E006",
        {"SESSION_COOKIE_NAME": "__Host-id", "SESSION_COOKIE_SECURE": False},
    ),
    "__Host- with a path": ("E006", {"SESSION_COOKIE_NAME": "__host-id", "SESSION_COOKIE_PATH": "/shop"}),
    "__Host- with a domain": (
        "E006",
        {"SESSION_COOKIE_NAME": "__Host-id", "SESSION_COOKIE_DOMAIN": "example.com"},
    ),
    "__Secure- without Secure": (
        "E006",
        {"SESSION_COOKIE_NAME": "__Secure-id", "SESSION_COOKIE_SECURE": False},
    ),
    "__Http- without HttpOnly": (
        "E006",
        {"SESSION_COOKIE_NAME": "__Http-id", "SESSION_COOKIE_HTTPONLY": False},
    ),
    "SameSite None without Secure": (
        "E007",
        {"SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_SECURE": False},
    ),
    "Partitioned without Secure": (
        "E007",
        {"IRON_SESSION": {"cookie_options": {"partitioned": True}}, "SESSION_COOKIE_SECURE": False},
    ),
    "both middlewares": ("E008", {"MIDDLEWARE": [OURS, STOCK, AUTH]}),
    "one middleware twice": ("E008", {"MIDDLEWARE": [OURS, OURS]}),
    "ours after authentication": ("E009", {"MIDDLEWARE": [AUTH, OURS]}),
    "Django's after authentication": ("E009", {"MIDDLEWARE": [AUTH, STOCK]}),
    "a child of ours after authentication": ("E009", {"MIDDLEWARE": [AUTH, f"{__name__}.Child"]}),
    "ours after messages": ("E009", {"MIDDLEWARE": [MESSAGES, OURS]}),
    "ours after CSRF that needs it": ("E009", {"MIDDLEWARE": [CSRF, OURS], "CSRF_USE_SESSIONS": True}),
    "ours before the cache": ("E010", {"MIDDLEWARE": [OURS, CACHE]}),
    "Django's before the cache": ("E010", {"MIDDLEWARE": [STOCK, CACHE]}),
    "chunks under Django's middleware": (
        "E011",
        {"MIDDLEWARE": [STOCK, AUTH], "IRON_SESSION": {"overflow": "chunk"}},
    ),
    "ours with another engine": ("E012", {"SESSION_ENGINE": DB}),
    "ours with an engine that is not there": ("E012", {"SESSION_ENGINE": "no.such.engine"}),
    "a second lifetime": ("E013", {"IRON_SESSION": {"ttl": 3600}}),
    "sessions of a table that is not there": ("E014", {"IRON_SESSION": {"accept": ("db",)}}),
    "the secret key as password": ("W001", {"IRON_SESSION": {"password": SECRET_KEY}}),
    "an old secret key as old password": (
        "W001",
        {"IRON_SESSION": {"password": {2: PASSWORD, 1: OLD_KEY}}, "SECRET_KEY_FALLBACKS": [OLD_KEY]},
    ),
    "no session middleware": ("W002", {"MIDDLEWARE": [CSRF]}),
    "Partitioned under Django's middleware": (
        "W009",
        {"MIDDLEWARE": [STOCK, AUTH], "IRON_SESSION": {"cookie_options": {"partitioned": True}}},
    ),
    "an option for errors under Django's middleware": (
        "W009",
        {"MIDDLEWARE": [STOCK, AUTH], "IRON_SESSION": {"save_on_error": True}},
    ),
    "a store of one process": (
        "W010",
        {"IRON_SESSION": {"storage": "store", "store": "django-cache:default"}},
    ),
    "a list of one process": ("W010", {"IRON_SESSION": {"revocations": "memory:"}}),
    "a store in the memory of one process": ("W010", {"IRON_SESSION": {"store": MemoryStore()}}),
    "sessions that outlive what ends them": (
        "W011",
        {"IRON_SESSION": {"revocations": "django-db:default"}, "SESSION_COOKIE_AGE": 34_560_001},
    ),
    "an outage that lets in": (
        "W012",
        {"IRON_SESSION": {"revocations": "django-db:default", "on_outage": "accept"}},
    ),
    "a database that there is not": ("E001", {"IRON_SESSION": {"revocations": "django-db:elsewhere"}}),
    "a cache that there is not": ("E001", {"IRON_SESSION": {"store": "django-cache:elsewhere"}}),
    "a list in a cache": ("E001", {"IRON_SESSION": {"revocations": "django-cache:default"}}),
    "a mode without its store": ("E001", {"IRON_SESSION": {"storage": "store"}}),
    "no Secure": ("W006", {"SESSION_COOKIE_SECURE": False}),
    "no HttpOnly": ("W007", {"SESSION_COOKIE_HTTPONLY": False}),
    "no SameSite": ("W008", {"SESSION_COOKIE_SAMESITE": None}),
}

BEFORE_DEPLOYMENT: Final = {"E004", "W006", "W007", "W008", "W012"}
IMPERATIVES: Final = {"Correct", "Drop", "Keep", "Make", "Move", "Put", "Set", "Tell", "Widen"}


def test_a_site_without_fault_hears_nothing() -> None:
    assert ids() == set()
    assert ids(MIDDLEWARE=[CACHE, STOCK, AUTH], IRON_SESSION={}) == set()
    assert ids(SESSION_COOKIE_NAME="__Host-id", SESSION_COOKIE_SAMESITE="None") == set()
    with_table = [*FAULTLESS["INSTALLED_APPS"], "django.contrib.sessions"]
    assert ids(IRON_SESSION={"accept": ["db"]}, INSTALLED_APPS=with_table) == set()
    assert ids(MIDDLEWARE=[CSRF, OURS]) == set()  # its token is in a cookie of its own
    assert ids(IRON_SESSION={"overflow": "chunk"}) == set()
    assert ids(IRON_SESSION={"overflow": "raise"}, MIDDLEWARE=[STOCK, AUTH]) == set()
    stored = {"overflow": "store", "store": "django-db:default", "revocations": "django-db:default"}
    assert ids(IRON_SESSION=stored, MIDDLEWARE=[STOCK, AUTH]) == set()
    assert ids(IRON_SESSION={"revocations": "memory:"}, DEBUG=True) == set()
    shared = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "sessions"}}
    assert ids(IRON_SESSION={"store": "django-cache:default"}, CACHES=shared) == set()
    assert ids(SESSION_COOKIE_DOMAIN="example.com", SESSION_COOKIE_PATH="/shop") == set()
    whole = {"cookie_options": {"partitioned": False}}
    assert ids(IRON_SESSION=whole, SESSION_COOKIE_SECURE=False) == {"W006"}


def test_advice_does_not_hide_that_the_settings_are_unusable() -> None:
    assert ids(IRON_SESSION={"password": SECRET_KEY, "skew": -1}) == {"W001", "E001"}


def test_what_raises_when_it_is_asked_does_not_stop_the_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "middleware_that_fails.py").write_text("raise RuntimeError\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with override_settings(**{**FAULTLESS, "MIDDLEWARE": ["middleware_that_fails.Middleware", OURS, AUTH]}):
        assert [check() for check in (*checks.ALWAYS, *checks.BEFORE_DEPLOYMENT)] == [[]] * 5
    assert ids(SESSION_SERIALIZER=f"{__name__}.Broken") == set()
    assert ids(MIDDLEWARE=["no.such.middleware", "json.dumps", OURS, AUTH]) == set()


@pytest.mark.filterwarnings("ignore::iron_wsgi.WeakPasswordWarning")
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_named_and_no_other(fault: str) -> None:
    expected, settings = FAULTS[fault]
    messages = found(deploy=expected in BEFORE_DEPLOYMENT, **settings)
    assert {one.id for one in messages} == {f"iron_wsgi.{expected}"}
    assert all(one.is_serious() == expected.startswith("E") for one in messages)


@pytest.mark.filterwarnings("ignore::iron_wsgi.WeakPasswordWarning")
@pytest.mark.parametrize("fault", FAULTS)
def test_every_message_says_what_to_do_and_quotes_no_secret(fault: str) -> None:
    for message in found(**FAULTS[fault][1]):
        assert message.hint.split()[0] in IMPERATIVES
        for secret in (PASSWORD, PASSWORD[::-1], SECRET_KEY, OLD_KEY, PUBLISHED):
            assert secret not in f"{message.msg} {message.hint}"


@pytest.mark.filterwarnings("ignore::iron_wsgi.WeakPasswordWarning")
def test_deployment_is_what_asks_for_strength_and_protection() -> None:
    weak = {
        "IRON_SESSION": {"password": PUBLISHED},
        "SESSION_COOKIE_SECURE": False,
        "SESSION_COOKIE_HTTPONLY": False,
        "SESSION_COOKIE_SAMESITE": None,
    }
    assert ids(deploy=False, **weak) == set()
    assert ids(deploy=True, **weak) == {"E004", "W006", "W007", "W008"}


@pytest.mark.parametrize(
    "seen",
    [
        {"MIDDLEWARE": [STOCK, AUTH]},
        {"INSTALLED_APPS": [*FAULTLESS["INSTALLED_APPS"], "django.contrib.sessions"]},
    ],
    ids=["middleware", "application"],
)
def test_what_django_itself_says_of_the_cookie_is_not_said_twice(seen: dict[str, Any]) -> None:
    unprotected = {"SESSION_COOKIE_SECURE": False, "SESSION_COOKIE_HTTPONLY": False}
    with override_settings(**{**FAULTLESS, **unprotected, **seen}):
        said = {one.id for one in run_checks(include_deployment_checks=True)}
    assert said & {"security.W010", "security.W011"}
    assert said & {"security.W013", "security.W014"}
    assert not said & {"iron_wsgi.W006", "iron_wsgi.W007"}


def test_a_project_that_only_installs_the_application_is_left_alone() -> None:
    elsewhere = {
        "SESSION_ENGINE": DB,
        "MIDDLEWARE": [AUTH, STOCK, STOCK],
        "IRON_SESSION": {"password": "short"},
    }
    assert ids(**elsewhere, SESSION_COOKIE_SECURE=False) == set()
    assert checks.check_applications() == []


def test_a_weak_password_warns_the_process_that_checks_as_it_would_at_its_first_session() -> None:
    with pytest.warns(WeakPasswordWarning):
        found(IRON_SESSION={"password": PUBLISHED}, deploy=False)


def model(label: str, base: type[models.Model] = models.Model, *, name: str = "Kept", **fields: Any) -> Any:
    """A model of the application *label*."""
    meta = type("Meta", (), {"app_label": label})
    return type(name, (base,), {**fields, "Meta": meta, "__module__": __name__})


def said_of(*kept: Any, **changes: Any) -> list[tuple[str, str]]:
    """What is said of an application with these models: ids and messages."""
    config = SimpleNamespace(get_models=lambda: kept)
    with override_settings(**{**FAULTLESS, **changes}):
        messages = checks.check_applications(app_configs=[config])
    assert all(one.hint.split()[0] in IMPERATIVES and one.obj in kept for one in messages)
    return [(str(one.id).removeprefix("iron_wsgi."), one.msg) for one in messages]


@isolate_apps()
def test_a_column_too_short_for_a_seal_is_named_under_djangos_middleware() -> None:
    cart = model("shop", session_key=models.CharField(max_length=40))
    ((fault, message),) = said_of(cart, MIDDLEWARE=[STOCK, AUTH])
    assert fault == "W003"
    assert message.startswith("shop.Kept.session_key has room for 40 characters")


@isolate_apps()
def test_a_column_of_another_name_is_known_where_an_application_is_known() -> None:
    hit = model("hitcount", name="Hit", session=models.CharField(max_length=40))
    ((fault, message),) = said_of(hit, MIDDLEWARE=[STOCK, AUTH])
    assert fault == "W003"
    assert message.startswith("hitcount.Hit.session has room for 40 characters")


@isolate_apps()
def test_columns_with_room_and_columns_of_other_things_are_left_alone() -> None:
    fine = model(
        "shop",
        session_key=models.TextField(),
        user_session_key=models.CharField(max_length=5000),
        session=models.CharField(max_length=9),
    )
    assert said_of(fine, MIDDLEWARE=[STOCK, AUTH]) == []


@isolate_apps()
def test_the_keys_of_our_middleware_fit_where_djangos_own_do() -> None:
    cart = model("shop", session_key=models.CharField(max_length=40))
    assert said_of(cart) == []
    tight = model("post", user_session_key=models.CharField(max_length=12))
    ((fault, message),) = said_of(tight)
    assert fault == "W003"
    assert "user_session_key has room for 12 characters, and a session key has up to 32" in message


@isolate_apps()
def test_a_column_that_points_at_stored_sessions_is_named_and_the_table_itself_is_not() -> None:
    # Django's models can only be imported once there are settings.
    table = model("shop", import_string("django.contrib.sessions.base_session.AbstractBaseSession"))
    pointer = model("post", session=models.ForeignKey(table, models.CASCADE))
    ((fault, message),) = said_of(table, pointer, MIDDLEWARE=[STOCK, AUTH])
    assert fault == "W004"
    assert message.startswith("post.Kept.session points at the table of sessions")


PROGRAM: Final = """
import json
import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line

settings.configure(
    SECRET_KEY="a-key-of-this-program-alone",
    INSTALLED_APPS=["iron_wsgi_django", *os.environ.get("ALSO_INSTALLED", "").split()],
    MIDDLEWARE=[os.environ.get("SESSION_MIDDLEWARE", "iron_wsgi_django.middleware.SessionMiddleware")],
    SESSION_ENGINE="iron_wsgi_django.backend",
    SESSION_COOKIE_SECURE=True,
    IRON_SESSION={"password": sys.argv[1]} if sys.argv[1] else json.loads(os.environ.get("OPTIONS", "{}")),
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
)
execute_from_command_line(["manage.py", *sys.argv[2:]])
"""


def manage(password: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py` of a site that has neither Django's sessions nor its users installed."""
    run = [sys.executable, "-c", PROGRAM, password, *arguments]
    return subprocess.run(
        run, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environ}
    )


def test_manage_py_check_says_it_without_a_traceback() -> None:
    assert manage("", "check").stderr == ""
    refused = manage("short", "check")
    assert refused.returncode == 1
    assert "(iron_wsgi.E003)" in refused.stderr
    assert "HINT: Make one with `manage.py iron_keygen`." in refused.stderr
    assert "Traceback" not in refused.stderr


def test_manage_py_check_for_deployment_refuses_a_published_password() -> None:
    refused = manage(PUBLISHED, "check", "--tag", "security", "--deploy")
    assert refused.returncode == 1
    assert "(iron_wsgi.E004)" in refused.stderr
    assert PUBLISHED not in refused.stderr


def test_an_application_that_ends_sessions_of_other_devices_is_told_what_it_cannot(tmp_path: Path) -> None:
    # The checks look at its name alone, so a package of that name will do.
    (tmp_path / "allauth" / "usersessions").mkdir(parents=True)
    for package in ("allauth", "allauth/usersessions"):
        (tmp_path / package / "__init__.py").touch()
    run = manage("", "check", PYTHONPATH=str(tmp_path), ALSO_INSTALLED="allauth.usersessions")
    assert run.returncode == 0
    assert "(iron_wsgi.W005) allauth.usersessions can neither list nor end sessions" in run.stderr
    given = {"PYTHONPATH": str(tmp_path), "ALSO_INSTALLED": "allauth.usersessions"}
    run = manage("", "check", **given, OPTIONS='{"revocations": "django-db:default"}')
    assert "(iron_wsgi.W005) allauth.usersessions can end, but not list, sessions" in run.stderr
    stored = '{"storage": "store", "store": "django-db:default"}'
    assert manage("", "check", **given, OPTIONS=stored).stderr == ""
    run = manage("", "check", **given, OPTIONS=stored, SESSION_MIDDLEWARE=STOCK)
    assert "(iron_wsgi.W005) allauth.usersessions can neither list nor end sessions" in run.stderr
    run = manage("", "check", PYTHONPATH=str(tmp_path), ALSO_INSTALLED="allauth")
    assert run.stderr == ""
