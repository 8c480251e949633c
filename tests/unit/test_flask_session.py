from __future__ import annotations

import copy
import json
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import flask
import pytest
from flask import flash, g, get_flashed_messages, render_template_string
from flask.globals import request_ctx
from flask.sessions import SecureCookieSession, SessionMixin
from werkzeug.http import parse_date
from werkzeug.test import TestResponse

import iron_wsgi_flask
from iron_wsgi import ConfigError, Session, SessionDestroyed
from iron_wsgi.testing import FakeClock
from iron_wsgi_flask import FlaskSession, IronSessionInterface, session

from .flask_site import Site, line, lines, look_away, put
from .visitor import NOW, PASSWORD, attributes, ends_at, payload, sealed

MONTH: Final = 31 * 86400
"""Flask's PERMANENT_SESSION_LIFETIME, in seconds."""
YEARS: Final = 400 * 86400
"""The longest that browsers keep a cookie, in seconds."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def site(clock: FakeClock, *, config: dict[str, Any] | None = None, **options: Any) -> Site:
    return Site(IronSessionInterface(PASSWORD, clock=clock, **options), **(config or {}))


def permanent(current: FlaskSession) -> None:
    current["user"] = 7
    current.permanent = True


def expires(response: TestResponse) -> float | None:
    """What the response's one cookie says of its end."""
    text = attributes(line(response)).get("expires")
    if text is None:
        return None
    moment = parse_date(text)
    assert moment is not None
    return moment.timestamp()


# The proxy and the object.


def test_session_is_flasks_proxy_with_the_session_of_the_request_behind_it() -> None:
    assert iron_wsgi_flask.session is flask.session
    kinds: list[bool] = []
    Site().visit(
        lambda current: kinds.extend(
            isinstance(current, kind) for kind in (FlaskSession, Session, SessionMixin)
        )
    )
    assert kinds == [True, True, True]


def test_a_session_offers_what_iron_sessions_offer() -> None:
    place = Site()

    def use(current: FlaskSession) -> None:
        current.set("user", 7)
        current.flash("note", "once")
        assert current.is_new
        assert current.new
        assert current.expires_at is None
        current.save()
        assert current.expires_at is not None
        g.sid = current.sid

    place.visit(use)
    later: list[Any] = []
    place.visit(lambda current: later.extend([current.new, current.pop_flash("note"), current.copy()]))
    assert later == [False, "once", {"user": 7}]
    assert "note" not in str(place.finds())


def test_a_value_is_never_an_attribute() -> None:
    def use(current: FlaskSession) -> None:
        with pytest.raises(AttributeError, match=r'write session\["user"\]'):
            current.user = 7  # type: ignore[attr-defined]
        with pytest.raises(AttributeError, match=r'read session\["user"\]'):
            current.user  # type: ignore[attr-defined]  # noqa: B018

    Site().visit(use)


def test_a_session_shows_no_values_and_is_not_pickled() -> None:
    def use(current: FlaskSession) -> str:
        assert "not opened" in repr(current)
        current["secret"] = "canary"
        with pytest.raises(TypeError, match="pickled"):
            copy.copy(session._get_current_object())
        return repr(current) + str(current)

    assert "canary" not in Site().visit(use).text


def test_a_template_reads_the_session_by_key_and_by_name() -> None:
    place = Site()
    place.visit(put(user=7, cart=[{"size": 3}]))
    source = "{{ session['user'] }} {{ session.user }} {{ session.cart[0].size }} {{ session.missing }}!"
    assert place.visit(lambda _: render_template_string(source)).text == "7 7 3 !"


# accessed and modified.


