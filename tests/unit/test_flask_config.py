from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import pytest
from flask import Flask, request
from flask.sessions import SessionMixin
from werkzeug.test import TestResponse

from iron_wsgi import (
    ConfigError,
    CookieOptions,
    CookieTooLarge,
    ExpiredSeal,
    Passwords,
    Sealer,
    SealError,
    SessionOptions,
    UsedSeal,
    WeakPasswordWarning,
)
from iron_wsgi.revocation import MemoryRevocations, Revocations
from iron_wsgi.stores import MemoryStore
from iron_wsgi.testing import FakeClock
from iron_wsgi.vaults.seal_vault import SealVault
from iron_wsgi_flask import FlaskSession, IronSessionInterface
from iron_wsgi_flask.config import MAX_ENGINES, MAX_KNOWN, KnownCookies
from iron_wsgi_flask.options import NAMES

from .flask_site import ERRORS, Site, line, lines, look_away, put
from .visitor import NEWER, NOW, OTHER, PASSWORD, attributes, ends_at, payload, sealed

KEY: Final = "a secret key"
MONTH: Final = 31 * 86400


def permanent(current: FlaskSession) -> None:
    current["user"] = 7
    current.permanent = True


def told(place: Site) -> dict[str, str]:
    return attributes(line(place.visit(permanent)))


def name_of(response: TestResponse) -> str:
    return line(response).partition("=")[0]


def text_of(place: Site, cookie: str) -> str:
    return place.send(f"session={cookie}", lambda current: str(dict(current))).text


def end_after(place: Site, *steps: Any) -> float | None:
    for use in (put(user=7), *steps):
        place.visit(use)
    return ends_at(place.value)


# Flask's keys, changed in mid-life.

Look = Callable[[Site], object]
MID_LIFE: Final[list[tuple[str, Any, Look, Any, Any]]] = [
    ("SESSION_COOKIE_NAME", "other", lambda place: name_of(place.visit(permanent)), "session", "other"),
    ("SESSION_COOKIE_DOMAIN", "example.com", lambda place: told(place).get("domain"), None, "example.com"),
    ("SESSION_COOKIE_PATH", "/shop", lambda place: told(place)["path"], "/", "/shop"),
    ("APPLICATION_ROOT", "/app", lambda place: told(place)["path"], "/", "/app"),
    ("SESSION_COOKIE_HTTPONLY", False, lambda place: "httponly" in told(place), True, False),
    ("SESSION_COOKIE_SECURE", True, lambda place: "secure" in told(place), False, True),
    ("SESSION_COOKIE_SAMESITE", "Strict", lambda place: told(place).get("samesite"), None, "Strict"),
    ("SESSION_COOKIE_PARTITIONED", True, lambda place: "partitioned" in told(place), False, True),
    ("PERMANENT_SESSION_LIFETIME", 60, end_after, NOW + MONTH, NOW + 60),
    (
        "SESSION_REFRESH_EACH_REQUEST",
        False,
        lambda place: (place.visit(permanent), len(lines(place.visit())))[1],
        1,
        0,
    ),
]


@pytest.mark.parametrize(
    ("key", "value", "look", "before", "after"), MID_LIFE, ids=[row[0] for row in MID_LIFE]
)
def test_flasks_configuration_may_change_at_any_time(
    key: str, value: Any, look: Look, before: Any, after: Any
) -> None:
    place = Site(IronSessionInterface(PASSWORD, clock=FakeClock()))
    assert look(place) == before
    former = place.app.config.get(key)
    place.app.config[key] = value
    assert look(place) == after
    place.app.config[key] = former
    assert look(place) == before


def test_keys_may_change_at_any_time() -> None:
    place = Site(IronSessionInterface(), SECRET_KEY=KEY)
    place.visit(put(user=7))
    place.app.config["SECRET_KEY"] = "another"
    assert place.finds() == {}
    fallbacks: list[str] = []
    place.app.config["SECRET_KEY_FALLBACKS"] = fallbacks
    assert place.finds() == {}
    fallbacks.append(KEY)
    assert place.finds() == {"user": 7}
    place.app.config["IRON_SESSION_PASSWORD"] = PASSWORD
    assert place.finds() == {}
    place.keep(sealed({"user": 8}, expires_at=4e9))
    assert place.finds() == {"user": 8}


