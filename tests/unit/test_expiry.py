from __future__ import annotations

import math
from typing import Any

import pytest

from iron_wsgi import CookieOptions, SessionOptions
from iron_wsgi.revocation import MemoryRevocations
from iron_wsgi.sessions.expiry import expiry, expiry_order, last_expiry, max_age, needs_new_id, needs_refresh
from iron_wsgi.sessions.state import State
from iron_wsgi.testing import FakeClock

from .visitor import NOW, PASSWORD

DAY = 86_400
FOREVER = 400 * DAY


def _options(**options: Any) -> SessionOptions:
    return SessionOptions(
        **{"password": PASSWORD, "cookie_name": "s", "clock": FakeClock(), "ttl": 900, **options}
    )


def _watched(**options: Any) -> SessionOptions:
    return _options(revocations=MemoryRevocations(), **options)


def _state(**fields: Any) -> State:
    return State(**{"issued_at": NOW, **fields})


def test_a_session_that_never_expires_ends_after_all_others() -> None:
    assert expiry_order(_state(expires_at=5.0)) == 5
    assert expiry_order(_state()) == math.inf


@pytest.mark.parametrize(
    ("meta", "given", "end"),
    [
        ({}, None, NOW + 900),
        ({"ttl": 60}, None, NOW + 60),
        ({"exp": NOW + 7}, None, NOW + 7),
        ({"exp": NOW + 7, "ttl": 60}, None, NOW + 7),
        ({}, NOW + 5, NOW + 5),
        ({"exp": NOW + 7, "ttl": 60}, NOW + 5, NOW + 5),
        ({}, NOW - 5, NOW - 5),
    ],
)
def test_a_seal_ends_as_it_is_told_or_as_the_session_says_or_by_the_ttl(
    meta: dict[str, float], given: float | None, end: float
) -> None:
    assert expiry(_state(meta=meta), _options(), given) == end


def test_without_a_ttl_only_the_session_itself_says_when_it_ends() -> None:
    assert expiry(_state(), _options(ttl=0)) is None
    assert expiry(_state(meta={"ttl": 60}), _options(ttl=0)) == NOW + 60
    assert expiry(_state(), _options(ttl=0), NOW + 5) == NOW + 5


@pytest.mark.parametrize(("meta", "given"), [({}, None), ({"exp": NOW + 5000}, None), ({}, NOW + 5000)])
def test_the_absolute_timeout_caps_every_end(meta: dict[str, float], given: float | None) -> None:
    for options in (_options(absolute_timeout=300), _watched(absolute_timeout=300, ttl=0)):
        assert expiry(_state(meta=meta, issued_at=NOW - 100), options, given) == NOW + 200
    assert expiry(_state(), _options(absolute_timeout=300), NOW + 5) == NOW + 5


def test_where_there_are_revocations_no_seal_lives_longer_than_400_days() -> None:
    for given, meta in ((NOW + 500 * DAY, {}), (None, {"ttl": 500 * DAY}), (None, {"exp": NOW + 500 * DAY})):
        assert expiry(_state(meta=meta), _watched(), given) == NOW + FOREVER
        assert expiry(_state(meta=meta), _options(), given) == NOW + 500 * DAY
    assert expiry(_state(), _watched(ttl=500 * DAY)) == NOW + FOREVER
    assert expiry(_state(), _watched(), NOW + FOREVER) == NOW + FOREVER
    # One that the absolute timeout bounds is bounded.
    long = _watched(absolute_timeout=1000 * DAY)
    assert expiry(_state(), long, NOW + 900 * DAY) == NOW + 900 * DAY


# ---- renewal ----


@pytest.mark.parametrize(
    ("after", "ends", "expected"),
    [
        (None, NOW + 1, False),
        (0, NOW + 900, True),
        (0, NOW + 901, False),
        (60, NOW + 840, True),
        (60, NOW + 840.1, False),
        (60, None, False),
    ],
)
def test_a_session_is_old_when_a_new_seal_would_live_longer_by_refresh_after(
    after: float | None, ends: float | None, *, expected: bool
) -> None:
    assert needs_refresh(_state(expires_at=ends), _options(refresh_after=after)) is expected


