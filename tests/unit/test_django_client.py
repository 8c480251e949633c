"""The test client: what is saved into its session is what the site's next request finds."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, Final

import pytest
from django.test import AsyncClient as DjangoAsyncClient
from django.test import Client as DjangoClient
from django.test import override_settings
from django.test.client import ClientMixin

from iron_wsgi import CookieTooLarge, unseal_data
from iron_wsgi.testing import FakeClock
from iron_wsgi_django.backend import SessionStore as OurStore
from iron_wsgi_django.test import AsyncClient, Client, SessionClientMixin

from .django_project import AUTH, OURS, STOCK, set_up

set_up()

PASSWORD: Final = "client-Kw3Zp8Tn5-bVx2QrL7cMj9YhGs4Fd6U0"
ENGINE: Final = "iron_wsgi_django.backend"
NAME: Final = "sessionid"


class SessionStore(OurStore):
    """A site's own, derived from ours; this module is its SESSION_ENGINE."""

    def count(self) -> int:
        return len(self.keys())


@pytest.fixture(params=[OURS, STOCK], ids=["ours", "stock"])
def middleware(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[str]:
    """Both ways of life: our middleware, and Django's own."""
    chosen: str = request.param
    with override_settings(
        MIDDLEWARE=[chosen, AUTH],
        SESSION_ENGINE=ENGINE,
        IRON_SESSION={"password": PASSWORD, "clock": clock},
    ):
        yield chosen


@pytest.fixture
def chunks(clock: FakeClock) -> Iterator[None]:
    """Our middleware, which may cut a session into several cookies."""
    with override_settings(
        MIDDLEWARE=[OURS, AUTH],
        SESSION_ENGINE=ENGINE,
        IRON_SESSION={"password": PASSWORD, "clock": clock, "overflow": "chunk"},
    ):
        yield


@pytest.fixture
def user(transactional_db: None, django_user_model: Any) -> Any:  # noqa: ARG001 - a table for users
    return django_user_model.objects.create_user("ada", password="of-ada")


@pytest.fixture
def other(transactional_db: None, django_user_model: Any) -> Any:  # noqa: ARG001 - the same
    return django_user_model.objects.create_user("bob", password="of-bob")


def seen(client: Any) -> Any:
    """What the site makes of the client's cookies."""
    return client.get("/").json()


async def aseen(client: Any) -> Any:
    return (await client.get("/")).json()


def put(client: Any, **values: Any) -> None:
    """What a test does to prepare a session."""
    session = client.session
    session.update(values)
    session.save()


async def aput(client: Any, **values: Any) -> None:
    session = await client.asession()
    await session.aupdate(values)
    await session.asave()


def run(visit: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(visit)


def cookie(client: Any, name: str = NAME) -> str:
    """The value of a cookie; empty if there is none."""
    morsel = client.cookies.get(name)
    return "" if morsel is None else str(morsel.value)


@pytest.mark.usefixtures("middleware")
def test_what_is_saved_reaches_the_site() -> None:
    client = Client()
    put(client, cart=[7])
    assert seen(client)["data"] == {"cart": [7]}
    put(client, cart=[7, 8])
    assert seen(client)["data"] == {"cart": [7, 8]}
    assert client.session["cart"] == [7, 8]


@pytest.mark.usefixtures("middleware")
def test_what_is_saved_asynchronously_reaches_the_site() -> None:
    async def visit() -> None:
        client = AsyncClient()
        await aput(client, cart=[7])
        assert (await aseen(client))["data"] == {"cart": [7]}
        await aput(client, more=True)
        assert (await aseen(client))["data"] == {"cart": [7], "more": True}
        assert await (await client.asession()).aget("cart") == [7]

    run(visit())


@pytest.mark.usefixtures("middleware")
def test_what_is_not_saved_does_not_reach_the_site() -> None:
    client = Client()
    client.session["cart"] = [7]
    assert seen(client)["data"] == {}


@pytest.mark.usefixtures("middleware")
def test_djangos_own_client_loses_what_is_saved() -> None:
    # Which is why there is one of ours.
    client = DjangoClient()
    put(client, cart=[7])
    assert seen(client)["data"] == {}


@pytest.mark.usefixtures("middleware")
def test_what_the_site_saves_is_in_the_clients_session() -> None:
    client = Client()
    client.post("/", {"key": "colour", "value": "blue"})
    assert dict(client.session.items()) == {"colour": "blue"}
    put(client, size=3)
    assert seen(client)["data"] == {"colour": "blue", "size": 3}


@pytest.mark.usefixtures("middleware")
def test_a_client_without_a_session_gets_one_that_is_saved() -> None:
    client = Client()
    session = client.session
    assert session.session_key
    assert unseal_data(cookie(client), password=PASSWORD).keys() <= {"_iron"}
    assert client.session.session_key == session.session_key


@pytest.mark.usefixtures("middleware")
def test_an_asynchronous_client_without_a_session_gets_one_that_is_saved() -> None:
    async def visit() -> None:
        client = AsyncClient()
        session = await client.asession()
        assert session.session_key
        assert (await client.asession()).session_key == session.session_key

    run(visit())


@pytest.mark.parametrize("end", ["flush", "delete"])
@pytest.mark.usefixtures("middleware")
def test_an_ended_session_leaves_no_cookie(end: str) -> None:
    client = Client()
    put(client, cart=[7])
    getattr(client.session, end)()
    assert NAME not in client.cookies
    assert seen(client)["data"] == {}


@pytest.mark.parametrize("end", ["aflush", "adelete"])
@pytest.mark.usefixtures("middleware")
def test_an_asynchronously_ended_session_leaves_no_cookie(end: str) -> None:
    async def visit() -> None:
        client = AsyncClient()
        await aput(client, cart=[7])
        await getattr(await client.asession(), end)()
        assert NAME not in client.cookies
        assert (await aseen(client))["data"] == {}

    run(visit())


@pytest.mark.usefixtures("middleware")
def test_a_flushed_session_can_be_filled_and_saved_again() -> None:
    client = Client()
    put(client, cart=[7])
    session = client.session
    session.flush()
    session["new"] = 1
    session.save()
    assert seen(client)["data"] == {"new": 1}


@pytest.mark.usefixtures("middleware")
def test_a_session_that_the_site_ended_is_gone_from_the_client() -> None:
    client = Client()
    put(client, cart=[7])
    client.delete("/")
    assert dict(client.session.items()) == {}


@pytest.mark.usefixtures("middleware")
def test_an_expired_session_is_empty_and_is_replaced_when_it_is_saved(clock: FakeClock) -> None:
    client = Client()
    put(client, cart=[7])
    clock.advance(15 * 24 * 3600)
    assert dict(client.session.items()) == {}
    put(client, new=1)
    assert seen(client)["data"] == {"new": 1}


@pytest.mark.usefixtures("middleware")
def test_a_cookie_that_is_no_session_is_replaced_when_it_is_saved() -> None:
    client = Client()
    client.cookies[NAME] = "no-session-at-all"
    put(client, new=1)
    assert seen(client)["data"] == {"new": 1}


@pytest.mark.usefixtures("middleware")
def test_what_does_not_fit_is_an_error_where_it_is_saved_and_the_old_cookie_stands() -> None:
    client = Client()
    put(client, cart=[7])
    before = cookie(client)
    with pytest.raises(CookieTooLarge):
        put(client, cart="x" * 5000)
    assert cookie(client) == before


def test_the_key_of_the_clients_session_is_the_key_that_views_see(middleware: str) -> None:
    client = Client()
    put(client, cart=[7])
    key = client.session.session_key
    assert client.get("/").headers["Session-Key"] == key
    if middleware == OURS:
        assert len(key) == 32
        put(client, cart=[8])
        assert client.session.session_key == key
    else:
        assert key == cookie(client)


def test_under_our_middleware_a_cookie_has_the_attributes_that_the_site_would_give_it() -> None:
    with override_settings(
        MIDDLEWARE=[OURS],
        SESSION_ENGINE=ENGINE,
        IRON_SESSION={"password": PASSWORD, "cookie_options": {"partitioned": True}},
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="None",
    ):
        client = Client()
        put(client, cart=[7])
        header = client.cookies[NAME].OutputString()
    for attribute in ("Secure", "HttpOnly", "SameSite=None", "Path=/", "Max-Age=1209600", "Partitioned"):
        assert f"; {attribute}" in header


@pytest.mark.usefixtures("chunks")
def test_a_large_session_is_in_several_cookies_and_comes_back_into_one() -> None:
    client = Client()
    put(client, cart="x" * 4000)
    assert NAME not in client.cookies
    assert {f"{NAME}.0", f"{NAME}.1"} <= client.cookies.keys()
    assert seen(client)["data"] == {"cart": "x" * 4000}
    assert client.session["cart"] == "x" * 4000

    put(client, cart="x")
    assert list(client.cookies) == [NAME]
    assert seen(client)["data"] == {"cart": "x"}


@pytest.mark.usefixtures("chunks")
def test_a_large_session_that_ends_leaves_no_chunk() -> None:
    client = Client()
    put(client, cart="x" * 4000)
    client.session.flush()
    assert not client.cookies


@pytest.mark.usefixtures("chunks")
def test_the_session_of_chunks_is_not_taken_for_a_missing_one(user: Any) -> None:
    client = Client()
    put(client, cart="x" * 4000)
    before = cookie(client, f"{NAME}.0")
    assert client.session["cart"] == "x" * 4000
    assert cookie(client, f"{NAME}.0") == before  # nothing was saved
    client.force_login(user)
    assert seen(client)["user"] == "ada"
    assert seen(client)["data"]["cart"] == "x" * 4000


# Signing in and out.


@pytest.mark.usefixtures("middleware")
def test_login_signs_in_who_has_the_password_and_nobody_else(user: Any) -> None:
    client = Client()
    assert not client.login(username="ada", password="of-bob")
    assert seen(client)["user"] == ""
    assert client.login(username="ada", password="of-ada")
    assert seen(client)["user"] == "ada"
    assert client.session["_auth_user_id"] == str(user.pk)


@pytest.mark.usefixtures("middleware")
def test_force_login_signs_in_and_keeps_what_the_visitor_had(user: Any) -> None:
    client = Client()
    put(client, cart=[7])
    before = client.session.session_key
    client.force_login(user)
    answer = seen(client)
    assert answer["user"] == "ada"
    assert answer["data"]["cart"] == [7]
    assert client.session.session_key != before


@pytest.mark.usefixtures("middleware")
def test_signing_in_as_somebody_else_keeps_nothing_of_the_first(user: Any, other: Any) -> None:
    client = Client()
    client.force_login(user)
    put(client, cart=[7])
    client.force_login(other)
    answer = seen(client)
    assert answer["user"] == "bob"
    assert "cart" not in answer["data"]


@pytest.mark.usefixtures("middleware")
def test_logout_signs_out_and_leaves_no_cookie(user: Any) -> None:
    client = Client()
    client.force_login(user)
    client.logout()
    assert not client.cookies
    assert seen(client) == {"data": {}, "user": ""}


@pytest.mark.usefixtures("middleware", "user")
def test_the_asynchronous_client_signs_in_and_out(other: Any) -> None:
    async def visit() -> None:
        client = AsyncClient()
        await aput(client, cart=[7])
        assert await client.alogin(username="ada", password="of-ada")
        answer = await aseen(client)
        assert (answer["user"], answer["data"]["cart"]) == ("ada", [7])
        await client.aforce_login(other)
        answer = await aseen(client)
        assert answer["user"] == "bob"
        assert "cart" not in answer["data"]
        await client.alogout()
        assert not client.cookies
        assert await aseen(client) == {"data": {}, "user": ""}

    run(visit())


@pytest.mark.usefixtures("middleware")
def test_a_session_can_be_changed_after_signing_in(user: Any) -> None:
    client = Client()
    client.force_login(user)
    put(client, cart=[7])
    answer = seen(client)
    assert (answer["user"], answer["data"]["cart"]) == ("ada", [7])


# In other people's clients.


class TheirClient(DjangoClient):
    """A client of a third party, which knows sign-ins of its own."""

    def logout(self) -> None:
        self.headers = {}
        if self.session:
            super().logout()


class Mixed(SessionClientMixin, TheirClient):
    """Theirs, with sessions of ours."""


@pytest.mark.usefixtures("middleware")
def test_a_third_partys_client_takes_the_mixin(user: Any) -> None:
    client = Mixed()
    put(client, cart=[7])
    client.force_login(user)
    assert seen(client)["user"] == "ada"
    assert seen(client)["data"]["cart"] == [7]
    client.logout()
    assert not client.cookies


@pytest.mark.usefixtures("middleware")
def test_djangos_own_clients_take_the_parts_of_the_mixin(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("session", "asession", "_set_login_cookies"):
        monkeypatch.setattr(ClientMixin, name, vars(SessionClientMixin)[name])
    client = DjangoClient()
    put(client, cart=[7])
    client.force_login(user)
    assert seen(client)["user"] == "ada"

    async def visit() -> None:
        client = DjangoAsyncClient()
        await aput(client, cart=[7])
        await client.aforce_login(user)
        assert (await aseen(client))["user"] == "ada"

    run(visit())
    with override_settings(
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies", MIDDLEWARE=[STOCK]
    ):
        assert type(DjangoClient().session).__module__ == "django.contrib.sessions.backends.signed_cookies"


@override_settings(SESSION_ENGINE="django.contrib.sessions.backends.file", MIDDLEWARE=[STOCK, AUTH])
def test_with_another_engine_the_client_is_djangos(tmp_path: Any, user: Any) -> None:
    with override_settings(SESSION_FILE_PATH=str(tmp_path)):
        client = Client()
        put(client, cart=[7])
        assert seen(client)["data"] == {"cart": [7]}
        client.force_login(user)
        assert seen(client)["user"] == "ada"
        assert len(cookie(client)) == 32

        async def visit() -> None:
            client = AsyncClient()
            await aput(client, cart=[8])
            assert (await aseen(client))["data"] == {"cart": [8]}
            assert type(await client.asession()) is type(Client().session)

        run(visit())
        assert type(client.session).__module__ == "django.contrib.sessions.backends.file"


@pytest.mark.usefixtures("middleware")
def test_a_store_derived_from_ours_is_what_the_client_gives() -> None:
    with override_settings(SESSION_ENGINE=__name__):
        client = Client()
        put(client, cart=[7])
        assert isinstance(client.session, SessionStore)
        assert client.session.count() == 1
        assert seen(client)["data"] == {"cart": [7]}