def test_a_mapping_of_passwords_that_is_changed_in_place_is_read_again() -> None:
    passwords = {1: PASSWORD}
    place = Site(IronSessionInterface(), IRON_SESSION_PASSWORD=passwords)
    place.visit(put(user=7))
    passwords[2] = NEWER
    place.visit(len)
    assert payload(place.value, NEWER) == {"user": 7}


# Our own keys.


def emptied(place: Site) -> dict[str, Any]:
    place.visit(put(user=7))
    return place.finds()


def big(place: Site) -> list[str]:
    return [text.partition("=")[0] for text in lines(place.visit(put(big="x" * 3500)))]


def events(place: Site) -> None:
    place.visit(put(user=7))


def sid(place: Site) -> str:
    seen: list[str] = []
    place.visit(lambda current: (current.update(user=7), seen.append(current.sid)))
    return seen[0]


def stamps(place: Site) -> list[str]:
    place.visit(put(user=7))
    return sorted(payload(place.value).get("_iron", ()))


def end_of_seven(place: Site) -> dict[str, Any]:
    place.visit(put(user=7))
    place.app.config["IRON_SESSION_REVOCATIONS"].revoke_subject("7", before=NOW + 1)
    return place.finds()


def vaults(place: Site) -> bool:
    MADE.clear()
    place.visit(put(user=7))
    return bool(MADE)


def conflict(place: Site) -> int:
    place.visit(put(user=7))

    def write_what_another_request_writes_too(current: FlaskSession) -> None:
        current["user"] = 8
        place.send(f"session={place.value}", put(user=9))

    return place.visit(write_what_another_request_writes_too).status_code


MADE: Final[list[SessionOptions]] = []


def make_vault(options: SessionOptions) -> SealVault:
    MADE.append(options)
    return SealVault(options)


class Broken(Revocations):
    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:  # noqa: ARG002
        raise ConnectionError


JUST_OVER: Final = sealed({"user": 7}, expires_at=NOW - 30)
LEGACY: Final = sealed({"persistent": {"user": 7}, "flash": {}})
OWN: Final[list[tuple[str, Any, Look, Any]]] = [
    ("cookie_name", "mine", lambda place: name_of(place.visit(put(user=7))), "mine"),
    ("ttl", 60, end_after, NOW + 60),
    ("absolute_timeout", timedelta(minutes=1), end_after, NOW + 60),
    ("refresh_after", 0, lambda place: (place.visit(put(user=7)), len(lines(place.visit(len))))[1], 1),
    ("cookie_options", {"path": "/mine"}, lambda place: told(place)["path"], "/mine"),
    ("cookie_options", CookieOptions(path="/mine"), lambda place: told(place)["path"], "/mine"),
    ("cookie_options", {"max_age": 77}, lambda place: told(place)["max-age"], "77"),
    ("cookie_options", {"max_age": "ttl"}, lambda place: told(place)["max-age"], str(MONTH - 60)),
    ("overflow", "chunk", big, ["session.0", "session.1", "session"]),
    ("auto_commit", False, lambda place: lines(place.visit(put(user=7))), []),
    ("save_on_error", False, lambda place: lines(place.visit(failing)), []),
    ("skew", 0, lambda place: text_of(place, JUST_OVER), "{}"),
    ("iterations", 2, emptied, {"user": 7}),
    ("generate_id", lambda: "chosen", sid, "chosen"),
    ("accept", ("next-iron-session",), lambda place: text_of(place, LEGACY), "{'user': 7}"),
    ("clock", lambda: NOW + 500, end_after, NOW + 500 + MONTH),
    ("max_chunks", 4, lambda place: place.visit(put(user=7)).status_code, 200),
    ("on_event", None, lambda place: place.visit(put(user=7)).status_code, 200),
    ("seal_with", 1, emptied, {"user": 7}),
    ("overflow", "store", lambda place: len(line(place.visit(put(big="x" * 5000)))) < 500, True),
    ("storage", "store", stamps, ["iat", "ref", "sid"]),
    ("store", "memory:", stamps, ["iat", "sid"]),
    ("store", MemoryStore(), stamps, ["iat", "sid"]),
    ("revocations", "memory:", stamps, ["iat", "sid"]),
    ("revocations", MemoryRevocations(), stamps, ["iat", "sid"]),
    ("subject", "user", end_of_seven, {}),
    ("subject", lambda data: data["user"], end_of_seven, {}),
    ("vault", make_vault, vaults, True),
    ("on_outage", "accept", emptied, {"user": 7}),
    ("on_conflict", "raise", conflict, 500),
]

