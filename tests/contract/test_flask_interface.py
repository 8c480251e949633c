"""What Flask's own session interface does, done by both: the one may take the place of the other."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import flask
import pytest
from flask import Flask, Response, flash, get_flashed_messages, render_template_string, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionInterface, SessionMixin
from hypothesis import given
from hypothesis import strategies as st

from iron_wsgi_flask import FlaskSession, IronSessionInterface
from tests.unit.flask_site import Site, Use, line, lines, look_away, put

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

KEY: Final = "the secret key of both"
MOMENT: Final = datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def fixed(kind: type[SessionInterface]) -> SessionInterface:
    """An interface whose permanent sessions end at one moment, so that both write the same Expires."""

    def get_expiration_time(_self: SessionInterface, _app: Flask, current: SessionMixin) -> datetime | None:
        return MOMENT if current.permanent else None

    return type("Fixed", (kind,), {"get_expiration_time": get_expiration_time})()


FLAG: Final = re.compile(r"^(Secure|HttpOnly|Partitioned)=.*")

FLASK: Final = tuple(int(part) for part in version("flask").split(".")[:3])
KNOWS_EVERY_ACCESS: Final = FLASK >= (3, 1, 3)  # before, Flask saw no access in len(session) and the like
KNOWS_PARTITIONED: Final = FLASK >= (3, 1)

Sites = tuple[Site, Site]


def sites(**config: Any) -> Sites:
    """The same site with Flask's own sessions and with ours."""
    kinds = (SecureCookieSessionInterface, IronSessionInterface)
    return tuple(Site(fixed(kind), SECRET_KEY=KEY, **config) for kind in kinds)  # type: ignore[return-value]


def told(response: TestResponse) -> tuple[Any, ...]:
    """What the browser is told, but for the value of the session's cookie."""
    told = []
    for cookie in lines(response):
        pair, *attributes = cookie.split("; ")
        name, _, value = pair.partition("=")
        # For any truth value Flask writes Secure=1 and the like, of which browsers read the name alone.
        told.append((name, bool(value), sorted(FLAG.sub(r"\1", attribute) for attribute in attributes)))
    return response.status_code, response.text, response.headers.getlist("Vary"), told


VARY: Final = 2
"""The place of the Vary lines in what `told` returns."""


def permanent(current: FlaskSession) -> None:
    current.permanent = True
    current["user"] = 7


def redirect_and_flash(_: FlaskSession) -> Response:
    flash("saved", "good")
    flash("and more")
    return flask.redirect("/")  # type: ignore[return-value]


BEGINNINGS: Final[dict[str, Use]] = {
    "nothing": look_away,
    "a session": put(user=7, cart=[1], name="é"),
    "a permanent one": permanent,
    "messages": redirect_and_flash,
}

USES: Final[dict[str, Use]] = {
    "nothing": look_away,
    "get": lambda current: str(current.get("user")),
    "[]": lambda current: str(current["user"]) if "user" in current else "none",
    "in": lambda current: str("user" in current),
    "len": lambda current: str(len(current)),
    "list": lambda current: str(sorted(current)),
    "dict": lambda current: str(sorted(dict(current))),
    "==": lambda current: str(current == {}),
    "permanent": lambda current: str(current.permanent),
    "accessed": lambda current: str(current.accessed),
    "modified": lambda current: str(current.modified),
    "write": put(user=8),
    "setdefault of a new one": lambda current: str(current.setdefault("fresh", 1)),
    "delete": lambda current: current.pop("user", None),
    "pop of nothing": lambda current: str(current.pop("missing", "none")),
    "clear": lambda current: current.clear(),
    "permanent = True": lambda current: setattr(current, "permanent", True),
    "permanent = False": lambda current: setattr(current, "permanent", False),
    "modified = True": lambda current: setattr(current, "modified", True),
    "write, then modified = False": lambda current: (
        current.update(b=1),
        setattr(current, "modified", False),
    ),
    "flash": lambda _: flash("hello"),
    "messages": lambda _: str(get_flashed_messages()),
    "messages with categories": lambda _: str(get_flashed_messages(with_categories=True)),
    "messages of a category": lambda _: str(get_flashed_messages(category_filter=["good"])),
    "a template that shows it": lambda _: render_template_string("{{ session.user }}|{{ session['cart'] }}"),
    "a template that loops": lambda _: render_template_string("{% for key in session %}.{% endfor %}"),
    "a template without it": lambda _: render_template_string("hello"),
    "abort": lambda _: flask.abort(403),
    "write and abort": lambda current: (current.update(b=1), flask.abort(404)),
}