@pytest.mark.parametrize("is_read", [True, False])
def test_accessed_and_modified_can_still_be_asked_after_the_request(is_read: bool) -> None:  # noqa: FBT001
    place = Site()
    place.visit(put(user=7))
    with place.client:
        place.visit(len if is_read else look_away)
        held = vars(request_ctx._get_current_object())  # type: ignore[attr-defined]
        current = (
            held["_session"] if "_session" in held else held["session"]
        )  # asked of Flask, not of the proxy
        assert isinstance(current, FlaskSession)
        assert (current.accessed, current.modified) == (is_read, False)
    with place.client:
        place.visit(put(user=8))
        assert session.modified
        assert session.accessed
        assert session["user"] == 8


def test_accessed_is_writable_as_in_flask() -> None:
    states: list[bool] = []

    def use(_: FlaskSession) -> None:
        alone = session._get_current_object()
        alone.accessed = False
        states.append(alone.accessed)
        alone["user"] = 7
        states.append(alone.accessed)
        alone.accessed = False
        states.append(alone.accessed)
        alone.accessed = True
        states.append(alone.accessed)

    Site().visit(use)
    assert states == [False, True, False, True]


def test_modified_may_be_set_and_taken_back() -> None:
    place = Site(SESSION_REFRESH_EACH_REQUEST=False)
    place.visit(put(user=7))

    def forced(current: FlaskSession) -> None:
        current.modified = True

    def taken_back(current: FlaskSession) -> None:
        current["user"] = 8
        current.modified = False
        assert not current.modified

    assert len(lines(place.visit(forced))) == 1
    assert lines(place.visit(taken_back)) == []
    assert place.finds() == {"user": 7}


def test_modified_may_be_taken_back_after_the_request_too() -> None:
    place = Site()
    with place.client:
        place.visit(put(user=7))
        assert session.modified
        session.modified = False
        assert not session.modified


def test_a_nested_change_is_noticed_without_a_word() -> None:
    place = Site()
    place.visit(put(cart={"items": [1]}))
    assert lines(place.visit(lambda current: current["cart"]["items"].append(2))) != []
    assert place.finds() == {"cart": {"items": [1, 2]}}
    assert lines(place.visit(lambda current: current["cart"]["items"][0])) == []


def test_an_unchanged_value_that_is_written_again_is_saved(clock: FakeClock) -> None:
    place = site(clock)
    place.visit(put(user=7))
    clock.advance(100)
    assert len(lines(place.visit(put(user=7)))) == 1
    assert ends_at(place.value) == NOW + 100 + MONTH


# What is permanent, and how long.


def test_a_session_ends_with_the_browser_and_its_seal_with_the_lifetime(clock: FakeClock) -> None:
    place = site(clock)
    response = place.visit(put(user=7))
    assert attributes(line(response)).keys() == {"httponly", "path"}
    assert ends_at(place.value) == NOW + MONTH


def test_a_permanent_session_ends_with_its_seal(clock: FakeClock) -> None:
    place = site(clock, config={"PERMANENT_SESSION_LIFETIME": 3600})
    response = place.visit(permanent)
    assert expires(response) == ends_at(place.value) == NOW + 3600
    assert "max-age" not in attributes(line(response))
    assert payload(place.value) == {"user": 7, "_permanent": True}


def test_permanence_is_kept_and_may_be_taken_back(clock: FakeClock) -> None:
    place = site(clock)
    place.visit(permanent)
    seen: list[bool] = []
    assert expires(place.visit(put(user=8))) == NOW + MONTH
    place.visit(lambda current: seen.append(current.permanent))

    def back(current: FlaskSession) -> None:
        current.permanent = False
        seen.append(current.permanent)

    assert expires(place.visit(back)) is None
    assert seen == [True, False]
    assert place.finds() == {"user": 8, "_permanent": False}


@pytest.mark.parametrize("how", ["argument", "configuration"])
@pytest.mark.parametrize("ttl", [600, timedelta(minutes=10)])
def test_with_a_ttl_the_cookie_outlives_the_browser(clock: FakeClock, ttl: Any, how: str) -> None:
    place = site(clock, **({"ttl": ttl} if how == "argument" else {"config": {"IRON_SESSION_TTL": ttl}}))
    seen: list[bool] = []
    place.visit(lambda current: seen.append(current.permanent))
    response = place.visit(put(user=7))
    assert seen == [False]  # nobody made it permanent, so Flask-Login and Flask's refresh treat it as it is
    assert expires(response) == ends_at(place.value) == NOW + 600
    assert payload(place.value) == {"user": 7}

    def leave_with_the_browser(current: FlaskSession) -> None:
        current.permanent = False

    assert expires(place.visit(leave_with_the_browser)) is None


