from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable, MutableMapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from iron_wsgi import (
    ConfigError,
    CookieTooLarge,
    EnvironJar,
    HeadersAlreadySent,
    PayloadError,
    Session,
    SessionDestroyed,
    get_iron_session,
)
from iron_wsgi.testing import DictJar, FakeClock, dump_session

from .visitor import NOW, PASSWORD, Visitor, attributes, ends_at, payload, sealed

DATA = {"user": {"id": 7}, "cart": ["a"], "n": 1}


@pytest.fixture
def signed_in(visitor: Visitor) -> Visitor:
    visitor.cookies["s"] = sealed(DATA)
    return visitor


def _session(cookies: dict[str, Any] | None = None, **options: Any) -> Session:
    jar = DictJar(cookies or {})
    return get_iron_session(
        jar, **{"password": PASSWORD, "cookie_name": "s", "clock": FakeClock(), **options}
    )


# ---- a mapping ----


def test_a_session_is_a_mapping() -> None:
    session = _session({"s": sealed(DATA)})
    assert isinstance(session, MutableMapping)
    assert session == DATA
    assert dict(session) == {**session} == session.copy() == DATA
    assert list(session) == list(session.keys()) == ["user", "cart", "n"]
    assert list(session.values()) == list(DATA.values())
    assert list(session.items()) == list(DATA.items())
    assert (session["n"], session.get("n"), session.get("x"), session.get("x", 5)) == (1, 1, None, 5)
    assert ("n" in session, "x" in session, len(session), bool(session)) == (True, False, 3, True)
    with pytest.raises(KeyError, match="x"):
        session["x"]


def test_a_session_is_written_like_a_dict() -> None:
    session = _session({"s": sealed(DATA)})
    session["a"] = 1
    session.update({"b": 2}, c=3)
    assert session.setdefault("d", 4) == 4
    assert session.pop("cart") == ["a"]
    assert session.pop("x", None) is None
    del session["n"]
    assert session == {"user": {"id": 7}, "a": 1, "b": 2, "c": 3, "d": 4}
    with pytest.raises(KeyError):
        del session["n"]
    assert session.popitem()[0] in DATA or len(session) == 4
    session.clear()
    assert session == {}
    assert not session


def test_sessions_are_joined_with_the_bar_operator() -> None:
    session = _session({"s": sealed({"a": 1})})
    assert session | {"a": 2, "b": 2} == {"a": 2, "b": 2}
    assert {"a": 2, "b": 2} | session == {"a": 1, "b": 2}
    assert not session.modified
    same = session
    same |= {"b": 2}
    assert same is session
    assert session == {"a": 1, "b": 2}
    assert session.modified


def test_set_and_unset_do_what_they_do_in_next_iron_session() -> None:
    session = _session()
    session.set("user", 7)
    assert session == {"user": 7}
    session.unset("user")
    session.unset("user")
    assert session == {}


def test_removing_what_is_not_there_is_no_change() -> None:
    session = _session({"s": sealed(DATA)})
    session.unset("x")
    session.pop("x", None)
    session.pop_flash("x")
    with pytest.raises(KeyError):
        del session["x"]
    assert not session.modified


@pytest.mark.parametrize("name", ["save", "destroy", "persistent", "__class__", "update", "constructor", ""])
def test_every_string_but_the_reserved_ones_is_an_ordinary_key(visitor: Visitor, name: str) -> None:
    visitor.visit(lambda session: session.update({name: 1}))
    assert visitor.finds() == {name: 1}


def test_values_are_not_attributes_as_in_javascript_and_the_message_says_how_to_write_them() -> None:
    session: Any = _session({"s": sealed(DATA)})
    with pytest.raises(
        AttributeError, match=r"""a Session has no attribute 'user'; read session\["user"\]"""
    ):
        session.user  # noqa: B018
    with pytest.raises(AttributeError, match=r'write session\["user"\]'):
        session.user = 7
    assert not hasattr(session, "user")
    assert session == DATA


# ---- access and change ----

