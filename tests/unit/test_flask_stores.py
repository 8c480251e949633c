"""Sessions on the server: what Flask's visitors notice of it, and what they do not."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Final
from uuid import UUID

import pytest
from flask import flash, get_flashed_messages
from markupsafe import Markup

from iron_wsgi import IdVault, SessionConflict
from iron_wsgi.stores import MemoryStore
from iron_wsgi.testing import FakeClock
from iron_wsgi_flask import FlaskSession, IronSessionInterface

from .flask_site import ERRORS, Site, line, lines, put
from .shaky import ShakyList, ShakyStore
from .test_id_vault import Shelf
from .visitor import PASSWORD, payload

LARGE: Final = "x" * 6000
MODES: Final[dict[str, dict[str, Any]]] = {
    "store": {"storage": "store"},
    "overflow": {"overflow": "store"},
}


class Shop(Site):
    """A site with a store, and perhaps a list."""

    def __init__(
        self, *, has_list: bool = False, config: dict[str, Any] | None = None, **options: Any
    ) -> None:
        self.clock = FakeClock()
        self.store, self.revocations = ShakyStore(self.clock), ShakyList(self.clock)
        if has_list:
            options["revocations"] = self.revocations
        else:
            options.setdefault("store", self.store)
        super().__init__(IronSessionInterface(PASSWORD, clock=self.clock, **options), **(config or {}))


@pytest.fixture(params=MODES)
def shop(request: pytest.FixtureRequest) -> Shop:
    return Shop(**MODES[request.param])


VALUES: Final[dict[str, Any]] = {
    "when": datetime(2030, 1, 2, 3, 4, 5, 678, tzinfo=timezone.utc),
    "pair": (1, b"\x00"),
    "html": Markup("<b>"),
    "id": UUID(int=7),
    "large": LARGE,
}


def test_flasks_types_are_kept(shop: Shop) -> None:
    shop.visit(put(**VALUES))
    assert shop.finds() == VALUES


def test_a_large_session_fits_into_one_small_cookie(shop: Shop) -> None:
    answer = shop.visit(put(cart=LARGE))
    assert len(line(answer)) < 500
    assert payload(shop.value).keys() == {"_iron"}
    assert shop.finds() == {"cart": LARGE}
    assert shop.visit(lambda current: str(current.size)).text == str(len(line(answer)))


def test_a_session_that_shrinks_goes_back_into_its_cookie_and_grows_out_of_it_again() -> None:
    shop = Shop(overflow="store")
    for cart, is_in_cookie in (("tea", True), (LARGE, False), ("tea", True), (LARGE, False)):
        shop.visit(put(cart=cart, user=7))
        assert ("user" in payload(shop.value)) is is_in_cookie
        assert shop.finds() == {"cart": cart, "user": 7}


def test_a_nested_change_is_noticed(shop: Shop) -> None:
    shop.visit(put(cart=[LARGE]))
    shop.visit(lambda current: current["cart"].append(1))
    assert shop.finds() == {"cart": [LARGE, 1]}


def test_messages_of_two_requests_at_once_and_what_else_they_write_is_kept(shop: Shop) -> None:
    shop.visit(put(cart=LARGE))

    def write_slowly(current: FlaskSession) -> None:
        current["seen"] = 1
        shop.send(f"session={shop.value}", lambda _: flash("hello"))

    shop.visit(write_slowly)
    assert shop.visit(lambda _: str(get_flashed_messages())).text == "['hello']"
    assert shop.finds() == {"cart": LARGE, "seen": 1}


def test_who_wants_to_know_is_told_of_a_conflict_by_save(shop: Shop) -> None:
    shop.app.config["IRON_SESSION_ON_CONFLICT"] = "raise"
    shop.visit(put(cart=LARGE, user=7))

    def write_slowly(current: FlaskSession) -> str:
        current["user"] = 8
        shop.send(f"session={shop.value}", put(user=9))
        with pytest.raises(SessionConflict) as conflict:
            current.save()
        del current["user"]
        current.modified = False
        return str(conflict.value.keys)

    assert shop.visit(write_slowly).text == "('user',)"
    assert shop.finds()["user"] == 9


def test_a_conflict_that_nobody_catches_is_a_500_and_the_other_value_stands() -> None:
    shop = Shop(storage="store", on_conflict="raise", config=ERRORS)
    shop.visit(put(user=7))

    def write_slowly(current: FlaskSession) -> None:
        current["user"] = 8
        shop.send(f"session={shop.value}", put(user=9))

    answer = shop.visit(write_slowly)
    assert (answer.status_code, lines(answer)) == (500, [])
    assert shop.finds() == {"user": 9}


def test_a_transaction_of_a_test_reaches_the_store(shop: Shop) -> None:
    with shop.client.session_transaction() as current:
        current["cart"] = LARGE
    assert len(shop.store) == 1
    with shop.client.session_transaction() as current:
        assert current["cart"] == LARGE
        current.clear()
    assert len(shop.store) == 0
    assert shop.value == ""


def test_the_id_stays_until_the_session_is_regenerated(shop: Shop) -> None:
    shop.visit(put(cart=LARGE))
    ids = [shop.visit(lambda current: current.sid).text for _ in range(2)]
    shop.visit(put(seen=1))
    ids.append(shop.visit(lambda current: current.sid).text)
    assert len(set(ids)) == 1
    shop.visit(lambda current: current.regenerate())
    assert shop.visit(lambda current: current.sid).text not in ids
    assert shop.finds() == {"cart": LARGE, "seen": 1}
    assert len(shop.store) == 1


def test_two_applications_may_share_a_store() -> None:
    store = MemoryStore()
    mine = Site(IronSessionInterface(storage="store", store=store), SECRET_KEY="mine")
    other = Site(IronSessionInterface(storage="store", store=store), SECRET_KEY="other")
    mine.visit(put(user=7))
    other.visit(put(user=8))
    assert (mine.finds(), other.finds()) == ({"user": 7}, {"user": 8})
    assert other.send(f"session={mine.value}", lambda current: str(dict(current))).text == "{}"


def test_sessions_move_into_the_store_when_the_application_starts_to_use_one() -> None:
    site = Site()
    site.visit(put(user=7))
    store = MemoryStore()
    site.app.config.update(IRON_SESSION_STORAGE="store", IRON_SESSION_STORE=store)
    assert site.visit(lambda current: str(current["user"])).text == "7"
    assert payload(site.value).keys() == {"_iron"}
    assert len(store) == 1
    assert site.finds() == {"user": 7}


# Sessions that nobody uses.


DAY: Final = 86_400


def make_permanent(current: FlaskSession) -> None:
    current.permanent = True


def asks(shop: Shop) -> list[str]:
    """What an untouched request asks of the store and the list."""
    shop.store.calls.clear()
    shop.revocations.calls.clear()
    shop.visit()
    return shop.store.calls + shop.revocations.calls


def test_no_store_is_asked_about_an_untouched_session_that_ends_with_the_browser(shop: Shop) -> None:
    shop.visit(put(cart=LARGE))
    former = shop.value
    assert asks(shop) == asks(shop) == []
    shop.store.calls.clear()
    another = Site(shop.app.session_interface)  # as another process, which has not seen the cookie
    assert lines(another.send(f"session={former}")) == []
    assert shop.store.calls == []


def test_no_list_is_asked_about_an_untouched_session_that_ends_with_the_browser() -> None:
    shop = Shop(has_list=True)
    shop.visit(put(user=7))
    assert asks(shop) == asks(shop) == []
    assert shop.visit(lambda current: str(current["user"])).text == "7"
    assert shop.revocations.calls == ["is_revoked"]


def test_an_untouched_permanent_session_is_renewed_in_its_cookie_and_in_the_store(shop: Shop) -> None:
    shop.visit(put(cart=LARGE, _permanent=True))
    assert payload(shop.value)["_permanent"] is True
    for _ in range(3):
        shop.clock.advance(20 * DAY)
        former = shop.value
        assert asks(shop) == ["load", "touch"]
        assert shop.value != former
    assert shop.finds() == {"cart": LARGE, "_permanent": True}


def test_an_untouched_permanent_session_with_a_list_is_renewed_unless_it_was_revoked() -> None:
    shop = Shop(has_list=True)
    shop.visit(put(user=7, _permanent=True))
    assert asks(shop) == ["is_revoked"]
    kept = shop.value
    shop.visit(FlaskSession.destroy)
    shop.revocations.calls.clear()
    assert lines(shop.send(f"session={kept}")) == []
    assert shop.revocations.calls == ["is_revoked"]


def test_an_untouched_permanent_session_whose_record_is_gone_is_not_renewed(shop: Shop) -> None:
    shop.visit(put(cart=LARGE, _permanent=True))
    kept = shop.value
    shop.visit(FlaskSession.destroy)
    answer = shop.send(f"session={kept}")
    assert lines(answer) == []
    assert "Vary" not in answer.headers


def test_a_cookie_of_before_the_session_became_permanent_is_renewed_once_the_session_is_used(
    shop: Shop,
) -> None:
    shop.visit(put(cart=LARGE))
    former = shop.value
    assert lines(shop.send(f"session={former}")) == []
    shop.send(f"session={former}", make_permanent)
    assert lines(shop.send(f"session={former}")) == []
    shop.app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    assert "Expires=" in line(shop.send(f"session={former}", len))


def test_a_cookie_of_before_the_session_ceased_to_be_permanent_renews_nothing(shop: Shop) -> None:
    shop.visit(put(cart=LARGE, _permanent=True))
    former = shop.value
    shop.send(f"session={former}", put(_permanent=False))
    assert lines(shop.send(f"session={former}")) == []


def test_sessions_of_an_id_vault_are_renewed_by_use_alone() -> None:
    clock = FakeClock()
    vault = IdVault(Shelf(clock), sign="x" * 32, records="next-session")
    shop = Site(IronSessionInterface(PASSWORD, vault=vault, clock=clock, serializer="json"))
    shop.visit(put(user=7, _permanent=True))
    assert lines(shop.visit()) == []
    assert "Expires=" in line(shop.visit(len))


@pytest.mark.parametrize("has_list", [False, True])
def test_nothing_is_asked_about_an_unused_session_where_flask_does_not_renew(has_list: bool) -> None:  # noqa: FBT001
    shop = Shop(
        has_list=has_list,
        config={"SESSION_REFRESH_EACH_REQUEST": False},
        **({} if has_list else {"storage": "store"}),
    )
    shop.visit(put(user=7))
    shop.store.calls.clear()
    shop.revocations.calls.clear()
    assert shop.visit().headers.get("Vary") is None
    assert shop.store.calls == shop.revocations.calls == []
