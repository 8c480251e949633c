from __future__ import annotations

import copy
import inspect
import pickle
import time
from datetime import timedelta
from typing import Any

import pytest

from iron_wsgi import ConfigError, CookieOptions, SessionOptions
from iron_wsgi.engine.engine import Engine
from iron_wsgi.revocation import MemoryRevocations
from iron_wsgi.seals.payload import StrictJSON
from iron_wsgi.sessions.option_table import OPTIONS, REQUIRED
from iron_wsgi.sessions.options import Options
from iron_wsgi.stores import MemoryStore

from .visitor import NEWER, PASSWORD


def _options(**given: Any) -> SessionOptions:
    return SessionOptions(**{"password": PASSWORD, "cookie_name": "s", **given})


# ---- the table ----


def test_the_table_the_keywords_and_the_attributes_name_the_same_options() -> None:
    names = [option.name for option in OPTIONS]
    assert names == list(Options.__annotations__)
    assert set(names) == set(SessionOptions.__annotations__)
    assert len(set(names)) == len(names) > 15


def test_every_option_says_in_a_sentence_what_it_does() -> None:
    for option in OPTIONS:
        assert option.help.endswith(".")
        assert len(option.help) > 30


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.default is not REQUIRED])
def test_every_default_is_a_value_that_can_be_given(option: Any) -> None:
    assert repr(getattr(_options(**{option.name: option.default}), option.name)) == repr(
        getattr(_options(), option.name)
    )


def test_the_defaults_are_those_of_iron_session_where_it_has_them() -> None:
    options = _options()
    assert (options.ttl, options.iterations, options.skew) == (1_209_600, 1, 60)
    assert options.cookie_options == CookieOptions(
        secure=True, httponly=True, samesite="Lax", path="/", max_age="ttl"
    )


def test_what_costs_nothing_unless_asked_for_is_off() -> None:
    options = _options()
    assert (options.absolute_timeout, options.refresh_after, options.accept) == (None, None, ())
    assert (options.overflow, options.max_chunks) == ("raise", 2)
    assert (options.storage, options.store, options.revocations, options.vault) == (
        "cookie",
        None,
        None,
        None,
    )
    assert (options.on_outage, options.on_conflict, options.subject) == ("refuse", "merge", None)
    assert not options.has_server_state
    assert (options.auto_commit, options.save_on_error) == (True, False)
    assert (options.on_event, options.clock, options.seal_with) == (None, None, None)


# ---- what is refused, when it is given ----