def test_a_late_response_that_never_used_the_session_does_not_bring_a_destroyed_one_back(
    clock: FakeClock,
) -> None:
    place = site(clock, ttl=600)
    place.visit(put(user=7))
    late = f"session={place.value}"
    place.visit(lambda current: current.destroy())
    assert lines(place.send(late, look_away)) == []


def test_what_javascript_made_permanent_stays_so_where_a_ttl_is_given(clock: FakeClock) -> None:
    place = site(clock, ttl=1_209_600)
    place.keep(sealed({"user": {"id": 7}}))
    assert expires(place.visit(lambda current: current["user"].update(id=8))) == NOW + 1_209_600


@pytest.mark.parametrize("lifetime", [0, -1, timedelta(0), timedelta(days=-3650)])
def test_a_lifetime_that_is_over_never_makes_an_eternal_seal(clock: FakeClock, lifetime: Any) -> None:
    place = site(clock, config={"PERMANENT_SESSION_LIFETIME": lifetime})
    for use in (put(user=7), permanent, lambda current: current.save()):
        response = place.visit(use)
        assert response.status_code == 200
        end = ends_at(place.value)
        assert end is not None
        assert end <= NOW + 1
    clock.advance(62)
    assert place.finds() == {}


@pytest.mark.parametrize("lifetime", [timedelta(days=365 * 100), timedelta(days=365 * 5000), timedelta.max])
def test_a_lifetime_beyond_all_reason_is_no_error_for_sessions_that_end_with_the_browser(
    clock: FakeClock, lifetime: timedelta
) -> None:
    place = site(clock, config={"PERMANENT_SESSION_LIFETIME": lifetime})
    place.visit(put(user=7))
    end = ends_at(place.value)
    assert end is not None
    assert end > NOW + 99 * 365 * 86400
    assert place.finds() == {"user": 7}


def test_a_ttl_of_zero_makes_seals_that_never_end_in_cookies_that_browsers_keep_longest(
    clock: FakeClock,
) -> None:
    place = site(clock, ttl=0)
    response = place.visit(put(user=7))
    assert ends_at(place.value) is None
    assert expires(response) == NOW + YEARS
    clock.advance(10 * YEARS)
    assert place.finds() == {"user": 7}


@pytest.mark.parametrize("is_permanent", [True, False])
def test_an_expiry_of_its_own_survives_later_writes(clock: FakeClock, is_permanent: bool) -> None:  # noqa: FBT001
    place = site(clock)
    if is_permanent:
        place.visit(permanent)

    def remember(current: FlaskSession) -> None:
        current["user"] = 7
        current.set_expiry(timedelta(days=90))

    response = place.visit(remember)
    assert expires(response) == ends_at(place.value) == NOW + 90 * 86400
    clock.advance(1000)
    response = place.visit(put(user=8))
    assert expires(response) == ends_at(place.value) == NOW + 1000 + 90 * 86400
    response = place.visit(lambda current: current.set_expiry(None))
    assert expires(response) == (NOW + 1000 + MONTH if is_permanent else None)
    assert ends_at(place.value) == NOW + 1000 + MONTH


@pytest.mark.parametrize("zone", [timezone.utc, timezone(timedelta(hours=9)), None])
def test_a_fixed_moment_stays_where_it_is(clock: FakeClock, zone: timezone | None) -> None:
    place = site(clock)
    end = datetime.fromtimestamp(NOW + 5000, zone or timezone.utc)
    moment = end if zone else end.replace(tzinfo=None)

    def until(current: FlaskSession) -> None:
        current["user"] = 7
        current.set_expiry(moment)

    for use in (until, put(user=8)):
        response = place.visit(use)
        assert expires(response) == ends_at(place.value) == NOW + 5000
        clock.advance(1000)
    clock.advance(3061)
    assert place.finds() == {}


