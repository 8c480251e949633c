"""Sessions made by real iron-session in Node, which stamps nothing, are ended here like all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from iron_wsgi.revocation import MemoryRevocations
from iron_wsgi.testing import load_session

from .forge import OLD
from .test_live import TTL, Clock, Visitor, two_sites
from .visits import COOKIE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .peers import Peers

pytestmark = pytest.mark.needs("node")

PEERS: Final = ("iron-session-8", "iron-session-9")
SKEW: Final = 60
USER: Final = {"user": {"id": 7}}


def user_of(data: Mapping[str, Any]) -> Any:
    """Whose a session is: Node keeps an object."""
    user = data.get("user")
    return user["id"] if user else None


@pytest.fixture(params=PEERS)
def peer(request: pytest.FixtureRequest) -> str:
    """The library in Node."""
    name: str = request.param
    return name


class Sites:
    """Both sites, and the list that ours asks.

    Attributes:
        visitor: The browser.
        clock: The time on both.
        revocations: The list.
    """

    def __init__(self, visitor: Visitor, clock: Clock, revocations: MemoryRevocations) -> None:
        self.visitor = visitor
        self.clock = clock
        self.revocations = revocations

    def copies(self) -> dict[str, str]:
        """Return what a thief has of the cookies."""
        return dict(self.visitor.cookies)

    def restore(self, copies: dict[str, str]) -> None:
        """Put cookies back into the browser."""
        for cookie in self.visitor.jar:
            if cookie.name in copies:
                cookie.value = copies[cookie.name]

    def sid(self) -> str:
        """Return the id that the session has here."""
        return load_session(
            self.visitor.cookies, password=OLD, cookie_name=COOKIE, ttl=TTL, clock=self.clock
        ).sid


@pytest.fixture
def sites(peers: Peers, peer: str) -> Iterator[Sites]:
    """Node, and a site with a list of revocations."""
    clocks: list[Clock] = []  # there is one as soon as the sites are there
    revocations = MemoryRevocations(clock=lambda: clocks[0].at_ms / 1000)
    with two_sites(peers, peer, revocations=revocations, subject=user_of) as (visitor, clock):
        clocks.append(clock)
        yield Sites(visitor, clock, revocations)


def test_a_session_made_in_node_is_over_here_once_its_subject_is_revoked(sites: Sites) -> None:
    visitor = sites.visitor
    visitor.change("there", **USER)
    assert visitor.read("here") == USER
    sites.clock.move(1)
    sites.revocations.revoke_subject("8")
    assert visitor.read("here") == USER, "somebody else's"
    sites.revocations.revoke_subject("7")
    assert visitor.read("here") == {}


def test_a_session_made_in_node_after_its_subject_was_revoked_lives(sites: Sites) -> None:
    sites.revocations.revoke_subject("7")
    sites.clock.move(1)
    sites.visitor.change("there", **USER)
    assert sites.visitor.read("here") == USER


def test_a_session_made_in_node_is_over_here_once_all_are_revoked(sites: Sites) -> None:
    sites.visitor.change("there", **USER)
    sites.clock.move(1)
    sites.revocations.revoke_all()
    assert sites.visitor.read("here") == {}


def test_a_session_made_in_node_is_over_here_once_its_id_is_revoked(sites: Sites) -> None:
    visitor = sites.visitor
    visitor.change("there", **USER)
    sid = sites.sid()
    assert sid == sites.sid()
    sites.revocations.revoke("another")
    assert visitor.read("here") == USER
    sites.revocations.revoke(sid)
    assert visitor.read("here") == {}


def test_a_cookie_made_in_node_opens_nothing_here_after_the_sign_out_here(sites: Sites) -> None:
    visitor = sites.visitor
    visitor.change("there", **USER)
    from_node = sites.copies()
    visitor.change("here", visits=1)
    from_here = sites.copies()
    visitor.change("there", visits=2)
    again_from_node = sites.copies()
    assert len({copy[COOKIE] for copy in (from_node, from_here, again_from_node)}) == 3
    visitor.leave("here")
    assert visitor.cookies == {}
    visitor.change("there", other=1)  # some cookie to put the others' values into
    for copy in (from_node, from_here, again_from_node):
        sites.restore(copy)
        assert visitor.read("here") == {}
        visitor.change("there", other=1)


def test_what_node_writes_keeps_the_id_that_was_stamped_here(sites: Sites) -> None:
    visitor = sites.visitor
    visitor.change("there", **USER)
    first = sites.sid()
    visitor.change("here", visits=1)
    assert sites.sid() == first, "the stamp is the id that it had"
    visitor.change("there", visits=2)
    assert sites.sid() == first
    sites.revocations.revoke(first)
    assert visitor.read("here") == {}


@pytest.mark.parametrize("timeout", [30, TTL - 60, TTL])
def test_a_session_made_in_node_obeys_the_absolute_timeout(peers: Peers, peer: str, timeout: int) -> None:
    with two_sites(peers, peer, absolute_timeout=timeout) as (visitor, clock):
        visitor.change("there", **USER)
        clock.move(timeout + SKEW - 1)
        assert visitor.read("here") == USER
        clock.move(2)
        assert visitor.read("here") == {}


def test_a_session_that_was_written_here_obeys_the_absolute_timeout_however_often_node_writes_it(
    peers: Peers, peer: str
) -> None:
    timeout = 2 * TTL
    with two_sites(peers, peer, absolute_timeout=timeout) as (visitor, clock):
        visitor.change("there", **USER)
        visitor.change("here", visits=0)
        step = TTL // 2
        for number in range(timeout // step):
            clock.move(step - 1)
            visitor.change("there", visits=number)
        data = visitor.read("here")
        assert data["user"] == USER["user"]
        clock.move(timeout // step + SKEW + 1)
        visitor.change("there", visits=9)
        assert visitor.read("here") == {}
