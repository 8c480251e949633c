from __future__ import annotations

from typing import Any

import pytest

from iron_wsgi import ConfigError, Refused, SessionOptions
from iron_wsgi.engine.engine import Engine
from iron_wsgi.errors import RefusalReason
from iron_wsgi.revocation import MemoryRevocations
from iron_wsgi.sessions.state import State
from iron_wsgi.stores import MemoryStore
from iron_wsgi.testing import DictJar, FakeClock
from iron_wsgi.vaults.older_cookies import Readers
from iron_wsgi.vaults.seal_vault import SealVault

from .visitor import NOW, PASSWORD, sealed


class Old:
    """Reads what a site wrote before: ``old:<user>`` or whatever prefix, issued a day ago."""

    def __init__(
        self, prefix: str = "old:", *, otherwise: RefusalReason = "invalid", age: float = 86_400
    ) -> None:
        self.prefix = prefix
        self.otherwise = otherwise
        self.age = age
        self.asked: list[str] = []

    def read(self, value: str, /, *, at: float) -> State:
        self.asked.append(value)
        if not value.startswith(self.prefix):
            raise Refused(self.otherwise)
        data = {"user": value.removeprefix(self.prefix), "_iron": {"sid": "forged"}}
        return State(data=data, issued_at=at - self.age)


def _vault(clock: FakeClock, reader: Old, **options: Any) -> SealVault:
    given = {"password": PASSWORD, "cookie_name": "s", "clock": clock, "accept": ("flask",), **options}
    return SealVault(SessionOptions(**given), readers={"flask": reader})


def test_none_is_enabled_unless_it_is_accepted() -> None:
    assert not Readers((), {"flask": Old()})
    assert not Readers(("next-iron-session",), {})  # that is an authentic seal
    assert Readers(("flask",), {"flask": Old()})


@pytest.mark.parametrize(
    ("name", "where"),
    [("flask", "Flask"), ("signed_cookies", "Django"), ("db", "Django"), ("secret-key", "Flask and Django")],
)
def test_what_nobody_here_can_read_is_refused_when_it_is_accepted(name: str, where: str) -> None:
    with pytest.raises(ConfigError, match=f"^accept: '{name}' is for {where}, and cannot be read here$"):
        Readers((name,), {})


def test_the_first_that_takes_a_value_reads_it_and_it_is_to_be_written_again() -> None:
    one, two, three = Old("one:"), Old("two:"), Old("two:")
    readers = Readers(("flask", "db", "signed_cookies"), {"flask": one, "db": two, "signed_cookies": three})
    state = readers.read("two:anna", at=NOW)
    assert (state.data, state.is_new, state.is_outdated) == ({"user": "anna"}, False, True)
    assert (one.asked, two.asked, three.asked) == (["two:anna"], ["two:anna"], [])


def test_what_none_takes_is_refused_for_the_reason_of_the_first() -> None:
    readers = Readers(("flask", "db"), {"flask": Old(otherwise="expired"), "db": Old()})
    with pytest.raises(Refused, match="expired"):
        readers.read("what", at=NOW)


def test_older_cookies_bring_no_stamps(clock: FakeClock) -> None:
    state = _vault(clock, Old()).load("old:anna")
    assert (state.data, state.meta, state.sid) == ({"user": "anna"}, {}, "")


def test_a_seal_never_goes_to_a_reader_of_older_cookies(clock: FakeClock) -> None:
    reader = Old()
    vault = _vault(clock, reader)
    assert vault.load(sealed({"a": 1})).data == {"a": 1}
    for value in ("Fe26.2*1*x", "Fe26.9*old:", sealed({}, password_id="9"), sealed({}, expires_at=NOW - 99)):
        with pytest.raises(Refused):
            vault.load(value)
    assert reader.asked == []


def test_where_older_cookies_are_not_accepted_what_is_no_seal_goes_to_nobody(clock: FakeClock) -> None:
    reader = Old()
    with pytest.raises(Refused, match="invalid"):
        _vault(clock, reader, accept=("next-iron-session",)).load("old:anna")
    assert reader.asked == []


def test_an_older_session_obeys_the_absolute_timeout(clock: FakeClock) -> None:
    assert _vault(clock, Old(), absolute_timeout=86_400).load("old:anna").data == {"user": "anna"}
    with pytest.raises(Refused, match="too-old"):
        _vault(clock, Old(age=86_460), absolute_timeout=86_400).load("old:anna")


def test_an_older_session_can_be_revoked_by_its_id_by_its_subject_and_with_all(clock: FakeClock) -> None:
    revocations = MemoryRevocations(clock=clock)
    vault = _vault(clock, Old(), revocations=revocations, subject="user")
    revocations.revoke(vault.load("old:anna").meta["was"])
    with pytest.raises(Refused, match="revoked"):
        vault.load("old:anna")
    assert vault.load("old:bert").data == {"user": "bert"}
    revocations.revoke_subject("bert")
    with pytest.raises(Refused, match="revoked"):
        vault.load("old:bert")
    assert vault.load("old:carl").data == {"user": "carl"}
    revocations.revoke_all()
    with pytest.raises(Refused, match="revoked"):
        vault.load("old:carl")


def test_the_id_of_an_older_session_is_made_of_what_it_holds_not_of_its_spelling(clock: FakeClock) -> None:
    class Lax(Old):
        def read(self, value: str, /, *, at: float) -> State:
            del at
            return State(data={"user": value.strip("=")}, issued_at=NOW - 5)

    vault = _vault(clock, Lax(), revocations=MemoryRevocations(clock=clock))
    sids = [vault.load(value).meta["was"] for value in ("anna", "anna=", "anna==", "bert")]
    assert len(set(sids)) == 2
    assert len(sids[0]) == 32
    assert "anna" not in sids[0]


def test_older_sessions_of_one_user_begun_at_other_times_have_other_ids(clock: FakeClock) -> None:
    revocations = MemoryRevocations(clock=clock)
    sids = [
        _vault(clock, Old(age=age), revocations=revocations).load("old:anna").meta["was"] for age in (5, 6)
    ]
    assert sids[0] != sids[1]


def test_two_visitors_with_the_same_older_cookie_never_share_a_session(clock: FakeClock) -> None:
    store = MemoryStore(clock=clock)
    vault = _vault(clock, Old(), revocations=MemoryRevocations(clock=clock), storage="store", store=store)
    one, other = vault.load("old:anna"), vault.load("old:anna")
    one.data["card"] = "4111"
    for state in (one, other):
        vault.dump(state, expires_at=NOW + 60)
    assert other.data == {"user": "anna"}
    assert one.sid != other.sid
    assert len(store) == 2


@pytest.mark.parametrize("is_written", [False, True])
def test_an_older_cookie_ends_with_the_session_that_came_from_it(
    clock: FakeClock, *, is_written: bool
) -> None:
    revocations = MemoryRevocations(clock=clock)
    options = SessionOptions(
        password=PASSWORD, cookie_name="s", clock=clock, accept=("flask",), revocations=revocations
    )
    engine = Engine(options, vault=lambda given: SealVault(given, readers={"flask": Old()}))
    state = engine.open(DictJar({"s": "old:anna"}))
    if is_written:
        value = engine.commit(state, renew=True).cookies[0].value
        state = engine.open(DictJar({"s": value}))
    engine.destroy(state)
    assert engine.open(DictJar({"s": "old:anna"})).refused == "revoked"