def test_an_expiry_that_has_passed_is_refused_at_once(clock: FakeClock) -> None:
    def use(current: FlaskSession) -> None:
        with pytest.raises(ConfigError, match="destroy"):
            current.set_expiry(0)

    site(clock).visit(use)


@pytest.mark.parametrize("how", ["permanent", "set_expiry", "ttl"])
def test_the_absolute_timeout_caps_the_cookie_and_the_seal(clock: FakeClock, how: str) -> None:
    place = site(clock, absolute_timeout=3600, **({"ttl": 3000} if how == "ttl" else {}))

    def sign_in(current: FlaskSession) -> None:
        current["user"] = 7
        current.permanent = True
        if how == "set_expiry":
            current.set_expiry(86400)

    place.visit(sign_in)
    clock.advance(1800)
    response = place.visit(put(user=8))
    assert expires(response) == ends_at(place.value) == NOW + 3600
    clock.advance(1800 + 60)
    assert place.finds() == {}


def test_a_used_session_is_renewed_after_a_while_where_refresh_after_is_set(clock: FakeClock) -> None:
    place = site(clock, refresh_after=600)
    place.visit(put(user=7))
    clock.advance(599)
    assert lines(place.visit(len)) == []
    clock.advance(1)
    assert lines(place.visit()) == []
    assert len(lines(place.visit(len))) == 1
    assert ends_at(place.value) == NOW + 600 + MONTH
    assert lines(place.visit(len)) == []


def test_flask_renews_permanent_sessions_on_every_request_unless_it_is_told_not_to(clock: FakeClock) -> None:
    place = site(clock)
    place.visit(permanent)
    for use in (look_away, len):
        clock.advance(10)
        assert expires(place.visit(use)) == clock.now + MONTH
    place.app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    for use in (look_away, len):
        assert lines(place.visit(use)) == []


def test_a_visitor_without_data_gets_no_cookie_by_a_renewal(clock: FakeClock) -> None:
    class Eager(IronSessionInterface):
        def should_set_cookie(self, app: flask.Flask, session: SessionMixin) -> bool:
            del app, session
            return True

    place = Site(Eager(PASSWORD, clock=clock))
    for use in (look_away, len, lambda current: current.permanent):
        assert lines(place.visit(use)) == []


def test_touch_renews_once(clock: FakeClock) -> None:
    place = site(clock)
    place.visit(put(user=7))
    clock.advance(50)
    assert len(lines(place.visit(lambda current: current.touch()))) == 1
    assert ends_at(place.value) == NOW + 50 + MONTH
    assert lines(place.visit(len)) == []


# Saving, ending, regenerating.


def test_an_emptied_session_is_deleted_where_a_cookie_came_and_nowhere_else() -> None:
    place = Site()
    assert lines(place.visit(lambda current: current.clear())) == []
    place.visit(put(user=7))
    assert "Max-Age=0" in line(place.visit(lambda current: current.pop("user")))
    assert place.value == ""


def test_an_explicit_save_keeps_an_empty_session() -> None:
    place = Site()
    place.visit(lambda current: current.save())
    assert payload(place.value) == {}


def test_a_destroyed_session_stays_destroyed() -> None:
    place = Site()
    place.visit(permanent)

    def end(current: FlaskSession) -> None:
        current.destroy()
        current.save()
        with pytest.raises(SessionDestroyed):
            current["user"] = 8
        with pytest.raises(SessionDestroyed):
            current.permanent = True
        assert not current.modified
        assert dict(current) == {}

    assert "Max-Age=0" in line(place.visit(end))
    assert place.value == ""