@pytest.mark.parametrize("missing", ["password", "cookie_name"])
def test_a_missing_option_is_named_with_what_it_is_for(missing: str) -> None:
    given = {"password": PASSWORD, "cookie_name": "s"}
    del given[missing]
    with pytest.raises(ConfigError, match=f"^{missing} is missing: The se"):
        SessionOptions(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("cookieName", "write cookie_name"),
        ("cookieOptions", "write cookie_options"),
        ("passwords", "write password"),
        ("refreshAfter", "write refresh_after"),
        ("maxChunks", "write max_chunks"),
        ("nonsense", "there are password, seal_with, cookie_name"),
    ],
)
def test_an_unknown_option_is_answered_with_the_right_one(name: str, answer: str) -> None:
    with pytest.raises(ConfigError, match=f"^{name} is not an option; {answer}"):
        _options(**{name: 1})


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"password": "short"}, "needs at least 32"),
        ({"seal_with": 2}, "id 2 is wanted, and there are: 1"),
        ({"cookie_name": "a b"}, "a cookie name is"),
        ({"cookie_name": "__Host-s", "cookie_options": {"path": "/app"}}, "needs path='/' and no domain"),
        ({"ttl": -1}, "ttl must be a number of seconds or a timedelta, 0 or more, not -1"),
        ({"ttl": None}, "ttl must be a number of seconds"),
        ({"ttl": "60"}, "ttl must be a number of seconds"),
        ({"ttl": float("nan")}, "ttl must be a number of seconds"),
        ({"ttl": True}, "ttl must be a number of seconds"),
        ({"absolute_timeout": 0}, "absolute_timeout must be positive, or None"),
        ({"absolute_timeout": -1}, "absolute_timeout must be a number of seconds"),
        ({"refresh_after": -1}, "refresh_after must be a number of seconds"),
        ({"refresh_after": "0"}, "refresh_after must be a number of seconds"),
        ({"cookie_options": {"httpOnly": True}}, "write httponly"),
        ({"cookie_options": None}, "cookie_options must be a mapping"),
        ({"overflow": "truncate"}, "overflow must be one of 'raise', 'chunk', 'store', not 'truncate'"),
        ({"storage": "redis"}, "storage must be one of 'cookie', 'store', not 'redis'"),
        ({"storage": "store"}, "need a store, such as store='sqlite:///sessions.db'"),
        ({"overflow": "store"}, "need a store, such as store='sqlite:///sessions.db'"),
        ({"store": {}}, r"store must be a Store, a URL, or CacheStore\(cache\)"),
        ({"store": "what://"}, "scheme is unknown; known are memory:"),
        ({"revocations": []}, "revocations must inherit from Revocations, or be a URL"),
        ({"revocations": "memory:", "ttl": 0}, "revocations with ttl=0 need an absolute_timeout"),
        ({"subject": ""}, "subject must be a non-empty string"),
        ({"subject": 7}, "subject must be a non-empty string"),
        ({"vault": 7}, "vault must be callable"),
        ({"on_outage": "ignore"}, "on_outage must be one of 'refuse', 'accept'"),
        ({"on_conflict": "ignore"}, "on_conflict must be one of 'merge', 'raise'"),
        ({"max_chunks": 0}, "max_chunks must be an integer of at least 1"),
        ({"max_chunks": 5}, "max_chunks must be at most 4, which is what is read"),
        ({"max_chunks": True}, "max_chunks must be an integer"),
        ({"max_chunks": 2.0}, "max_chunks must be an integer"),
        ({"accept": "next-iron-session"}, "accept must be a tuple of 'next-iron-session'"),
        ({"accept": ("flusk",)}, "accept must be a tuple of 'next-iron-session'"),
        ({"accept": 5}, "accept must be a tuple of 'next-iron-session'"),
        ({"accept": [[]]}, "accept must be a tuple of 'next-iron-session'"),
        ({"auto_commit": 1}, "auto_commit must be True or False, not 1"),
        ({"save_on_error": None}, "save_on_error must be True or False"),
        ({"serializer": object()}, "serializer must be an object with dumps and loads"),
        ({"serializer": None}, "serializer must be an object with dumps and loads"),
        ({"skew": -1}, "skew must be a number of seconds"),
        ({"iterations": 0}, "iterations must be an integer of at least 1"),
        ({"iterations": True}, "iterations must be an integer"),
        ({"generate_id": "x"}, "generate_id must be callable"),
        ({"environ_key": ""}, "environ_key must be a non-empty string"),
        ({"environ_key": 1}, "environ_key must be a non-empty string"),
        ({"on_event": 1}, "on_event must be callable"),
        ({"clock": 5.0}, "clock must be callable"),
    ],
)
def test_an_impossible_value_is_refused_when_the_options_are_made(
    given: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        _options(**given)


# ---- what is kept ----


def test_durations_are_kept_in_seconds() -> None:
    options = _options(
        ttl=timedelta(hours=1),
        absolute_timeout=timedelta(days=1),
        refresh_after=timedelta(minutes=1),
        skew=timedelta(0),
    )
    assert (options.ttl, options.absolute_timeout, options.refresh_after, options.skew) == (
        3600,
        86_400,
        60,
        0,
    )


def test_ids_have_256_bits_from_the_operating_system() -> None:
    made = {_options().generate_id() for _ in range(1000)}
    assert len(made) == 1000
    assert {len(one) for one in made} == {43}
    assert _options(generate_id=lambda: "mine").generate_id() == "mine"


def test_a_list_of_what_is_accepted_is_kept_as_a_tuple() -> None:
    assert _options(accept=["next-iron-session"]).accept == ("next-iron-session",)


def test_without_a_clock_the_time_is_looked_up_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    # What freezes time from outside replaces time.time: that has to be seen.
    engine = Engine(_options())
    assert abs(engine.now() - time.time()) < 5
    monkeypatch.setattr(time, "time", lambda: 5.0)
    assert engine.now() == 5.0


def test_any_object_with_dumps_and_loads_is_a_serializer() -> None:
    serializer = StrictJSON()
    assert _options(serializer=serializer).serializer is serializer


# ---- changing, showing, travelling ----


def test_replaced_options_leave_the_others_and_the_original_as_they_were() -> None:
    options = _options(ttl=60, password={2: NEWER, 1: PASSWORD}, seal_with=1)
    changed = options.replace(ttl=120, cookie_options={"secure": False})
    assert (options.ttl, changed.ttl) == (60, 120)
    assert (options.cookie_options.secure, changed.cookie_options.secure) == (True, False)
    assert changed.password.sealing_id == "1"
    assert changed.replace(seal_with=2).password.sealing_id == "2"


def test_a_replaced_password_seals_by_its_own_rule() -> None:
    options = _options(password={2: NEWER, 1: PASSWORD}, seal_with=1)
    assert options.replace(password=NEWER).password.sealing == NEWER
    assert options.replace(password={1: PASSWORD, 3: NEWER}).password.sealing_id == "3"
    assert options.replace(password={1: PASSWORD, 3: NEWER}, seal_with=1).password.sealing_id == "1"


def test_replaced_options_are_checked_too() -> None:
    with pytest.raises(ConfigError, match="needs path='/'"):
        _options().replace(cookie_name="__Host-s", cookie_options={"path": "/app"})


def test_options_never_change_in_place() -> None:
    with pytest.raises(AttributeError):
        _options().ttl = 5  # type: ignore[misc]


def test_options_show_everything_but_passwords() -> None:
    shown = repr(_options(password={2: NEWER, 1: PASSWORD}))
    assert shown.startswith("SessionOptions(password=<Passwords 2, 1; 2 seals>, ")
    assert "ttl=1209600" in shown
    assert NEWER not in shown
    assert PASSWORD not in shown


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_options_cannot_be_pickled_or_copied(take: Any) -> None:
    with pytest.raises(TypeError, match="not to be pickled"):
        take(_options())


def test_everything_that_takes_options_takes_every_option() -> None:
    assert list(inspect.signature(SessionOptions).parameters) == ["options"]
    with pytest.raises(TypeError):
        SessionOptions(PASSWORD)  # type: ignore[misc]


def test_the_second_step_of_a_rolling_rotation_can_be_made_by_replacing_seal_with() -> None:
    first = _options(password={2: NEWER, 1: PASSWORD}, seal_with=1)
    assert first.password.sealing_id == "1"
    assert first.replace(ttl=60).password.sealing_id == "1"
    assert first.replace(seal_with=None).password.sealing_id == "2"


def test_a_number_of_rounds_that_no_library_counts_is_refused_when_it_is_given() -> None:
    with pytest.raises(ConfigError, match="iterations must be between 1"):
        _options(iterations=2**40)


# ---- what stands on a server ----


def test_a_store_and_a_list_are_given_as_they_are_or_by_their_url() -> None:
    store, revocations = MemoryStore(), MemoryRevocations()
    assert _options(store=store).store is store
    assert _options(revocations=revocations).revocations is revocations
    assert isinstance(_options(store="memory:").store, MemoryStore)
    assert isinstance(_options(revocations="memory:").revocations, MemoryRevocations)


def test_whoever_asks_a_server_is_known_by_one_property() -> None:
    assert _options(store="memory:").has_server_state
    assert _options(revocations="memory:").has_server_state
    assert _options(vault=lambda _: None).has_server_state
