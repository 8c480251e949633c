from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pytest
from django.conf import settings
from django.contrib import auth
from django.core import signing
from django.core.cache import caches
from django.core.exceptions import ImproperlyConfigured
from django.test.utils import override_settings

import iron_wsgi_django
from iron_wsgi import ExpiredSeal, InvalidSeal, Passwords, Refused, UnknownPassword
from iron_wsgi.revocation import MemoryRevocations
from iron_wsgi.sessions.state import State
from iron_wsgi.stores import MemoryStore, Record
from iron_wsgi.stores.cache import CacheStore
from iron_wsgi.testing import FakeClock
from iron_wsgi_django import conf
from iron_wsgi_django.databases.revocations import DatabaseRevocations
from iron_wsgi_django.databases.store import DatabaseStore
from iron_wsgi_django.middleware import SessionMiddleware

from .django_site import ENGINE, OURS, STOCK
from .visitor import NEWER, OTHER, PASSWORD, payload, sealed

SECRET_KEYS: Final = ("first-secret-key", "second-secret-key")


class Other(SessionMiddleware):
    """A site's own, made from ours."""


class Rot13:
    """A serializer of the site's own."""

    def dumps(self, data: dict[str, Any]) -> bytes:
        return b"rot" + json.dumps(data).encode()

    def loads(self, payload: bytes) -> Any:
        return json.loads(payload.removeprefix(b"rot"))


def iron(**options: Any) -> override_settings:
    return override_settings(SESSION_ENGINE=ENGINE, IRON_SESSION={"password": PASSWORD, **options})


@pytest.fixture(autouse=True)
def _settings(clock: FakeClock) -> Iterator[None]:
    with iron(clock=clock):
        yield


# What holds.


def test_djangos_settings_name_and_shape_the_cookie() -> None:
    with override_settings(
        SESSION_COOKIE_NAME="__Secure-id",
        SESSION_COOKIE_AGE=3600,
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=False,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_PATH="/shop",
        SESSION_COOKIE_DOMAIN=".example.org",
        IRON_SESSION={"password": PASSWORD, "cookie_options": {"partitioned": True}},
    ):
        options = conf.options()
    cookie = options.cookie_options
    assert (options.cookie_name, options.ttl) == ("__Secure-id", 3600)
    assert (cookie.secure, cookie.httponly, cookie.samesite) == (True, False, "Strict")
    assert (cookie.path, cookie.domain, cookie.partitioned) == ("/shop", ".example.org", True)


def test_a_samesite_of_false_sends_no_such_attribute() -> None:
    with override_settings(SESSION_COOKIE_SAMESITE=False):
        assert conf.options().cookie_options.samesite is None


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("absolute_timeout", timedelta(hours=8), 28_800),
        ("refresh_after", 60, 60),
        ("overflow", "chunk", "chunk"),
        ("max_chunks", 3, 3),
        ("accept", ["next-iron-session"], ("next-iron-session",)),
        ("auto_commit", False, False),
        ("save_on_error", True, True),
        ("skew", 5, 5),
        ("iterations", 2, 2),
    ],
)
def test_all_else_is_taken_from_iron_session(name: str, given: object, kept: object) -> None:
    with iron(**{name: given}):
        assert getattr(conf.options(), name) == kept


def test_an_age_of_0_is_no_eternal_session() -> None:
    with override_settings(SESSION_COOKIE_AGE=0):
        assert conf.options().ttl == 1


def test_ids_fit_where_djangos_session_keys_do() -> None:
    first, second = (conf.options().generate_id() for _ in range(2))
    assert first != second
    assert len(first) == len(second) == 32
    assert set(first) <= set("abcdefghijklmnopqrstuvwxyz234567")


def test_the_engine_for_djangos_middleware_never_cuts_a_cookie() -> None:
    with iron(overflow="chunk"):
        assert conf.engine().options.overflow == "chunk"
        assert conf.stock_engine().options.overflow == "raise"


# Passwords.


def test_without_a_password_one_is_made_of_each_secret_key() -> None:
    new, old = SECRET_KEYS
    with override_settings(IRON_SESSION={}, SECRET_KEY=old):
        value = conf.vault().dump(State(data={"user": 7}), expires_at=2e9)
    with override_settings(IRON_SESSION={}, SECRET_KEY=new, SECRET_KEY_FALLBACKS=[old]):
        state = conf.vault().load(value)
        assert state.data == {"user": 7}
        assert state.is_outdated
    with override_settings(IRON_SESSION={}, SECRET_KEY=new), pytest.raises(Refused) as refused:
        conf.vault().load(value)
    assert refused.value.reason == "unknown-password"


def test_seals_of_the_secret_keys_are_read_beside_a_password_where_that_is_accepted() -> None:
    with override_settings(IRON_SESSION={}, SECRET_KEY=SECRET_KEYS[0]):
        value = conf.vault().dump(State(data={"user": 7}), expires_at=2e9)
    with override_settings(SECRET_KEY=SECRET_KEYS[0]):
        with iron(accept=("secret-key",)):
            assert conf.vault().load(value).is_outdated
            assert conf.options().password.sealing == PASSWORD
        with pytest.raises(Refused):
            conf.vault().load(value)


