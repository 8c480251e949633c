"""T-DUP: a subdomain, or a path, can add cookies of our name, but neither steal the session nor end it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from iron_wsgi import Event
from iron_wsgi.cookies.candidates import MAX_CANDIDATES
from iron_wsgi.engine.engine import Engine
from iron_wsgi.sessions.state import State
from iron_wsgi.testing import DictJar
from iron_wsgi.vaults.seal_vault import SealVault

from .seals import NEW, NOW, OLD, OTHER, forged, milliseconds, settings
from .site import Answer, environ, page, serve, sessions


def lasting(user: int, seconds: int) -> str:
    return forged({"user": user}, expiration=milliseconds(NOW + seconds))


ALICE = lasting(1, 3000)
MALLORY = lasting(2, 2000)
EXPIRED = lasting(3, -3600)
JUNK = "junk"
FORGED = forged({"user": 4}, OTHER)
AHEAD = forged({"user": 5}, NEW, password_id="2")
"""From a server that has a newer password."""


def visited(*values: str, **options: Any) -> tuple[dict[str, Any], Answer]:
    seen: list[dict[str, Any]] = []
    app = sessions(page(lambda session: seen.append(dict(session))), **options)
    header = "; ".join(f"session={value}" for value in values)
    answer = serve(app, environ(header))
    return seen[0], answer


@pytest.mark.parametrize("junk", [JUNK, FORGED, EXPIRED, AHEAD, "", "%", "Fe26.2*1*******"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_junk_under_our_name_signs_nobody_out_wherever_it_stands(junk: str, count: int) -> None:
    for place in range(count + 1):
        values = [f"{junk}{number}" if junk == JUNK else junk for number in range(count)]
        values.insert(place, ALICE)
        data, answer = visited(*values)
        assert data == {"user": 1}
        assert answer.cookies == []


@pytest.mark.parametrize(
    "order", list(itertools.permutations((ALICE, MALLORY, JUNK, EXPIRED))), ids=[*range(24)]
)
def test_of_several_good_cookies_the_one_that_ends_last_is_the_session_in_any_order(
    order: tuple[str, ...],
) -> None:
    data, answer = visited(*order)
    assert data == {"user": 1}
    assert answer.cookies == []


def test_a_seal_that_never_ends_ends_last() -> None:
    forever = forged({"user": 9}, expiration="")
    for order in ((ALICE, forever), (forever, ALICE)):
        assert visited(*order, ttl=0)[0] == {"user": 9}
        assert visited(*order)[0] == {"user": 1}


def test_two_sessions_are_never_mixed() -> None:
    whole = forged({"user": 1, "a": 1}, expiration=milliseconds(NOW + 3000))
    other = forged({"user": 2, "b": 2}, expiration=milliseconds(NOW + 3000))
    for order in ((whole, other), (other, whole)):
        assert visited(*order)[0] in ({"user": 1, "a": 1}, {"user": 2, "b": 2})


class CountingVault:
    """Counts what is tried."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self._vault = SealVault(settings())

    def load(self, value: str, /) -> State:
        self.tried.append(value)
        return self._vault.load(value)

    def dump(self, state: State, /, *, expires_at: float | None) -> str:
        return self._vault.dump(state, expires_at=expires_at)


@pytest.mark.parametrize("count", [1, 4, 5, 500])
def test_at_most_four_values_are_tried_in_the_order_they_came(count: int) -> None:
    vault = CountingVault()
    values = [f"{JUNK}{number}" for number in range(count)]
    Engine(settings(), vault=lambda _options: vault).open(DictJar({"session": values}))
    assert vault.tried == values[:MAX_CANDIDATES]
    assert MAX_CANDIDATES == 4


def test_equal_values_count_once() -> None:
    vault = CountingVault()
    engine = Engine(settings(), vault=lambda _options: vault)
    state = engine.open(DictJar({"session": [JUNK] * 300 + [ALICE] * 300}))
    assert vault.tried == [JUNK, ALICE]
    assert state.data == {"user": 1}


def test_five_hundred_different_values_are_an_anonymous_visitor_and_no_error() -> None:
    data, answer = visited(*(f"{JUNK}{number}" for number in range(500)), ALICE)
    assert (data, answer.status) == ({}, "200 OK")


def test_all_junk_is_deleted_once_by_name() -> None:
    data, answer = visited(JUNK, FORGED, EXPIRED)
    assert data == {}
    (line,) = answer.cookies
    assert line.startswith("session=;")
    assert "Max-Age=0" in line


@pytest.mark.parametrize("others", [(), (JUNK,), (EXPIRED, JUNK)])
def test_nothing_is_deleted_that_a_server_with_a_newer_password_may_open(others: tuple[str, ...]) -> None:
    for values in ((*others, AHEAD), (AHEAD, *others)):
        data, answer = visited(*values)
        assert (data, answer.cookies) == ({}, [])


def test_every_refusal_among_duplicates_is_reported_when_none_opens() -> None:
    events: list[Event] = []
    visited(JUNK, EXPIRED, AHEAD, on_event=events.append)
    assert [event.reason for event in events] == ["invalid", "expired", "unknown-password"]
    assert [event.password_id for event in events] == [None, "1", "2"]


def test_a_duplicate_from_an_older_password_loses_to_one_that_lasts_longer() -> None:
    passwords = {1: OLD, 2: NEW}
    newer = forged({"user": 7}, NEW, password_id="2", expiration=milliseconds(NOW + 3500))
    for order in ((ALICE, newer), (newer, ALICE)):
        data, answer = visited(*order, password=passwords)
        assert (data, answer.cookies) == ({"user": 7}, [])


def test_a_change_is_written_once_whatever_came() -> None:
    app = sessions(page(lambda session: session.set("seen", True)))
    answer = serve(app, environ(f"session={JUNK}; session={ALICE}; session={MALLORY}"))
    (line,) = answer.cookies
    assert line.startswith("session=Fe26.2*")


def test_a_name_that_starts_or_ends_like_ours_is_another_cookie() -> None:
    header = "; ".join(
        f"{name}={ALICE}" for name in ("sessio", "sessions", "Session", "session.", ".session", "session.00")
    )
    seen: list[Any] = []
    serve(sessions(page(lambda session: seen.append(dict(session)))), environ(header))
    assert seen == [{}]