BESIDE: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "overflow": lambda: {"IRON_SESSION_STORE": MemoryStore()},
    "storage": lambda: {"IRON_SESSION_STORE": MemoryStore()},
    "subject": lambda: {"IRON_SESSION_REVOCATIONS": MemoryRevocations()},
    "on_outage": lambda: {"IRON_SESSION_REVOCATIONS": Broken()},
    "on_conflict": lambda: {"IRON_SESSION_STORE": MemoryStore(), "IRON_SESSION_STORAGE": "store"},
}
"""What an option needs beside it."""


def failing(current: FlaskSession) -> None:
    current["user"] = 7
    current["user"] / 0


@pytest.mark.parametrize("how", ["argument", "configuration", "argument over configuration", "in mid-life"])
@pytest.mark.parametrize(
    ("name", "value", "look", "expected"), OWN, ids=[f"{row[0]}-{i}" for i, row in enumerate(OWN)]
)
def test_an_option_is_taken_from_the_argument_then_from_the_configuration(
    name: str, value: Any, look: Look, expected: Any, how: str
) -> None:
    key = f"IRON_SESSION_{name.upper()}"
    arguments = {name: value} if how.startswith("argument") else {}
    config = {} if how in ("argument", "in mid-life") else {key: value}
    if how == "argument over configuration":
        config = {key: OTHERWISE.get(name, value)}
    if name != "clock":
        arguments["clock"] = FakeClock()
    config |= BESIDE.get(name, dict)()
    place = Site(IronSessionInterface(PASSWORD, **arguments), **{**ERRORS, "DEBUG": True}, **config)
    if how == "in mid-life":
        place.visit(put(before=1))
        place.client.delete_cookie("session")
        place.app.config[key] = value
    assert look(place) == expected


OTHERWISE: Final[dict[str, Any]] = {
    "cookie_name": "never",
    "ttl": 5,
    "absolute_timeout": 5,
    "refresh_after": 10**6,
    "cookie_options": {"path": "/never", "max_age": 5},
    "overflow": "raise",
    "auto_commit": True,
    "save_on_error": True,
    "skew": 60,
    "iterations": 1,
    "generate_id": lambda: "never",
    "accept": (),
    "clock": lambda: NOW - 500,
    "storage": "cookie",
    "subject": "never",
    "vault": lambda _: None,
    "on_outage": "refuse",
    "on_conflict": "merge",
}


def test_every_option_but_the_two_without_a_meaning_can_be_given() -> None:
    assert {name for name, *_ in OWN} | {"password"} == set(NAMES)


def test_an_argument_that_says_the_default_wins_too() -> None:
    place = Site(
        IronSessionInterface(PASSWORD, clock=FakeClock(), absolute_timeout=None, refresh_after=None),
        IRON_SESSION_ABSOLUTE_TIMEOUT=60,
        IRON_SESSION_REFRESH_AFTER=0,
    )
    assert end_after(place) == NOW + MONTH
    assert lines(place.visit(len)) == []