@pytest.mark.parametrize("refresh", [True, False])
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_browser_is_told_the_same_by_both(beginning: str, use: str, refresh: bool) -> None:  # noqa: FBT001
    compare(
        sites(SESSION_REFRESH_EACH_REQUEST=refresh), BEGINNINGS[beginning], USES[use], look_away, USES["get"]
    )


@given(uses=st.lists(st.sampled_from(sorted(USES)), max_size=8), refresh=st.booleans())
def test_a_browser_is_told_the_same_by_both_on_any_way_through_the_site(
    uses: list[str], *, refresh: bool
) -> None:
    compare(sites(SESSION_REFRESH_EACH_REQUEST=refresh), *[USES[use] for use in uses])


def compare(both: Sites, *uses: Use) -> None:
    """Go through both sites, and find the answers alike."""
    theirs, ours = both
    for use in uses:
        brought = bool(theirs.value)
        expected = told(theirs.visit(use))
        if not brought:
            # Flask deletes a cookie that nobody has, too.
            expected = (*expected[:-1], [cookie for cookie in expected[-1] if cookie[1]])
        found = told(ours.visit(use))
        if not KNOWS_EVERY_ACCESS and not expected[VARY]:
            expected = (*expected[:VARY], found[VARY], *expected[VARY + 1 :])
        assert found == expected