def test_saving_twice_and_changing_in_between_sends_one_cookie_with_the_last_data() -> None:
    place = Site()

    def use(current: FlaskSession) -> None:
        current["a"] = 1
        current.save()
        current["b"] = 2
        current.save()
        current["c"] = 3

    line(place.visit(use))
    assert place.finds() == {"a": 1, "b": 2, "c": 3}


def test_without_auto_commit_only_a_save_counts() -> None:
    place = Site(IronSessionInterface(PASSWORD, auto_commit=False))
    assert lines(place.visit(put(user=7))) == []

    def save(current: FlaskSession) -> None:
        current["user"] = 7
        current.save()
        current["unsaved"] = 1

    place.visit(save)
    assert place.finds() == {"user": 7}


def test_regenerate_gives_a_new_id_and_keeps_the_data(clock: FakeClock) -> None:
    place = site(clock)
    interface = place.app.session_interface
    assert isinstance(interface, IronSessionInterface)
    ids: list[str] = []
    place.visit(lambda current: (current.update(user=7), ids.append(current.sid)))
    place.visit(lambda current: ids.append(current.sid))
    clock.advance(100)
    place.visit(interface.regenerate)
    place.visit(lambda current: ids.append(current.sid))
    assert ids[0] == ids[1] != ids[2]
    assert place.finds() == {"user": 7}
    assert payload(place.value)["_iron"]["iat"] == NOW + 100


def test_only_a_session_of_this_interface_is_regenerated() -> None:
    with pytest.raises(TypeError, match="only a session of this interface"):
        IronSessionInterface(PASSWORD).regenerate(SecureCookieSession())


@pytest.mark.parametrize("is_permanent", [True, False])
@pytest.mark.parametrize(
    "config", [{}, {"SESSION_COOKIE_DOMAIN": "example.com", "SESSION_COOKIE_SECURE": True}]
)
def test_size_is_the_length_of_the_line_that_would_be_sent(
    config: dict[str, Any],
    is_permanent: bool,  # noqa: FBT001
) -> None:
    sizes: list[int] = []

    def use(current: FlaskSession) -> None:
        current["user"] = "x" * 500
        current.permanent = is_permanent
        sizes.append(current.size)

    response = Site(**config).visit(use)
    assert sizes == [len(line(response))]


def test_other_options_for_one_session(clock: FakeClock) -> None:
    place = site(clock)

    def use(current: FlaskSession) -> None:
        current["user"] = 7
        current.permanent = True
        current.update_options(ttl=60)

    response = place.visit(use)
    assert expires(response) == ends_at(place.value) == NOW + 60
    assert expires(place.visit(put(user=8))) == NOW + MONTH


def test_other_attributes_for_one_session_are_sent_or_refused() -> None:
    def use(current: FlaskSession) -> str:
        current["user"] = 7
        try:
            current.update_options(cookie_options={"path": "/below", "secure": True})
        except ConfigError:
            return "refused"
        return "taken"

    response = Site().visit(use)
    found = attributes(line(response))
    assert response.text == "refused" or (found["path"] == "/below" and "secure" in found)


def test_messages_come_in_order_with_their_categories_and_once() -> None:
    place = Site()
    place.visit(lambda _: (flash("one"), flash("two", "error"))[0])
    place.visit(lambda _: flash("three", "good"))
    read: list[Any] = []
    place.visit(lambda _: read.append(get_flashed_messages(with_categories=True)))
    assert read == [[("message", "one"), ("error", "two"), ("good", "three")]]
    assert place.value == ""
    place.visit(lambda _: read.append(get_flashed_messages()))
    assert read[1] == []


def test_a_session_with_messages_and_data_is_json(clock: FakeClock) -> None:
    place = site(clock)
    place.visit(put(user={"id": 7, "name": "Zoë"}, ratio=0.5, none=None, yes=True, list=[1, [2]]))
    assert json.dumps(payload(place.value), sort_keys=True) == json.dumps(place.finds(), sort_keys=True)