ACCESSES: dict[str, Callable[[Session], object]] = {
    "[]": lambda s: s["n"],
    "get": lambda s: s.get("n"),
    "get of nothing": lambda s: s.get("x"),
    "in": lambda s: "x" in s,
    "len": len,
    "iter": lambda s: next(iter(s)),
    "bool": bool,
    "==": lambda s: s == {},
    "!=": lambda s: s != {},
    "dict": dict,
    "**": lambda s: {**s},
    "list of keys": lambda s: list(s.keys()),
    "list of values": lambda s: list(s.values()),
    "list of items": lambda s: list(s.items()),
    "in keys": lambda s: "n" in s.keys(),  # noqa: SIM118 - a view of its own
    "copy": lambda s: s.copy(),
    "|": lambda s: s | {},
    "| from the right": lambda s: {} | s,
    "pop": lambda s: s.pop("x", None),
    "setdefault": lambda s: s.setdefault("n", 1),
    "pop_flash": lambda s: s.pop_flash("x"),
    "sid": lambda s: s.sid,
    "is_new": lambda s: s.is_new,
    "issued_at": lambda s: s.issued_at,
    "expires_at": lambda s: s.expires_at,
    "size": lambda s: s.size,
}


@pytest.mark.parametrize("name", ACCESSES)
def test_every_form_of_access_makes_the_response_vary_and_is_no_change(signed_in: Visitor, name: str) -> None:
    sessions: list[Session] = []
    outcome = signed_in.ask(lambda session: (sessions.append(session), ACCESSES[name](session)))
    assert (outcome.vary, outcome.private, outcome.cookies) == (True, False, ())
    assert sessions[0].accessed