def test_with_a_password_there_need_be_no_secret_key() -> None:
    with override_settings(SECRET_KEY=""):
        assert conf.options().password.sealing == PASSWORD


def test_seal_with_chooses_the_password_that_seals() -> None:
    with iron(password={2: NEWER, 1: PASSWORD}, seal_with=1):
        assert conf.options().password.sealing == PASSWORD


# Serializers.


def test_the_default_serializer_writes_what_djangos_writes_and_reads_what_javascript_writes() -> None:
    data = {"name": "Zo\u00eb", "n": 1}
    assert conf.options().serializer.dumps(data) == signing.JSONSerializer().dumps(data)
    assert conf.vault().load(sealed(data)).data == data


def test_a_serializer_of_the_sites_own_is_used_unchanged() -> None:
    with override_settings(SESSION_SERIALIZER=f"{__name__}.Rot13"):
        assert type(conf.options().serializer).__name__ == "Rot13"
        assert conf.options().serializer.loads(conf.options().serializer.dumps({"a": 1})) == {"a": 1}


def test_the_strict_serializer_goes_by_the_name_of_json_and_any_object_by_itself() -> None:
    with iron(serializer="json"):
        value = conf.vault().dump(State(data={"name": "Zo\u00eb"}), expires_at=2e9)
        assert payload(value) == {"name": "Zo\u00eb"}
        with pytest.raises(TypeError, match=r"session\.when is a timedelta"):
            conf.vault().dump(State(data={"when": timedelta(1)}), expires_at=2e9)
    mine = Rot13()
    with iron(serializer=mine):
        assert conf.options().serializer is mine


# What is refused.


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ttl": 60}, "IRON_SESSION: ttl has no effect here; Django's place for it is SESSION_COOKIE_AGE"),
        ({"cookie_name": "s"}, "Django's place for it is SESSION_COOKIE_NAME"),
        ({"environ_key": "s"}, "Django's place for it is request.session"),
        ({"refreshAfter": 60}, "IRON_SESSION: refreshAfter is not an option; write refresh_after"),
        ({"pasword": PASSWORD}, "write password"),
        ({7: PASSWORD}, "IRON_SESSION: 7 is not an option; there are password, "),
        ({"cookie_options": {"samesite": "Lax"}}, "partitioned alone, not samesite; see SESSION_COOKIE_"),
        ({"cookie_options": {"partitioned": True}}, "partitioned needs secure=True"),
        ({"accept": ("flask",)}, "accept: 'flask' is for Flask, and cannot be read here"),
        ({"accept": ("django",)}, "IRON_SESSION: accept must be a tuple of"),
        ({"serializer": "pickle"}, "serializer must be 'json' or an object with dumps and loads"),
        ({"serializer": object()}, "serializer must be an object with dumps and loads"),
        ({"password": "short"}, "IRON_SESSION: the password has 5 characters"),
        ({"password": None}, "IRON_SESSION: password is None; give one, or leave the key out"),
        ({"overflow": "disk"}, "IRON_SESSION: overflow must be one of"),
        ({"storage": "store"}, "storage='store' and overflow='store' need a store"),
        ({"store": "django-db:gone"}, "IRON_SESSION: store: DATABASES has no 'gone'"),
        ({"store": "django-cache:gone"}, "IRON_SESSION: store: CACHES has no 'gone'"),
        ({"revocations": "django-db:gone"}, "IRON_SESSION: revocations: DATABASES has no 'gone'"),
        ({"revocations": "django-cache:default"}, "IRON_SESSION: revocations: a cache forgets"),
        ({"store": "postgres"}, "IRON_SESSION: "),
        ({"store": 7}, "IRON_SESSION: store must be a Store"),
        ([], "IRON_SESSION must be a dict, not list"),
    ],
)
def test_an_unusable_option_is_refused_by_name(given: Any, words: str) -> None:
    with override_settings(IRON_SESSION=given), pytest.raises(ImproperlyConfigured) as refused:
        conf.options()
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"SESSION_COOKIE_SAMESITE": "None"}, "samesite needs secure=True"),
        ({"SESSION_COOKIE_NAME": "__Host-id"}, "a cookie named '__Host-id' needs secure=True"),
        ({"SESSION_COOKIE_NAME": "a b"}, "a cookie name is printable ASCII"),
        ({"SESSION_COOKIE_DOMAIN": "a b"}, "domain must be a host name"),
        ({"SESSION_COOKIE_PATH": "shop"}, "path must begin with '/'"),
    ],
)
def test_a_cookie_that_browsers_would_drop_is_refused(given: dict[str, Any], words: str) -> None:
    with override_settings(**given), pytest.raises(ImproperlyConfigured) as refused:
        conf.options()
    assert str(refused.value).startswith("SESSION_COOKIE_...: ")
    assert words in str(refused.value)


def test_a_refusal_shows_no_password_to_tools_that_record_local_variables() -> None:
    with iron(skew="soon"), pytest.raises(ImproperlyConfigured) as refused:
        conf.options()
    traceback = refused.value.__traceback__
    assert traceback is not None
    while traceback := traceback.tb_next:
        assert PASSWORD not in repr(traceback.tb_frame.f_locals)
    assert refused.value.__context__ is None


