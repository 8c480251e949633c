"""A Django session that nobody uses costs nothing: no store, no list, no cryptography, no comparison."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from django.db import connection
from django.http import HttpRequest
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from iron_wsgi.testing import FakeClock
from iron_wsgi.vaults.seal_vault import SealVault
from iron_wsgi_django import conf
from tests.services.redis import RedisServer

from .django_site import OURS, STOCK, Site, at_once, look_away, names, put
from .visitor import payload

pytest_plugins = ("tests.services.redis",)
pytestmark = pytest.mark.django_db

DATABASE: Final = {"storage": "store", "store": "django-db:default", "revocations": "django-db:default"}
RENEWED: Final = {"nowhere": {}, "at each use": {"refresh_after": 0}}


@pytest.fixture(params=[OURS, STOCK], ids=["ours", "stock"])
def middleware(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=RENEWED)
def renewal(request: pytest.FixtureRequest) -> dict[str, Any]:
    options: dict[str, Any] = RENEWED[request.param]
    return options


@pytest.fixture
def redis_client(redis_server: RedisServer) -> Iterator[Redis]:
    with redis_server.client() as client:
        yield client


def commands(client: Redis) -> int:
    """How many commands the server has had, without those that ask for this."""
    stats: dict[str, Any] = client.info("commandstats")  # type: ignore[assignment]  # redis-py's are loose
    return sum(one["calls"] for name, one in stats.items() if name != "cmdstat_info")


def queries_of(visit: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as queries:
        visit()
    return len(queries)


def test_a_request_that_leaves_its_session_alone_asks_no_database(
    clock: FakeClock, middleware: str, renewal: dict[str, Any]
) -> None:
    site = Site(clock, middleware=middleware, IRON_SESSION={**DATABASE, **renewal})
    site.visit(put(user=7))
    clock.advance(3600)
    assert queries_of(lambda: site.visit(lambda request: request.session["user"])) > 0  # it is counted
    assert queries_of(site.visit) == 0


def test_a_request_that_leaves_its_session_alone_sends_redis_no_command(
    clock: FakeClock, middleware: str, renewal: dict[str, Any], redis_server: RedisServer, redis_client: Redis
) -> None:
    places = {"storage": "store", "store": redis_server.url, "revocations": redis_server.url}
    site = Site(clock, middleware=middleware, IRON_SESSION={**places, **renewal})
    site.visit(put(user=7))
    clock.advance(3600)
    before = commands(redis_client)
    site.visit(lambda request: request.session["user"])
    used = commands(redis_client)
    site.visit()
    assert used > before
    assert commands(redis_client) == used


def test_a_request_that_leaves_its_session_alone_opens_and_makes_no_seal(
    clock: FakeClock, middleware: str, renewal: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(clock, middleware=middleware, IRON_SESSION=renewal)
    site.visit(put(user=7))
    clock.advance(3600)
    with monkeypatch.context() as patched:
        for method in ("load", "dump"):
            patched.setattr(SealVault, method, None)
        assert names(site.visit()) == []
        with pytest.raises(TypeError):  # nothing else would go unnoticed
            site.visit(lambda request: request.session["user"])


def test_only_where_every_request_saves_is_a_session_renewed_that_nobody_used(
    clock: FakeClock, middleware: str
) -> None:
    site = Site(clock, middleware=middleware, IRON_SESSION=DATABASE, SESSION_SAVE_EVERY_REQUEST=True)
    site.visit(put(user=7))
    assert queries_of(lambda: site.visit(look_away)) > 0


# What is compared at the end of a request.


class Counting:
    """JSON, and how often something was written."""

    def __init__(self) -> None:
        self.written = 0

    def dumps(self, data: dict[str, Any]) -> bytes:
        self.written += 1
        return json.dumps(data).encode()

    def loads(self, payload: bytes) -> Any:
        return json.loads(payload)


@pytest.mark.parametrize(
    "use",
    [
        lambda session: session["user"],
        lambda session: session.get("user"),
        lambda session: "cart" in session,
        lambda session: session.get("nothing"),
    ],
    ids=["of the key", "get", "in", "get of none"],
)
def test_values_that_nobody_was_given_are_not_compared(
    clock: FakeClock, use: Callable[[Any], object]
) -> None:
    serializer = Counting()
    site = Site(clock, IRON_SESSION={"serializer": serializer})
    site.visit(put(user=7, cart=[1]))
    written = serializer.written
    site.visit(lambda request: use(request.session) and None)
    assert serializer.written == written


@pytest.mark.parametrize(
    "cart",
    [
        lambda session: session["cart"],
        lambda session: session.get("cart"),
        lambda session: session.setdefault("cart", []),
        lambda session: dict(session.items())["cart"],
        lambda session: list(session.values())[-1],
        lambda session: session._session["cart"],
    ],
    ids=["of the key", "get", "setdefault", "items", "values", "as Django's own code"],
)
def test_a_change_in_a_nested_value_is_noticed_however_it_was_read(
    clock: FakeClock, cart: Callable[[Any], list[int]]
) -> None:
    site = Site(clock)
    site.visit(put(user=7, cart=[1]))
    site.visit(lambda request: cart(request.session).append(2))
    assert payload(site.value)["cart"] == [1, 2]


def test_a_change_in_a_nested_value_is_noticed_after_an_asynchronous_read(clock: FakeClock) -> None:
    async def change(request: HttpRequest) -> None:
        (await request.session.aget("cart")).append(2)
        (await request.session._aget_session())["other"].append(3)

    site = Site(clock, is_async=True)
    site.visit(put(cart=[1], other=[]))
    site.visit(lambda request: at_once(change(request)))
    assert payload(site.value)["cart"] == [1, 2]
    assert payload(site.value)["other"] == [3]


def test_a_change_in_a_nested_value_is_noticed_after_a_save(clock: FakeClock) -> None:
    def change(request: HttpRequest) -> None:
        cart = request.session["cart"]
        request.session.save()
        cart.append(2)

    site = Site(clock)
    site.visit(put(cart=[1]))
    site.visit(change)
    assert payload(site.value)["cart"] == [1, 2]


def test_json_is_written_as_django_writes_it() -> None:
    serializer: Any = conf.SharedJSON()
    for data in ({"a": [1, 2.5, None, True], "b": {"c": "Zo\u00eb \U0001f36a"}}, {"n": float("nan")}, {1: 2}):
        assert serializer.dumps(data) == super(conf.SharedJSON, serializer).dumps(data)
    with pytest.raises(TypeError):
        serializer.dumps({"when": object()})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)
CONTAINERS = st.lists(JSON, max_size=3) | st.dictionaries(st.sampled_from("ab"), JSON, max_size=2)


@given(st.dictionaries(st.sampled_from(["a", "b", '"a":', "\u00e9"]), CONTAINERS, min_size=1), CONTAINERS)
def test_a_value_that_is_found_unchanged_at_a_glance_is_unchanged(data: dict[str, Any], other: Any) -> None:
    serializer: Any = conf.SharedJSON()
    payload = serializer.dumps(data)
    for key, value in data.items():
        if serializer.has_member(payload, key, other):
            assert serializer.dumps(other) == serializer.dumps(value)
    assert serializer.has_member(serializer.dumps({"cart": other}), "cart", other)
