"""A secret key is replaced: nobody is signed out whose key is still listed, on any server, at any moment."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any, Final

import pytest
from django.contrib import auth
from django.http import HttpRequest, HttpResponse

from iron_wsgi.testing import FakeClock

from .django_site import NAME, OURS, STOCK, Site, look_away

pytestmark = pytest.mark.django_db

K1: Final = "first-key-7Qm2Xv9Lk4Rt8Zn3Wb6Yc1Hs5Jd0Fg"
K2: Final = "second-key-4Ht8Nw1Pz6Cx3Vb9Mq5Ls2Kd7Jf0Gr"
K3: Final = "third-key-9Bv5Xc2Zl7Kj4Hg1Fd8Sa3Po6Iu0Yt"
AUTH: Final = "django.contrib.auth.middleware.AuthenticationMiddleware"

STEPS: Final[list[tuple[str, list[str]]]] = [(K1, []), (K2, [K1]), (K2, []), (K3, [K2])]
"""SECRET_KEY and SECRET_KEY_FALLBACKS, as a site changes them."""


@pytest.fixture(params=[(OURS, False), (OURS, True), (STOCK, False)], ids=["ours", "ours by ASGI", "stock"])
def new_site(request: pytest.FixtureRequest) -> Callable[[], Site]:
    """What gives a browser at a site that seals under its secret keys; all at one time."""
    middleware, is_async = request.param
    clock = FakeClock()

    def make() -> Site:
        site = Site(clock, is_async=is_async, MIDDLEWARE=[middleware, AUTH])
        del site.settings["IRON_SESSION"]["password"]
        return site

    return make


def under(site: Site, key: str, fallbacks: list[str]) -> Site:
    """The same browser at a server with these keys."""
    site.settings |= {"SECRET_KEY": key, "SECRET_KEY_FALLBACKS": fallbacks}
    return site


def user(name: str) -> Any:
    return auth.get_user_model().objects.create_user(name, password="any")


def sign_in(site: Site, someone: Any) -> None:
    backend = "django.contrib.auth.backends.ModelBackend"
    site.visit(lambda request: auth.login(request, someone, backend))
    assert who(site) == someone.get_username()


def who(site: Site) -> str:
    return str(site.visit(lambda request: HttpResponse(request.user.get_username())).content.decode())


def test_who_comes_at_every_step_stays_signed_in(new_site: Callable[[], Site]) -> None:
    site = under(new_site(), *STEPS[0])
    sign_in(site, user("ada"))
    ids = set()
    for step in STEPS:
        under(site, *step)
        assert who(site) == "ada"
        held = site.value
        assert who(site) == "ada"
        assert site.value == held  # renewed once
        ids.add(held.split("*")[1])
    assert len(ids) == 3  # keys that sealed it, by turns


def test_who_comes_only_while_the_key_is_listed_is_signed_in_and_afterwards_not(
    new_site: Callable[[], Site],
) -> None:
    for signed_in, (first, _) in enumerate(STEPS):
        for came, (key, fallbacks) in enumerate(STEPS):
            site = under(new_site(), *STEPS[signed_in])
            name = f"user-{signed_in}-{came}"
            sign_in(site, user(name))
            under(site, key, fallbacks)
            assert who(site) == (name if first in (key, *fallbacks) else "")


def test_the_order_of_the_old_keys_does_not_matter(new_site: Callable[[], Site]) -> None:
    for number, (key, *fallbacks) in enumerate(permutations([K1, K2, K3])):
        for old in (K1, K2, K3):
            site = under(new_site(), old, [])
            name = f"user-{number}-{old[:5]}"
            sign_in(site, user(name))
            assert who(under(site, key, fallbacks)) == name
            assert who(under(site, key, [])) == name  # sealed anew by its visit


USES: Final[dict[str, Callable[[HttpRequest], object]]] = {
    "looks away": look_away,
    "asks who it is": lambda request: request.user.is_authenticated,
    "reads": lambda request: request.session.get("cart"),
    "asks for the key": lambda request: request.session.session_key,
    "asks for the id": lambda request: request.session.sid,
    "saves nothing": lambda request: request.session.save(),
    "fails": lambda _: HttpResponse(status=500),
}


@pytest.mark.parametrize("saves_all", [False, True], ids=["", "saves all"])
@pytest.mark.parametrize("use", USES)
def test_a_server_behind_leaves_the_cookie_to_those_who_know_the_key(
    use: str, new_site: Callable[[], Site], *, saves_all: bool
) -> None:
    site = under(new_site(), K2, [K1])
    site.settings["SESSION_SAVE_EVERY_REQUEST"] = saves_all
    sign_in(site, user("ada"))
    held = site.value
    under(site, K1, [])
    site.visit(USES[use])
    assert site.value == held
    assert NAME in site.client.cookies
    assert who(under(site, K2, [K1])) == "ada"


def test_while_servers_are_replaced_a_visitor_may_come_to_either(new_site: Callable[[], Site]) -> None:
    # Those who are replaced learn the next key first, as an old one; only then does anybody seal with it.
    site = under(new_site(), K1, [])
    sign_in(site, user("ada"))
    for before, after in [((K1, []), (K1, [K2])), ((K1, [K2]), (K2, [K1])), ((K2, [K1]), (K2, []))]:
        for server in (before, after, before, after, after, before, after):
            assert who(under(site, *server)) == "ada"
