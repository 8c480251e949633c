"""What Django builds on sessions: signing in and out, messages, CSRF tokens; in both ways of life."""

from __future__ import annotations

from typing import Any, Final

import pytest
from django.contrib import auth, messages
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token

from iron_wsgi import unseal_data
from iron_wsgi.testing import FakeClock

from .django_site import NAME, OURS, STOCK, Site, names
from .visitor import PASSWORD, payload, sealed

pytestmark = pytest.mark.django_db

AUTH: Final = "django.contrib.auth.middleware.AuthenticationMiddleware"
CSRF: Final = "django.middleware.csrf.CsrfViewMiddleware"
MESSAGES: Final = "django.contrib.messages.middleware.MessageMiddleware"
SECRET: Final = "correct horse battery staple"


@pytest.fixture(params=[OURS, STOCK], ids=["ours", "stock"])
def site(request: pytest.FixtureRequest, clock: FakeClock) -> Site:
    return Site(
        clock,
        MIDDLEWARE=[request.param, CSRF, AUTH, MESSAGES],
        CSRF_USE_SESSIONS=True,
        MESSAGE_STORAGE="django.contrib.messages.storage.session.SessionStorage",
    )


@pytest.fixture
def ada() -> Any:
    return auth.get_user_model().objects.create_user("ada", password=SECRET)


def sid_of(site: Site) -> str | None:
    found: list[str] = []
    site.visit(lambda request: found.append(request.session.sid))
    return found[0]


def who(site: Site) -> str:
    return str(site.visit(lambda request: HttpResponse(request.user.get_username())).content.decode())


def sign_in(user: Any) -> Any:
    return lambda request: auth.login(request, user, "django.contrib.auth.backends.ModelBackend")


def test_signing_in_gives_another_session_that_knows_the_user_and_what_was_there(
    site: Site, ada: Any
) -> None:
    site.visit(lambda request: request.session.update({"cart": [1]}))
    before = sid_of(site)
    site.visit(sign_in(ada))
    assert who(site) == "ada"
    assert site.finds()["cart"] == [1]
    assert sid_of(site) != before


def test_signing_out_leaves_nothing(site: Site, ada: Any) -> None:
    site.visit(sign_in(ada))
    assert site.value
    response = site.visit(auth.logout)
    assert names(response) == [(NAME, "deleted")]
    assert site.value == ""
    assert who(site) == ""


def test_signing_in_as_another_user_takes_nothing_along(site: Site, ada: Any) -> None:
    site.visit(sign_in(ada))
    site.visit(lambda request: request.session.update({"cart": [1]}))
    before = sid_of(site)
    site.visit(sign_in(auth.get_user_model().objects.create_user("bob")))
    assert who(site) == "bob"
    assert "cart" not in site.finds()
    assert sid_of(site) != before


def test_a_changed_password_signs_out_elsewhere_and_not_here(site: Site, ada: Any) -> None:
    site.visit(sign_in(ada))
    elsewhere = site.value

    def change(request: HttpRequest) -> None:
        request.user.set_password("another password")
        request.user.save()
        auth.update_session_auth_hash(request, request.user)

    before = sid_of(site)
    site.visit(change)
    assert who(site) == "ada"
    assert sid_of(site) != before
    site.keep(elsewhere)
    assert who(site) == ""


def test_a_login_under_a_fallback_of_the_secret_key_is_brought_up_to_date(site: Site, ada: Any) -> None:
    site.settings["SECRET_KEY"] = "the-older-secret-key"
    site.visit(sign_in(ada))
    before = site.finds()["_auth_user_hash"]
    site.settings |= {"SECRET_KEY": "the-newer-secret-key", "SECRET_KEY_FALLBACKS": ["the-older-secret-key"]}
    assert who(site) == "ada"
    site.settings["SECRET_KEY_FALLBACKS"] = []
    assert site.finds()["_auth_user_hash"] != before
    assert who(site) == "ada"


def test_a_changed_secret_key_signs_nobody_out_while_the_old_one_is_a_fallback(site: Site, ada: Any) -> None:
    del site.settings["IRON_SESSION"]["password"]
    site.settings["SECRET_KEY"] = "the-older-secret-key"
    site.visit(sign_in(ada))
    site.settings |= {"SECRET_KEY": "the-newer-secret-key", "SECRET_KEY_FALLBACKS": ["the-older-secret-key"]}
    assert who(site) == "ada"
    site.settings["SECRET_KEY_FALLBACKS"] = []
    assert who(site) == "ada"  # it was sealed anew


def test_a_server_that_does_not_know_the_new_secret_key_yet_signs_nobody_out(site: Site, ada: Any) -> None:
    del site.settings["IRON_SESSION"]["password"]
    site.settings["SECRET_KEY"] = "the-newer-secret-key"
    site.visit(sign_in(ada))
    site.settings["SECRET_KEY"] = "the-older-secret-key"
    assert who(site) == ""
    site.settings["SECRET_KEY"] = "the-newer-secret-key"
    assert who(site) == "ada"


def test_a_message_is_shown_once(site: Site) -> None:
    site.visit(lambda request: messages.success(request, "Saved"))

    def show(request: HttpRequest) -> HttpResponse:
        return HttpResponse(", ".join(map(str, messages.get_messages(request))))

    assert site.visit(show).content == b"Saved"
    assert site.visit(show).content == b""


def test_a_csrf_token_lives_in_the_session(site: Site) -> None:
    token = site.visit(lambda request: HttpResponse(get_token(request))).content.decode()
    assert "_csrftoken" in site.finds()
    site.client.handler.enforce_csrf_checks = True
    with site.holds():
        assert site.client.post("/").status_code == 403
        assert site.client.post("/", headers={"x-csrftoken": token}).status_code == 200


def test_a_login_made_by_iron_session_signs_in_here_and_ours_is_read_there(site: Site, ada: Any) -> None:
    login = {
        "_auth_user_id": str(ada.pk),
        "_auth_user_backend": "django.contrib.auth.backends.ModelBackend",
        "_auth_user_hash": ada.get_session_auth_hash(),
    }
    site.keep(sealed({**login, "name": "Zo\u00eb"}))
    assert who(site) == "ada"
    site.visit(lambda request: request.session.update({"seen": True}))
    found = unseal_data(site.value, password=PASSWORD, clock=site.settings["IRON_SESSION"]["clock"])
    assert {**login, "name": "Zo\u00eb", "seen": True}.items() <= found.items()
    assert payload(site.value)["name"] == "Zo\u00eb"
