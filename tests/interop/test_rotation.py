"""Passwords by id: both sides must agree on which one seals and which ones still open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from iron_wsgi import seal_data, unseal_data
from iron_wsgi.seals import seal as fe26

from .forge import NEW, OLD
from .payloads import text_of
from .peers import SEALS, SESSIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from iron_wsgi.errors import SealError
    from iron_wsgi.seals.passwords import Password

    from .peers import Peers

pytestmark = pytest.mark.needs("node")

DATA: Final = {"user": {"id": 7}}
NEWEST: Final = "v7Jd_cT0sWq3KpZ9mXgY5bHuR1nE8oLa4fViQk2xB6C"

# The same passwords as Python writes them, as iron-session does, and the id under which both must seal.
MAPS: Final[list[tuple[Password, dict[str, str] | str, str]]] = [
    (OLD, OLD, "1"),
    ({1: OLD}, {"1": OLD}, "1"),
    ({1: OLD, 2: NEW}, {"1": OLD, "2": NEW}, "2"),
    ({2: NEW, 1: OLD}, {"2": NEW, "1": OLD}, "2"),
    ({9: OLD, 10: NEW}, {"9": OLD, "10": NEW}, "10"),
    ({10: NEW, 9: OLD, 100: NEWEST}, {"10": NEW, "9": OLD, "100": NEWEST}, "100"),
    ({"2": NEW, "1": OLD}, {"2": NEW, "1": OLD}, "2"),
]


@pytest.mark.parametrize("peer", SESSIONS)
@pytest.mark.parametrize(("password", "foreign", "newest"), MAPS)
def test_both_sides_seal_under_the_highest_id_and_open_what_the_other_sealed(
    peers: Peers, peer: str, password: Password, foreign: dict[str, str] | str, newest: str
) -> None:
    ours = seal_data(DATA, password=password)
    theirs = peers.value("seal", peer=peer, data=text_of(DATA), password=foreign)
    assert fe26.parse(ours).password_id == fe26.parse(theirs).password_id == newest
    assert peers.ask("unseal", peer=peer, seal=ours, password=foreign).data == DATA
    assert unseal_data(theirs, password=password) == DATA


@pytest.mark.parametrize("peer", SESSIONS)
def test_a_seal_under_the_old_id_still_opens_on_both_sides(peers: Peers, peer: str) -> None:
    both = {"1": OLD, "2": NEW}
    ours = seal_data(DATA, password={1: OLD})
    theirs = peers.value("seal", peer=peer, data=text_of(DATA), password={"1": OLD})
    assert peers.ask("unseal", peer=peer, seal=ours, password=both).data == DATA
    assert unseal_data(theirs, password={2: NEW, 1: OLD}) == DATA


@pytest.mark.parametrize("peer", SESSIONS)
def test_seal_with_keeps_sealing_under_the_old_id_for_peers_that_know_no_other(
    peers: Peers, peer: str
) -> None:
    sealed = seal_data(DATA, password={2: NEW, 1: OLD}, seal_with=1)
    assert peers.ask("unseal", peer=peer, seal=sealed, password=OLD).data == DATA


def test_an_id_that_is_not_configured_is_named_as_the_reason_on_both_sides(peers: Peers) -> None:
    ours = seal_data(DATA, password={2: NEW})
    theirs = peers.value("seal", peer="iron-session-9", data=text_of(DATA), password={"2": NEW})

    there = peers.ask("unseal", peer="iron-session-9", seal=ours, password={"1": OLD})
    assert (there.name, there.message) == ("Unreadable", "unknown-password")

    reasons, note = _noting()
    assert unseal_data(theirs, password={1: OLD}, on_unseal_error=note) == {}
    assert reasons == ["unknown-password"]


@pytest.mark.parametrize("peer", SESSIONS)
def test_a_changed_password_under_the_same_id_opens_nothing_on_either_side(peers: Peers, peer: str) -> None:
    ours = seal_data(DATA, password=NEW)
    theirs = peers.value("seal", peer=peer, data=text_of(DATA), password=NEW)
    there = peers.ask("unseal", peer=peer, seal=ours, password=OLD)
    if peer == "iron-session-9":
        assert (there.name, there.message) == ("Unreadable", "invalid")
    else:
        assert there.data == {}
    reasons, note = _noting()
    assert unseal_data(theirs, password=OLD, on_unseal_error=note) == {}
    assert reasons == ["invalid"]


@pytest.mark.parametrize("peer", SEALS)
def test_a_seal_without_id_opens_with_the_password_called_default_on_both_sides(
    peers: Peers, peer: str
) -> None:
    theirs = peers.value("seal", peer=peer, data=text_of(DATA), password=OLD)
    ours = fe26.seal(text_of(DATA).encode(), OLD)
    assert fe26.parse(theirs).password_id == fe26.parse(ours).password_id == ""
    passwords: dict[int | str, str] = {"default": OLD, 1: NEW}
    assert unseal_data(theirs, password=passwords) == DATA
    assert peers.ask("unseal", peer=peer, seal=ours, password={"default": OLD, "1": NEW}).data == DATA
    # And with no other, whatever else is configured.
    assert unseal_data(theirs, password=OLD) == {}
    assert not peers.ask("unseal", peer=peer, seal=ours, password={"1": OLD}).ok


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_of_a_list_the_first_seals_here_and_in_next_iron_session(
    peers: Peers, order: tuple[int, int]
) -> None:
    secrets = {1: OLD, 2: NEW}
    passwords = [{"id": number, "password": secrets[number]} for number in order]
    visit = peers.value(
        "visit",
        peer="next-iron-session-4",
        options={"password": passwords, "cookieName": "session"},
        steps=[["set", "user", "7"], ["save"]],
    )
    theirs = visit["setCookie"][0].partition(";")[0].removeprefix("session=")
    ours = seal_data({}, password=passwords)
    assert fe26.parse(theirs).password_id == fe26.parse(ours).password_id == str(order[0])
    assert unseal_data(theirs, password=passwords) == {"persistent": {"user": 7}, "flash": {}}


@pytest.mark.parametrize("peer", SEALS)
def test_an_id_made_of_letters_digits_and_underscores_travels_in_both_directions(
    peers: Peers, peer: str
) -> None:
    identifier = "key_2026_B"
    ours = fe26.seal(text_of(DATA).encode(), NEW, password_id=identifier)
    theirs = peers.value("seal", peer=peer, data=text_of(DATA), password={"id": identifier, "secret": NEW})
    assert fe26.parse(theirs).password_id == identifier
    assert fe26.unseal(theirs, NEW).plaintext == fe26.unseal(ours, NEW).plaintext.replace(b" ", b"")
    assert peers.ask("unseal", peer=peer, seal=ours, password={identifier: NEW}).data == DATA


def _noting() -> tuple[list[str], Callable[[Any, SealError], None]]:
    reasons: list[str] = []

    def note(reason: Any, error: SealError) -> None:
        assert error.reason == reason
        reasons.append(reason)

    return reasons, note