# Once per settings.


def test_everything_is_made_once() -> None:
    assert conf.engine() is conf.engine()
    assert conf.options() is conf.options()
    assert conf.vault() is conf.vault()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "another"),
        ("SECRET_KEY_FALLBACKS", ["another"]),
        ("SESSION_COOKIE_AGE", 60),
        ("SESSION_COOKIE_NAME", "another"),
        ("SESSION_COOKIE_PATH", "/another"),
        ("SESSION_SERIALIZER", f"{__name__}.Rot13"),
        ("IRON_SESSION", {"password": OTHER}),
    ],
)
def test_a_changed_setting_counts_at_once_and_so_does_its_return(name: str, value: object) -> None:
    before = conf.engine()
    with override_settings(**{name: value}):
        during = conf.engine()
        assert during is not before
    assert conf.engine() is not during


def test_settings_of_others_make_nothing_anew() -> None:
    before = conf.engine()
    with override_settings(DEBUG=True, CSRF_COOKIE_NAME="other", CACHES={}):
        assert conf.engine() is before


@pytest.mark.parametrize(
    ("path", "is_own"),
    [(OURS, True), (f"{__name__}.Other", True), (STOCK, False)],
)
def test_our_middleware_is_known_by_its_class(path: str, is_own: bool) -> None:  # noqa: FBT001
    with override_settings(MIDDLEWARE=["django.middleware.common.CommonMiddleware", path]):
        assert conf.has_own_middleware() is is_own


# The package.


def test_importing_the_package_needs_no_settings() -> None:
    program = "import iron_wsgi_django, iron_wsgi_django.conf, iron_wsgi_django.backend, sys\n"
    program += "from django.conf import settings\nprint(settings.configured)"
    run = [sys.executable, "-W", "error", "-c", program]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_sealer_opens_what_it_sealed_for_its_purpose_alone(clock: FakeClock) -> None:
    links = iron_wsgi_django.sealer("magic-link")
    token = links.seal({"user_id": 7}, ttl=900)
    assert links.unseal(token) == {"user_id": 7}
    with pytest.raises(InvalidSeal):
        iron_wsgi_django.sealer("invitation").unseal(token)
    with pytest.raises(Refused):
        conf.vault().load(token)
    clock.advance(1000)
    with pytest.raises(ExpiredSeal):
        links.unseal(token)


def test_a_sealer_is_under_the_password_of_the_settings() -> None:
    with override_settings(IRON_SESSION={}, SECRET_KEY=SECRET_KEYS[0]):
        token = iron_wsgi_django.sealer("link").seal({"a": 1}, ttl=60)
    assert Passwords.from_secret_keys(SECRET_KEYS[:1]).sealing_id in token
    with pytest.raises(UnknownPassword):
        iron_wsgi_django.sealer("link").unseal(token)


# Stores and lists of Django's own.


def test_a_database_is_named_by_its_alias(clock: FakeClock) -> None:
    with iron(clock=clock, store="django-db:default", revocations="django-db:"):
        options = conf.options()
    assert isinstance(options.store, DatabaseStore)
    assert isinstance(options.revocations, DatabaseRevocations)


def test_a_cache_is_named_by_its_alias_and_each_thread_has_its_own_connection(clock: FakeClock) -> None:
    with iron(clock=clock, store="django-cache:default"):
        store = conf.options().store
    assert isinstance(store, CacheStore)
    record = Record(value="v", version=1, created_at=1, written_at=1, expires_at=None)
    assert store.create("a" * 64, record)
    assert caches["default"].get(f"iron_wsgi:{'a' * 64}") is not None
    found: list[Record | None] = []
    thread = threading.Thread(target=lambda: found.append(store.load("a" * 64)))
    thread.start()
    thread.join()
    assert found == [record]
    caches["default"].clear()


def test_a_database_needs_the_application_and_its_tables() -> None:
    others = [name for name in settings.INSTALLED_APPS if name != "iron_wsgi_django"]
    for option in ("store", "revocations"):
        given = {option: "django-db:default"}
        with (
            override_settings(INSTALLED_APPS=others, IRON_SESSION=given),
            pytest.raises(ImproperlyConfigured, match="needs 'iron_wsgi_django' in INSTALLED_APPS"),
        ):
            conf.options()


def test_the_users_key_says_whose_a_session_is() -> None:
    # Django's constant stands beside models, and this module is read before there are any.
    assert conf.SESSION_KEY == auth.SESSION_KEY
    with iron():
        assert conf.options().subject_of({"_auth_user_id": "7"}) == "7"


def test_what_servers_keep_is_removed_when_it_has_expired(clock: FakeClock) -> None:
    with iron():
        assert conf.sweep() == (0, 0)
    store, revocations = MemoryStore(clock=clock), MemoryRevocations(clock=clock)
    revocations.revoke("sid", expires_at=clock())
    with iron(store=store, revocations=revocations):
        assert conf.sweep() == (0, 1)