CHANGES: dict[str, Callable[[Session], object]] = {
    "[]=": lambda s: s.__setitem__("n", 2),
    "del": lambda s: s.__delitem__("n"),
    "update": lambda s: s.update(n=2),
    "|=": lambda s: s.__ior__({"n": 2}),
    "setdefault": lambda s: s.setdefault("x", 1),
    "pop": lambda s: s.pop("n"),
    "popitem": lambda s: s.popitem(),
    "set": lambda s: s.set("n", 2),
    "unset": lambda s: s.unset("n"),
    "flash": lambda s: s.flash("note", "saved"),
    "touch": lambda s: s.touch(),
    "modified": lambda s: setattr(s, "modified", True),
    "regenerate": lambda s: s.regenerate(),
    "set_expiry": lambda s: s.set_expiry(60),
    "nested list": lambda s: s["cart"].append("b"),
    "nested dict": lambda s: s["user"].update(id=8),
    "save": lambda s: s.save(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_form_of_change_writes_the_session(signed_in: Visitor, name: str) -> None:
    outcome = signed_in.ask(CHANGES[name])
    assert (outcome.vary, outcome.private) == (True, True)
    assert [(cookie.name, cookie.is_deletion) for cookie in outcome.cookies] == [("s", False)]


def test_asking_whether_it_was_accessed_or_modified_is_no_access(signed_in: Visitor) -> None:
    def look(session: Session) -> None:
        assert not session.accessed
        assert not session.modified
        assert session.state is None
        assert repr(session) == "<Session, not opened>"

    assert not signed_in.ask(look).vary


def test_modified_tells_of_nested_changes_too() -> None:
    session = _session({"s": sealed(DATA)})
    session["cart"].append("b")
    assert session.modified
    session["cart"].pop()
    assert not session.modified


def test_modified_can_be_set_and_taken_back(signed_in: Visitor) -> None:
    def take_back(session: Session) -> None:
        session.modified = False
        session["n"] = 1
        session.modified = False
        assert not session.modified

    assert signed_in.ask(take_back).cookies == ()


def test_a_destroyed_session_is_not_modified() -> None:
    session = _session({"s": sealed(DATA)})
    session["n"] = 2
    session.destroy()
    assert not session.modified


# ---- flash ----


def test_a_flash_value_is_kept_for_one_reading(visitor: Visitor) -> None:
    visitor.visit(lambda session: (session.flash("note", "saved"), session.flash("count", 3)))
    read: list[Any] = []
    visitor.visit(lambda session: read.append(session.pop_flash("note")))
    visitor.visit(lambda session: read.append((session.pop_flash("note"), session.pop_flash("note", "-"))))
    visitor.visit(lambda session: read.append((session.pop_flash("count"), session.get("_flash"))))
    assert read == ["saved", (None, "-"), (3, None)]


def test_a_flash_value_survives_requests_that_do_not_read_it(visitor: Visitor) -> None:
    visitor.visit(lambda session: session.flash("note", "saved"))
    visitor.visit()
    visitor.visit(lambda session: session.update(n=1))
    assert visitor.finds() == {"_flash": {"note": "saved"}, "n": 1}


def test_a_later_flash_of_the_same_name_takes_its_place() -> None:
    session = _session()
    session.flash("note", 1)
    session.flash("note", 2)
    assert session.pop_flash("note") == 2


# ---- save ----


def test_an_explicit_save_seals_at_once_and_renews_even_without_a_change(signed_in: Visitor) -> None:
    signed_in.clock.advance(1000)
    outcome = signed_in.visit(Session.save)
    assert len(outcome.cookies) == 1
    assert ends_at(signed_in.value) == NOW + 1000 + 1_209_600
    assert signed_in.finds() == DATA


def test_an_explicit_save_of_an_empty_session_seals_it(visitor: Visitor) -> None:
    visitor.visit(Session.save)
    assert payload(visitor.value) == {}
    assert visitor.finds() == {}
    assert visitor.visit().cookies == ()


def test_what_is_changed_after_a_save_is_saved_too_in_the_same_line(visitor: Visitor) -> None:
    def use(session: Session) -> None:
        session["n"] = 1
        session.save()
        session["n"] = 2

    assert len(visitor.visit(use).cookies) == 1
    assert visitor.finds() == {"n": 2}


def test_a_nested_change_after_a_save_is_noticed(visitor: Visitor) -> None:
    def use(session: Session) -> None:
        session["cart"] = []
        session.save()
        session["cart"].append("a")

    visitor.visit(use)
    assert visitor.finds() == {"cart": ["a"]}


def test_errors_of_size_and_type_surface_at_the_save_where_they_can_be_caught(signed_in: Visitor) -> None:
    def too_large(session: Session) -> None:
        session["text"] = "x" * 5000
        with pytest.raises(CookieTooLarge):
            session.save()
        del session["text"]

    def no_json(session: Session) -> None:
        session["when"] = datetime.now(timezone.utc)
        with pytest.raises(PayloadError, match=r"session\.when is a datetime"):
            session.save()
        session["when"] = "now"

    signed_in.visit(too_large)
    signed_in.visit(no_json)
    assert signed_in.finds() == {**DATA, "when": "now"}


def test_a_failed_save_does_not_pass_for_a_save(signed_in: Visitor) -> None:
    def use(session: Session) -> None:
        session["when"] = object()
        with pytest.raises(PayloadError):
            session.save()

    with pytest.raises(PayloadError):
        signed_in.ask(use)


def test_a_save_after_the_headers_is_an_error() -> None:
    jar = DictJar()
    session = get_iron_session(jar, password=PASSWORD, cookie_name="s")
    session["n"] = 1
    jar.close()
    with pytest.raises(HeadersAlreadySent):
        session.save()
    with pytest.raises(HeadersAlreadySent):
        session.destroy()


# ---- destroy ----


def test_destroy_deletes_the_cookie_and_forgets_the_data(signed_in: Visitor) -> None:
    seen: list[dict[str, Any]] = []
    outcome = signed_in.visit(lambda session: (session.destroy(), seen.append(dict(session))))
    assert seen == [{}]
    assert [cookie.is_deletion for cookie in outcome.cookies] == [True]
    assert signed_in.cookies == {}


def test_after_destroy_a_save_does_nothing(signed_in: Visitor) -> None:
    signed_in.visit(lambda session: (session.destroy(), session.save(), session.destroy()))
    assert signed_in.cookies == {}


@pytest.mark.parametrize(
    "name",
    ["[]=", "update", "|=", "setdefault", "set", "flash", "touch", "modified", "regenerate", "set_expiry"],
)
def test_writing_into_a_destroyed_session_is_an_error_and_does_not_bring_it_back(
    signed_in: Visitor, name: str
) -> None:
    def use(session: Session) -> None:
        session.destroy()
        with pytest.raises(SessionDestroyed, match="would sign the visitor in again"):
            CHANGES[name](session)
        session.save()

    signed_in.visit(use)
    assert signed_in.cookies == {}


def test_destroy_beats_an_earlier_change_and_an_earlier_save(signed_in: Visitor) -> None:
    def use(session: Session) -> None:
        session["n"] = 2
        session.save()
        session["n"] = 3
        session.destroy()

    outcome = signed_in.visit(use)
    assert [cookie.is_deletion for cookie in outcome.cookies] == [True]
    assert signed_in.cookies == {}


def test_destroying_a_session_saved_in_the_same_request_deletes_what_was_saved(visitor: Visitor) -> None:
    outcome = visitor.visit(lambda session: (session.update(n=1), session.save(), session.destroy()))
    assert [(cookie.name, cookie.is_deletion) for cookie in outcome.cookies] == [("s", True)]


def test_destroying_where_no_cookie_came_sets_none(visitor: Visitor) -> None:
    outcome = visitor.visit(Session.destroy)
    assert (outcome.cookies, outcome.vary) == ((), True)


# ---- emptying ----


def test_an_emptied_session_deletes_its_cookie(signed_in: Visitor) -> None:
    outcome = signed_in.visit(Session.clear)
    assert [cookie.is_deletion for cookie in outcome.cookies] == [True]
    assert signed_in.cookies == {}


def test_emptying_where_no_cookie_came_sets_none(visitor: Visitor) -> None:
    outcome = visitor.visit(lambda session: (session.update(n=1), session.clear()))
    assert (outcome.cookies, outcome.vary) == ((), True)


def test_emptying_after_a_save_in_the_same_request_deletes_what_was_saved(visitor: Visitor) -> None:
    visitor.visit(lambda session: (session.update(n=1), session.save(), session.clear()))
    assert visitor.cookies == {}


def test_an_emptied_session_that_is_saved_explicitly_is_kept(signed_in: Visitor) -> None:
    signed_in.visit(lambda session: (session.clear(), session.save()))
    assert payload(signed_in.value) == {}


# ---- regenerate ----


def test_regenerate_gives_a_new_id_and_time_of_issue_and_keeps_the_data(signed_in: Visitor) -> None:
    ids: list[str] = []
    issues: list[float] = []

    def look(session: Session) -> None:
        ids.append(session.sid)
        issues.append(session.issued_at)

    signed_in.visit(look)
    signed_in.clock.advance(500)
    signed_in.visit(lambda session: (session.regenerate(), look(session)))
    signed_in.clock.advance(500)
    signed_in.visit(look)
    assert len(set(ids)) == 2
    assert ids[1] == ids[2]
    assert issues == [NOW, NOW + 500, NOW + 500]
    assert signed_in.finds() == DATA


def test_regenerate_can_forget_the_data(signed_in: Visitor) -> None:
    signed_in.visit(lambda session: (session.regenerate(clear=True), session.update(user=8)))
    assert signed_in.finds() == {"user": 8}


def test_each_regeneration_has_a_new_id(signed_in: Visitor) -> None:
    ids: set[str] = set()
    for _ in range(5):
        signed_in.visit(lambda session: (session.regenerate(), ids.add(session.sid)))
    assert len(ids) == 5


# ---- ids and times ----


def test_an_id_that_was_asked_for_is_kept_by_the_next_write(visitor: Visitor) -> None:
    ids: list[str] = []
    visitor.visit(lambda session: (ids.append(session.sid), session.update(n=1)))
    assert payload(visitor.value)["_iron"] == {"sid": ids[0]}
    visitor.visit(lambda session: (session.update(n=2), ids.append(session.sid)))
    visitor.visit(lambda session: ids.append(session.sid))
    assert len(set(ids)) == 1
    assert len(ids[0]) == 43


def test_asking_for_the_id_alone_writes_nothing(visitor: Visitor) -> None:
    assert visitor.visit(lambda session: session.sid).cookies == ()


def test_nobody_who_asks_for_no_id_pays_for_one(visitor: Visitor) -> None:
    visitor.visit(lambda session: session.update(n=1))
    assert payload(visitor.value) == {"n": 1}


def test_a_session_knows_whether_it_is_new_and_when_it_began_and_ends(visitor: Visitor) -> None:
    known: list[Any] = []

    def look(session: Session) -> None:
        known.append((session.is_new, session.issued_at - NOW, session.expires_at))

    visitor.visit(lambda session: (look(session), session.update(n=1), session.save(), look(session)))
    visitor.clock.advance(100)
    visitor.visit(look)
    assert known == [(True, 0, None), (True, 0, NOW + 1_209_600), (False, 0, NOW + 1_209_600)]


def test_a_session_that_cannot_be_trusted_is_new(visitor: Visitor) -> None:
    visitor.cookies["s"] = "garbage"
    found: list[Any] = []
    visitor.ask(lambda session: found.append((session.is_new, dict(session))))
    assert found == [(True, {})]


# ---- size ----


def test_the_size_is_that_of_the_line_that_a_save_would_send_and_asking_changes_nothing(
    clock: FakeClock,
) -> None:
    visitor = Visitor(clock, absolute_timeout=3600)
    sizes: list[int] = []

    def use(session: Session) -> None:
        session["text"] = "x" * 1000
        sizes.append(session.size)
        assert session.modified
        assert session.state is not None
        assert session.state.meta == {}

    outcome = visitor.visit(use)
    assert sizes == [len(outcome.cookies[0].header)]
    visitor.ask(lambda session: sizes.append(session.size))
    assert sizes[0] == sizes[1]


def test_a_session_too_large_still_has_a_size() -> None:
    session = _session()
    session["text"] = "x" * 50_000
    assert session.size > 60_000


# ---- remember me: an expiry of its own ----


@pytest.mark.parametrize("expiry", [60, 59.5, timedelta(minutes=1), timedelta(days=90)])
def test_a_session_can_live_shorter_or_longer_than_others_counted_from_each_write(
    visitor: Visitor, expiry: Any
) -> None:
    length = expiry.total_seconds() if isinstance(expiry, timedelta) else expiry
    visitor.visit(lambda session: (session.update(n=1), session.set_expiry(expiry)))
    assert ends_at(visitor.value) == NOW + length
    visitor.clock.advance(30)
    visitor.visit(lambda session: session.update(n=2))
    assert ends_at(visitor.value) == NOW + 30 + length


@pytest.mark.parametrize("zone", [timezone.utc, timezone(timedelta(hours=-8))])
def test_a_session_can_end_at_a_fixed_moment(visitor: Visitor, zone: timezone) -> None:
    moment = datetime.fromtimestamp(NOW + 5000, zone)
    visitor.visit(lambda session: (session.update(n=1), session.set_expiry(moment)))
    assert ends_at(visitor.value) == NOW + 5000
    visitor.clock.advance(1000)
    outcome = visitor.visit(lambda session: session.update(n=2))
    assert ends_at(visitor.value) == NOW + 5000
    assert attributes(outcome.cookies[0].header)["max-age"] == "3940"
    visitor.clock.advance(4060)
    assert visitor.finds() == {}


def test_an_expiry_can_be_taken_back(visitor: Visitor) -> None:
    visitor.visit(lambda session: (session.update(n=1), session.set_expiry(60)))
    visitor.visit(lambda session: session.set_expiry(None))
    assert ends_at(visitor.value) == NOW + 1_209_600
    assert payload(visitor.value) == {"n": 1}


def test_a_later_expiry_takes_the_place_of_an_earlier_one_of_the_other_kind(visitor: Visitor) -> None:
    visitor.visit(lambda session: (session.update(n=1), session.set_expiry(60)))
    visitor.visit(lambda session: session.set_expiry(datetime.fromtimestamp(NOW + 90, timezone.utc)))
    assert payload(visitor.value)["_iron"] == {"exp": NOW + 90}
    visitor.visit(lambda session: session.set_expiry(120))
    assert payload(visitor.value)["_iron"] == {"ttl": 120}


def test_the_absolute_timeout_caps_an_expiry(clock: FakeClock) -> None:
    visitor = Visitor(clock, absolute_timeout=3600)
    visitor.visit(lambda session: (session.update(n=1), session.set_expiry(timedelta(days=30))))
    assert ends_at(visitor.value) == NOW + 3600
    visitor.visit(lambda session: session.set_expiry(datetime.fromtimestamp(NOW + 9999, timezone.utc)))
    assert ends_at(visitor.value) == NOW + 3600


@pytest.mark.parametrize("expiry", [0, timedelta(0), datetime.fromtimestamp(NOW, timezone.utc)])
def test_an_expiry_lies_in_the_future(expiry: Any) -> None:
    session = _session()
    with pytest.raises(ConfigError, match=r"an expiry lies in the future; to end a session use destroy\(\)"):
        session.set_expiry(expiry)
    assert not session.modified


@pytest.mark.parametrize("expiry", [-1, "60", True, float("nan"), timedelta(seconds=-1)])
def test_an_expiry_is_a_duration_or_a_moment(expiry: Any) -> None:
    with pytest.raises(ConfigError, match="expiry must be a number of seconds or a timedelta"):
        _session().set_expiry(expiry)


# ---- update_options ----


def test_updated_options_hold_from_then_on(visitor: Visitor) -> None:
    outcome = visitor.visit(
        lambda session: (session.update_options(ttl=60, cookie_options={"path": "/app"}), session.update(n=1))
    )
    assert ends_at(visitor.value) == NOW + 60
    assert attributes(outcome.cookies[0].header)["path"] == "/app"


def test_the_session_is_opened_under_the_old_options_and_saved_under_the_new(signed_in: Visitor) -> None:
    signed_in.visit(lambda session: (session.update_options(password={5: PASSWORD[::-1]}), session.save()))
    assert payload(signed_in.value, PASSWORD[::-1]) == DATA


def test_updated_options_are_checked() -> None:
    session = _session()
    with pytest.raises(ConfigError, match="ttl must be"):
        session.update_options(ttl=-1)
    with pytest.raises(ConfigError, match="write cookie_options"):
        session.update_options(cookieOptions={})  # type: ignore[call-arg]


# ---- with ----


def test_leaving_the_with_statement_commits() -> None:
    jar = DictJar()
    with get_iron_session(jar, password=PASSWORD, cookie_name="s") as session:
        session["n"] = 1
    assert list(jar.cookies) == ["s"]


def test_leaving_by_an_exception_does_not_commit() -> None:
    jar = DictJar()
    session = get_iron_session(jar, password=PASSWORD, cookie_name="s")

    def fail() -> None:
        with session:
            session["n"] = 1
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert jar.sent == []


def test_leaving_an_untouched_session_does_nothing() -> None:
    jar = DictJar({"s": sealed(DATA)})
    with get_iron_session(jar, password=PASSWORD, cookie_name="s"):
        pass
    assert jar.sent == []


def test_what_one_with_statement_wrote_stays_when_the_next_only_reads() -> None:
    headers: list[tuple[str, str]] = []
    jar = EnvironJar({}, headers)
    with get_iron_session(jar, password=PASSWORD, cookie_name="s") as session:
        session["n"] = 1
    with get_iron_session(jar, password=PASSWORD, cookie_name="s") as session:
        assert session["n"] == 1
    assert [name for name, _ in headers].count("Set-Cookie") == 1


def test_a_with_statement_that_only_reads_needs_nothing_to_send_to() -> None:
    environ = {"HTTP_COOKIE": f"s={sealed(DATA, expires_at=None)}"}
    with get_iron_session(EnvironJar(environ), password=PASSWORD, cookie_name="s", ttl=0) as session:
        assert session["n"] == 1


# ---- what is shown, and what must not travel ----


def test_a_session_shows_keys_and_state_and_no_values() -> None:
    session = _session({"s": sealed({"user": "canary"})})
    session["n"] = "canary"
    assert repr(session) == "<Session <State ['n', 'user'] accessed modified>>"


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_session_cannot_be_pickled_or_copied(take: Any) -> None:
    with pytest.raises(TypeError, match=r"not to be pickled; store dict\(session\)"):
        take(_session())


def test_a_session_is_no_json_but_its_dict_is() -> None:
    session = _session(dict(dump_session(DATA, password=PASSWORD, cookie_name="s", clock=FakeClock())))
    with pytest.raises(TypeError):
        json.dumps(session)
    assert json.loads(json.dumps(dict(session))) == DATA