SCOPES: Final[list[dict[str, Any]]] = [
    {},
    {"SESSION_COOKIE_NAME": "other.name-1"},
    {"SESSION_COOKIE_DOMAIN": "example.com"},
    {"SESSION_COOKIE_DOMAIN": ".example.com"},
    {"SESSION_COOKIE_DOMAIN": "example.com:8080"},
    {"SESSION_COOKIE_DOMAIN": "bücher.example"},
    {"SESSION_COOKIE_DOMAIN": "sub_domain.example.com"},
    {"SESSION_COOKIE_DOMAIN": "127.0.0.1"},
    {"SESSION_COOKIE_DOMAIN": False},
    {"SESSION_COOKIE_PATH": "/shop"},
    {"SESSION_COOKIE_PATH": "/a b"},
    {"SESSION_COOKIE_PATH": "/ä;x"},
    {"SESSION_COOKIE_PATH": "/100%/(x)"},
    {"APPLICATION_ROOT": "/below"},
    {"APPLICATION_ROOT": "/below", "SESSION_COOKIE_PATH": "/"},
    {"SESSION_COOKIE_HTTPONLY": False},
    {"SESSION_COOKIE_HTTPONLY": None},
    {"SESSION_COOKIE_HTTPONLY": 0},
    {"SESSION_COOKIE_HTTPONLY": "yes"},
    {"SESSION_COOKIE_SECURE": True},
    {"SESSION_COOKIE_SECURE": None},
    {"SESSION_COOKIE_SECURE": 1},
    {"SESSION_COOKIE_SECURE": "1"},
    {"SESSION_COOKIE_SAMESITE": "Lax"},
    {"SESSION_COOKIE_SAMESITE": "strict"},
    {"SESSION_COOKIE_SAMESITE": "NONE", "SESSION_COOKIE_SECURE": True},
    {"SESSION_COOKIE_PARTITIONED": True},
    {"SESSION_COOKIE_PARTITIONED": True, "SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "None"},
    {"SESSION_COOKIE_PARTITIONED": 1},
    {"SESSION_COOKIE_NAME": "__Host-session", "SESSION_COOKIE_SECURE": True},
    {"SESSION_COOKIE_NAME": "__Secure-session", "SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_PATH": "/x"},
]


@pytest.mark.parametrize(
    "scope",
    [scope for scope in SCOPES if KNOWS_PARTITIONED or "SESSION_COOKIE_PARTITIONED" not in scope],
    ids=str,
)
def test_both_give_the_cookie_the_same_attributes_when_set_and_when_deleted(scope: dict[str, Any]) -> None:
    theirs, ours = sites(**scope)
    cookies = ["", ""]
    for use in (permanent, put(user=8), lambda current: current.clear()):
        answers = [site.send(cookie, use) for site, cookie in zip((theirs, ours), cookies, strict=True)]
        assert told(answers[1]) == told(answers[0])
        cookies = [line(answer).partition("; ")[0] for answer in answers]
    assert cookies == [f"{cookie.partition('=')[0]}=" for cookie in cookies]  # both were deleted


def test_both_ask_the_same_small_methods() -> None:
    for name, method in inspect.getmembers(SessionInterface, inspect.isfunction):
        ours = getattr(IronSessionInterface, name)
        assert inspect.signature(ours).parameters.keys() == inspect.signature(method).parameters.keys(), name
    assert IronSessionInterface.null_session_class is SessionInterface.null_session_class
    assert IronSessionInterface.pickle_based is False


def test_our_session_has_what_flasks_has() -> None:
    # What a dict has beside a mapping is not promised by Flask: SessionMixin is a MutableMapping.
    public = {name for name in dir(SecureCookieSession) if not name.startswith("_")} - {
        "on_update",
        "fromkeys",
    }
    assert public <= set(dir(FlaskSession))
    assert issubclass(FlaskSession, SessionMixin)


Method = Callable[[SessionInterface, Flask], object]


@pytest.mark.parametrize("kind", [SecureCookieSessionInterface, IronSessionInterface])
def test_each_small_method_may_be_overridden(kind: type[SessionInterface]) -> None:
    overrides: dict[str, Any] = {
        "get_cookie_name": lambda *_: "own",
        "get_cookie_domain": lambda *_: "own.example",
        "get_cookie_path": lambda *_: "/own",
        "get_cookie_httponly": lambda *_: False,
        "get_cookie_secure": lambda *_: True,
        "get_cookie_samesite": lambda *_: "Strict",
        "get_cookie_partitioned": lambda *_: KNOWS_PARTITIONED,
        "get_expiration_time": lambda *_: MOMENT,
        "should_set_cookie": lambda _self, _app, current: "wanted" in current,
    }
    site = Site(type("Own", (kind,), overrides)(), SECRET_KEY=KEY)
    assert told(site.visit(put(unwanted=1)))[-1] == []
    attributes = ["Domain=own.example", "Expires=Wed, 02 Jan 2030 03:04:05 GMT", "Partitioned", "Path=/own"]
    ((name, has_value, rest),) = told(site.visit(put(wanted=1)))[-1]
    assert (name, has_value) == ("own", True)
    if not KNOWS_PARTITIONED:
        attributes.remove("Partitioned")
    assert rest == sorted([*attributes, "SameSite=Strict", "Secure"])


@pytest.mark.parametrize("kind", [SecureCookieSessionInterface, IronSessionInterface])
def test_the_lifetime_ends_a_session_that_is_not_permanent_too(kind: type[SessionInterface]) -> None:
    site = Site(kind(), SECRET_KEY=KEY, PERMANENT_SESSION_LIFETIME=timedelta(days=1))
    site.visit(put(user=7))
    assert site.visit(lambda current: str(current.get("user"))).text == "7"
    site.app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(days=-2)
    # Flask's cookie says when it was written, a seal when it ends: only Flask's follows a lowered lifetime.
    found = site.visit(lambda current: str(current.get("user"))).text
    assert found == ("None" if kind is SecureCookieSessionInterface else "7")


@pytest.mark.parametrize("kind", [SecureCookieSessionInterface, IronSessionInterface])
def test_without_a_key_reading_is_allowed_and_writing_is_refused(kind: type[SessionInterface]) -> None:
    site = Site(kind())
    assert site.visit(lambda current: str(current.get("user"))).text == "None"
    with pytest.raises(RuntimeError, match="session is unavailable because no secret key was set"):
        site.visit(put(user=7))
    with pytest.raises(RuntimeError, match="session"), site.client.session_transaction():
        pass
    with site.app.test_request_context():
        assert not session