def test_an_option_that_is_none_in_the_configuration_is_not_given() -> None:
    place = Site(IronSessionInterface(PASSWORD, clock=FakeClock()), IRON_SESSION_TTL=None)
    assert end_after(place) == NOW + MONTH
    assert "expires" not in attributes(line(place.visit(put(user=8))))


@pytest.mark.parametrize(
    "form", [PASSWORD, {1: PASSWORD}, [{"id": 1, "password": PASSWORD}], Passwords.parse(PASSWORD)]
)
def test_every_form_of_a_password_is_taken_from_both(form: Any) -> None:
    for place in (Site(IronSessionInterface(form)), Site(IronSessionInterface(), IRON_SESSION_PASSWORD=form)):
        place.visit(put(user=7))
        assert payload(place.value) == {"user": 7}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cookieName": "x"}, "write cookie_name"),
        ({"serialiser": "x"}, "is not an option"),
        ({"environ_key": "x"}, "is not an option"),
        ({"ttl": -1}, "ttl must be"),
        ({"ttl": None}, "ttl must be"),
        ({"overflow": "disk"}, "overflow must be"),
        ({"storage": "disk"}, "storage must be"),
        ({"storage": "store", "store": None}, "need a store"),
        ({"store": 7}, "store must be"),
        ({"store": "redis:/nowhere"}, "URL cannot be"),
        ({"store": "ftp://nowhere"}, "scheme is unknown"),
        ({"revocations": object()}, "revocations must"),
        ({"revocations": "ftp://nowhere"}, "scheme is unknown"),
        ({"revocations": "memory:", "ttl": 0, "absolute_timeout": None}, "need an absolute_timeout"),
        ({"subject": ""}, "subject must"),
        ({"vault": 7}, "vault must"),
        ({"on_outage": "ignore"}, "on_outage must be"),
        ({"on_conflict": "ignore"}, "on_conflict must be"),
        ({"max_chunks": 5}, "max_chunks must be"),
        ({"auto_commit": 1}, "auto_commit must be"),
        ({"generate_id": 7}, "generate_id must be"),
        ({"cookie_name": "a b"}, "cookie name"),
        ({"cookie_options": {"httpOnly": True}}, "write httponly"),
        ({"cookie_options": {"secure": "yes"}}, "secure must be"),
        ({"cookie_options": {"encode": str}}, "encode cannot be set"),
        ({"cookie_options": ["secure"]}, "cookie_options"),
        ({"cookie_options": {"path": "/x"}, "cookie_name": "__Host-s"}, "path='/'"),
    ],
)
def test_an_unusable_argument_is_refused_at_once_with_the_way_out(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        IronSessionInterface(PASSWORD, **options)


@pytest.mark.parametrize("password", ["short", {}, {"one": PASSWORD}, b"x" * 32])
def test_an_unusable_password_is_refused_at_once_and_not_shown(password: Any) -> None:
    with pytest.raises(ConfigError) as failure:
        IronSessionInterface(password)
    assert PASSWORD not in str(failure.value)


def test_a_published_password_warns() -> None:
    with pytest.warns(WeakPasswordWarning):
        IronSessionInterface("complex_password_at_least_32_characters_long")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"IRON_SESSION_COOKIENAME": "x"}, "IRON_SESSION_COOKIENAME: .*write cookie_name"),
        ({"IRON_SESSION_ENVIRON_KEY": "x"}, "IRON_SESSION_ENVIRON_KEY"),
        ({"IRON_SESSION_SERIALIZER": "json"}, "serializer"),
        ({"IRON_SESSION_TTL": "14 days"}, "ttl must be"),
        ({"IRON_SESSION_PASSWORD": "short"}, "32"),
        ({"IRON_SESSION_PASSWORD": ""}, "32"),
        ({"IRON_SESSION_COOKIE_OPTIONS": {"sameSite": "lax"}}, "write samesite"),
        ({"IRON_SESSION_SEAL_WITH": 5, "IRON_SESSION_PASSWORD": {1: PASSWORD}}, "no password to seal with"),
        ({"SESSION_COOKIE_SAMESITE": "None"}, "needs secure=True"),
        ({"SESSION_COOKIE_SAMESITE": "sometimes"}, "samesite must be"),
        ({"SESSION_COOKIE_DOMAIN": "a b"}, "domain must be"),
        ({"SESSION_COOKIE_DOMAIN": "x" * 64 + ".com"}, "domain must be"),
        ({"SESSION_COOKIE_NAME": "a;b"}, "cookie name"),
        ({"SECRET_KEY_FALLBACKS": "another key"}, "SECRET_KEY_FALLBACKS a list"),
        ({"SECRET_KEY_FALLBACKS": [7]}, "SECRET_KEY_FALLBACKS a list"),
        ({"IRON_SESSION_STORAGE": "store"}, "need a store"),
        ({"IRON_SESSION_OVERFLOW": "store"}, "need a store"),
        ({"IRON_SESSION_STORE": "ftp://nowhere"}, "scheme is unknown"),
        ({"IRON_SESSION_REVOCATIONS": "memory:", "IRON_SESSION_TTL": 0}, "need an absolute_timeout"),
    ],
    ids=str,
)
def test_an_unusable_configuration_is_an_error_that_says_so_at_the_first_write(
    config: dict[str, Any], message: str
) -> None:
    place = Site(IronSessionInterface(), **{"SECRET_KEY": KEY, **config})
    assert place.visit().status_code == 200
    with pytest.raises(ConfigError, match=message):
        place.visit(put(user=7))