def test_a_session_is_not_old_where_a_new_seal_would_never_end() -> None:
    assert not needs_refresh(_state(expires_at=NOW + 1), _options(ttl=0, refresh_after=0))


def test_the_age_is_counted_from_the_end_that_an_adapter_gives() -> None:
    options = _options(refresh_after=60)
    assert needs_refresh(_state(expires_at=NOW + 900), options, NOW + 960)
    assert not needs_refresh(_state(expires_at=NOW + 900), options, NOW + 959)


# ---- the last copy ----


def test_the_last_copy_is_the_one_that_ends_last_of_those_out_and_the_one_made_now() -> None:
    options = _watched()
    assert last_expiry(_state(expires_at=NOW + 5), options) == NOW + 900
    assert last_expiry(_state(expires_at=NOW + 5000), options) == NOW + 5000
    assert last_expiry(_state(expires_at=NOW + 5, meta={"until": NOW + 7000.5}), options) == NOW + 7000.5
    assert last_expiry(_state(expires_at=NOW + 5, meta={"ttl": 60, "until": NOW + 7}), options) == NOW + 900
    assert last_expiry(_state(expires_at=NOW + 5, meta={"life": 5000}), options) == NOW + 5000
    assert last_expiry(_state(expires_at=NOW + 5), options, NOW + 8000) == NOW + 8000


def test_under_an_absolute_timeout_no_copy_outlives_it() -> None:
    for ttl in (0, 900):
        options = _watched(ttl=ttl, absolute_timeout=3600)
        for ends in (None, NOW + 5, NOW + 9000):
            assert last_expiry(_state(expires_at=ends, issued_at=NOW - 100), options) == NOW + 3500


def test_of_what_may_live_for_ever_there_is_no_last_copy() -> None:
    assert last_expiry(_state(), _options()) is None
    assert last_expiry(_state(expires_at=NOW + 5), _options(ttl=0)) is None


def test_what_lives_longer_than_the_ttl_says_so() -> None:
    options = _watched()
    assert not needs_new_id(_state(), options, NOW + 960)
    assert needs_new_id(_state(), options, NOW + 960.1)
    assert not needs_new_id(_state(meta={"life": 5000}), options, NOW + 5060)
    assert needs_new_id(_state(meta={"life": 5000}), options, NOW + 5060.1)
    assert not needs_new_id(_state(), options, None)
    assert not needs_new_id(_state(), _options(), NOW + 9000)
    assert not needs_new_id(_state(), _watched(absolute_timeout=9000), NOW + 9000)


# ---- Max-Age ----


@pytest.mark.parametrize(
    ("attributes", "meta", "end", "expected"),
    [
        ({}, {}, NOW + 900, 840),
        ({}, {}, NOW + 61, 1),
        ({}, {}, NOW + 60, 60),
        ({}, {}, NOW - 5, 0),
        ({}, {}, None, FOREVER),
        ({}, {}, NOW + 2 * FOREVER, FOREVER),
        ({"max_age": 7}, {}, NOW + 900, 7),
        ({"max_age": None}, {}, NOW + 900, None),
        ({"max_age": None}, {"ttl": 900}, NOW + 900, 840),
        ({"max_age": None}, {"exp": NOW + 900}, NOW + 900, 840),
        ({"max_age": 7}, {"ttl": 900}, NOW + 900, 7),
        ({"expires": NOW + 50}, {}, NOW + 900, None),
    ],
)
def test_the_browser_keeps_the_cookie_a_minute_less_than_the_seal_lives(
    attributes: dict[str, Any], meta: dict[str, float], end: float | None, expected: int | None
) -> None:
    assert max_age(_state(meta=meta), CookieOptions(**attributes), end, NOW) == expected