@pytest.mark.parametrize(
    ("name", "config", "wants"),
    [
        ("__Host-s", {}, "secure=True"),
        ("__Secure-s", {}, "secure=True"),
        ("__host-s", {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_PATH": "/x"}, "path='/'"),
        ("__Host-s", {"SESSION_COOKIE_SECURE": True, "APPLICATION_ROOT": "/x"}, "path='/'"),
        ("__Host-s", {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_DOMAIN": "example.com"}, "no domain"),
        (
            "__Host-s",
            {"SESSION_COOKIE_SECURE": True, "IRON_SESSION_COOKIE_OPTIONS": {"path": "/x"}},
            "path='/'",
        ),
    ],
)
def test_a_prefixed_name_is_held_to_the_attributes_that_the_cookie_really_gets(
    name: str, config: dict[str, Any], wants: str
) -> None:
    for place in (
        Site(SESSION_COOKIE_NAME=name, **config),
        Site(IronSessionInterface(PASSWORD, cookie_name=name), **config),
    ):
        with pytest.raises(ConfigError, match=wants):
            place.visit(put(user=7))


def test_cookie_options_win_over_flasks_keys_one_by_one() -> None:
    place = Site(
        IronSessionInterface(PASSWORD, cookie_options={"samesite": "strict"}),
        SESSION_COOKIE_PATH="/flask",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_HTTPONLY=False,
        IRON_SESSION_COOKIE_OPTIONS={"samesite": "None", "secure": True},
    )
    found = told(place)
    assert {key: found.get(key) for key in ("samesite", "path", "secure", "httponly")} == {
        "samesite": "Strict",
        "path": "/flask",
        "secure": "",
        "httponly": None,
    }


def test_a_whole_set_of_cookie_options_replaces_flasks_keys() -> None:
    place = Site(
        IronSessionInterface(PASSWORD, cookie_options=CookieOptions(samesite="Strict", max_age=60)),
        SESSION_COOKIE_PATH="/flask",
    )
    assert told(place) == {"httponly": "", "secure": "", "path": "/", "samesite": "Strict", "max-age": "60"}


@pytest.mark.parametrize("how", ["option", "key"])
def test_a_partitioned_cookie_is_secure(how: str) -> None:
    options = {"cookie_options": {"partitioned": True}} if how == "option" else {}
    config = {} if how == "option" else {"SESSION_COOKIE_PARTITIONED": True}
    found = told(Site(IronSessionInterface(PASSWORD, **options), **config))  # type: ignore[arg-type]
    assert found.keys() >= {"partitioned", "secure"}


def test_flask_3_0_has_no_partitioned_and_no_fallbacks() -> None:
    place = Site(IronSessionInterface(), SECRET_KEY=KEY)
    for key in ("SESSION_COOKIE_PARTITIONED", "SECRET_KEY_FALLBACKS"):
        place.app.config.pop(key, None)
    assert "partitioned" not in told(place)
    assert place.finds()["user"] == 7


# Stores and lists.


def test_what_an_argument_needs_beside_it_may_stand_in_the_configuration() -> None:
    site = Site(
        IronSessionInterface(PASSWORD, storage="store", revocations="memory:", ttl=0),
        IRON_SESSION_STORE=MemoryStore(),
        IRON_SESSION_ABSOLUTE_TIMEOUT=60,
    )
    site.visit(put(user=7))
    assert site.finds() == {"user": 7}
    assert len(site.app.config["IRON_SESSION_STORE"]) == 1


@pytest.mark.parametrize("how", ["arguments", "configuration"])
def test_a_url_is_opened_once_and_nothing_is_reached_before_a_session_is_used(how: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        places = {"store": url, "revocations": url, "storage": "store"}
        arguments = places if how == "arguments" else {}
        config = (
            {} if arguments else {f"IRON_SESSION_{name.upper()}": value for name, value in places.items()}
        )
        sites = [Site(IronSessionInterface(PASSWORD, **arguments), **config) for _ in range(2)]  # type: ignore[arg-type]
        for site in sites:
            assert site.visit().text == "ok"
            with site.client.session_transaction() as current:
                assert not current.accessed
        opened = [options_of(site) for site in sites]
        assert opened[0].store is opened[1].store is not None
        assert opened[0].revocations is opened[1].revocations is not None
        with pytest.raises(TimeoutError):
            server.accept()


def options_of(site: Site) -> SessionOptions:
    interface = site.app.session_interface
    assert isinstance(interface, IronSessionInterface)
    return interface.options(site.app)


def test_the_subject_is_whom_flask_login_names_unless_something_else_is_said() -> None:
    assert options_of(Site()).subject_of({"_user_id": "7", "user": 8}) == "7"
    assert options_of(Site(IRON_SESSION_SUBJECT="user")).subject_of({"_user_id": "7", "user": 8}) == "8"


def test_a_list_of_revocations_may_come_and_go_while_the_application_runs() -> None:
    site = Site()
    site.visit(put(user=7))
    revocations = site.app.config["IRON_SESSION_REVOCATIONS"] = MemoryRevocations()
    assert site.finds() == {"user": 7}
    revocations.revoke_all(before=NOW)  # which is yet to come
    assert site.finds() == {}
    site.app.config["IRON_SESSION_REVOCATIONS"] = None
    assert site.finds() == {"user": 7}


# One interface, several applications.


def test_one_interface_serves_applications_with_keys_of_their_own() -> None:
    interface = IronSessionInterface()
    first, second = (Site(interface, SECRET_KEY=key, SESSION_COOKIE_PATH=f"/{key}") for key in ("one", "two"))
    for place in (first, second):
        place.visit(put(user=place.app.secret_key), path=f"/{place.app.secret_key}/")
    assert told(first)["path"] == "/one"
    assert told(second)["path"] == "/two"
    seal = line(first.visit(put(user=1))).partition(";")[0]
    assert second.send(seal, lambda current: str(dict(current))).text == "{}"
    assert first.send(seal, lambda current: str(dict(current))).text == "{'user': 1}"


def test_two_interfaces_of_one_application_do_not_mix() -> None:
    place = Site(IronSessionInterface(PASSWORD))
    place.visit(put(user=7))
    place.app.session_interface = IronSessionInterface({2: OTHER})
    place.visit(put(user=8))
    assert payload(place.value, OTHER) == {"user": 8}


# Overridden small methods.


class ByRequest(IronSessionInterface):
    """What each method says depends on the request."""

    def get_cookie_name(self, app: Flask) -> str:
        return f"{super().get_cookie_name(app)}_{request.args.get('site', 'main')}"

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002
        return request.is_secure

    def get_cookie_path(self, app: Flask) -> str:  # noqa: ARG002
        return request.path

    def get_expiration_time(self, app: Flask, session: SessionMixin) -> datetime | None:
        if "until" in session:
            return datetime.fromtimestamp(session["until"], timezone.utc)
        return super().get_expiration_time(app, session)

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        return super().should_set_cookie(app, session) and "draft" not in session


@pytest.fixture
def place() -> Site:
    return Site(ByRequest(PASSWORD, clock=FakeClock()))


def test_each_request_may_have_a_cookie_of_its_own_name(place: Site) -> None:
    for name in ("a", "b"):
        response = place.visit(put(user=name), path=f"/?site={name}")
        assert line(response).startswith(f"session_{name}=Fe26.2*")
    for name in ("a", "b"):
        assert place.visit(lambda current: current["user"], path=f"/?site={name}").text == name
    assert place.visit(lambda current: str(dict(current)), path="/?site=c").text == "{}"


def test_any_number_of_names_needs_only_so_many_engines(place: Site) -> None:
    for number in range(3 * MAX_ENGINES):
        place.visit(put(user=number), path=f"/?site={number}")
    interface = place.app.session_interface
    assert isinstance(interface, ByRequest)
    config = interface.config(place.app)
    assert 0 < len(config._engines) <= MAX_ENGINES
    assert 0 < len(config._cookie_options) <= MAX_ENGINES
    assert place.visit(lambda current: str(current["user"]), path="/?site=0").text == "0"


def test_only_so_many_cookies_are_known_at_a_time() -> None:
    known = KnownCookies()
    for number in range(MAX_KNOWN + 5):
        known.add(("session", f"session={number}"))
    assert 0 < len(known._hashes) <= MAX_KNOWN
    assert ("session", f"session={number}") in known
    assert ("other", f"session={number}") not in known


def test_an_engine_serves_until_the_configuration_changes() -> None:
    site = Site()
    interface = site.app.session_interface
    assert isinstance(interface, IronSessionInterface)
    engine = interface.engine(site.app, "session")
    site.visit(put(user=7))
    site.app.config["SESSION_COOKIE_PATH"] = "/x"
    assert interface.engine(site.app, "session") is engine
    site.app.config["IRON_SESSION_TTL"] = 60
    assert interface.engine(site.app, "session") is not engine


def test_secure_and_path_may_depend_on_the_request(place: Site) -> None:
    plain = attributes(line(place.visit(put(user=7), path="/plain")))
    safe = attributes(line(place.visit(put(user=8), path="/safe", base_url="https://localhost")))
    assert ("secure" in plain, plain["path"]) == (False, "/plain")
    assert ("secure" in safe, safe["path"]) == (True, "/safe")


@pytest.mark.parametrize("moment", [NOW + 500, NOW - 500])
def test_the_end_may_be_chosen_and_the_seal_ends_with_it(place: Site, moment: float) -> None:
    response = place.visit(put(until=moment))
    value = line(response).partition("=")[2].partition(";")[0]
    expires = datetime.fromtimestamp(moment, timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert attributes(line(response))["expires"] == expires
    assert ends_at(value) == (moment if moment > NOW else NOW - 61)


def test_a_naive_end_is_utc() -> None:
    def end(*_: object) -> datetime:
        return datetime.fromtimestamp(NOW + 500, timezone.utc).replace(tzinfo=None)

    site = Site(
        type("Naive", (IronSessionInterface,), {"get_expiration_time": end})(PASSWORD, clock=FakeClock())
    )
    site.visit(put(user=7))
    assert ends_at(site.value) == NOW + 500


def test_a_veto_keeps_a_change_from_being_written_but_not_a_save_nor_an_end(place: Site) -> None:
    assert lines(place.visit(put(draft=1))) == []
    assert place.visit(put(draft=1)).headers["Vary"] == "Cookie"

    def save(current: FlaskSession) -> None:
        current["draft"] = 2
        current.save()
        current["later"] = 3

    assert len(lines(place.visit(save))) == 1
    assert place.visit(lambda current: str(dict(current))).text == "{'draft': 2}"
    assert "Max-Age=0" in line(place.visit(lambda current: current.clear()))


def test_an_overridden_method_that_reads_the_session_is_no_access(place: Site) -> None:
    place.visit(put(user=7))
    response = place.visit()
    assert "Vary" not in response.headers
    assert lines(response) == []


def test_a_wish_to_set_the_cookie_is_heard_on_every_request() -> None:
    def always(*_: object) -> bool:
        return True

    site = Site(type("Always", (IronSessionInterface,), {"should_set_cookie": always})(PASSWORD))
    assert lines(site.visit()) == []  # there is nothing to write
    site.visit(put(user=7))
    response = site.visit(look_away)
    assert len(lines(response)) == 1
    assert response.headers["Vary"] == "Cookie"


# Sealers.


def test_a_sealer_seals_for_its_purpose_under_the_applications_password() -> None:
    clock = FakeClock()
    interface = IronSessionInterface(clock=clock)
    site = Site(interface, SECRET_KEY=KEY)
    with site.app.app_context():
        links = interface.sealer("magic-link")
        token = links.seal({"user": 7}, ttl=60)
        assert interface.sealer("magic-link").unseal(token) == {"user": 7}
        with pytest.raises(SealError):
            interface.sealer("other").unseal(token)
    assert site.send(f"session={token}", lambda current: str(dict(current))).text == "{}"
    clock.advance(121)
    with pytest.raises(ExpiredSeal):
        links.unseal(token)


def test_a_sealer_follows_a_rotation_of_secret_keys() -> None:
    interface = IronSessionInterface()
    site = Site(interface, SECRET_KEY="old")
    with site.app.app_context():
        token = interface.sealer("link").seal({"user": 7}, ttl=60)
        site.app.config.update(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"])
        assert interface.sealer("link").unseal(token) == {"user": 7}


def test_a_sealer_needs_an_application_and_a_password_and_no_request() -> None:
    with pytest.raises(RuntimeError, match="outside of application context"):
        IronSessionInterface(PASSWORD).sealer("link")
    site = Site(IronSessionInterface())
    with site.app.app_context(), pytest.raises(ConfigError, match="secret key"):
        site.app.session_interface.sealer("link")  # type: ignore[attr-defined]
    site = Site(ByRequest(PASSWORD))
    with site.app.app_context():
        token = site.app.session_interface.sealer("link").seal({"user": 7}, ttl=60)  # type: ignore[attr-defined]
    assert Sealer(PASSWORD, purpose="link").unseal(token) == {"user": 7}


def test_a_seal_for_one_use_is_used_once_and_needs_a_list_to_note_that_in() -> None:
    interface = IronSessionInterface(PASSWORD)
    site = Site(interface)
    with site.app.app_context():
        with pytest.raises(ConfigError, match="set the option revocations"):
            interface.sealer("link", once=True)
        site.app.config["IRON_SESSION_REVOCATIONS"] = MemoryRevocations()
        links = interface.sealer("link", once=True)
        token = links.seal({"user": 7}, ttl=60)
        assert links.unseal(token) == {"user": 7}
        assert links.consume(token) == {"user": 7}
        with pytest.raises(UsedSeal):
            interface.sealer("link", once=True).consume(token)


def test_a_session_too_large_for_one_line_is_refused_by_name() -> None:
    with pytest.raises(CookieTooLarge, match="'big' 4010"):
        Site().visit(put(big="x" * 4000))


def test_mappings_given_as_arguments_are_copied() -> None:
    given: dict[str, Any] = {"path": "/a"}
    site = Site(IronSessionInterface(PASSWORD, cookie_options=given))
    given["path"] = "/b"
    assert told(site)["path"] == "/a"
    assert isinstance(given, Mapping)
