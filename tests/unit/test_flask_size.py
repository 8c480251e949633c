from __future__ import annotations

from typing import Any, Final

import pytest
from flask import Flask, flash, request

from iron_wsgi import CookieTooLarge
from iron_wsgi.cookies.cookie import MAX_COOKIE
from iron_wsgi_flask import FlaskSession, IronSessionInterface, session

from .flask_site import ERRORS, Site, lines, put
from .visitor import PASSWORD

SCOPE: Final = {"SESSION_COOKIE_PATH": "/", "SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "Lax"}


def noise(size: int) -> str:
    return "x" * size


def names(response: Any) -> list[tuple[str, bool]]:
    """Each line's cookie, and whether it is set rather than deleted."""
    return [(text.partition("=")[0], "Max-Age=0" not in text) for text in lines(response)]


def permanent(size: int) -> Any:
    def use(current: FlaskSession) -> None:
        current["big"] = noise(size)
        current.permanent = True

    return use


@pytest.fixture
def place() -> Site:
    place = Site(**ERRORS, **SCOPE)
    place.visit(put(user=7))
    return place


def test_a_session_that_does_not_fit_is_a_500_and_the_old_cookie_stands(place: Site) -> None:
    held = place.value
    response = place.visit(put(big=noise(5000)))
    assert (response.status_code, lines(response)) == (500, [])
    assert place.value == held
    assert place.finds() == {"user": 7}
    assert place.visit(put(user=8)).status_code == 200
    assert place.finds() == {"user": 8}


def test_the_error_names_the_size_the_limit_and_the_largest_key(place: Site) -> None:
    place.app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(
        CookieTooLarge, match=r"would be \d+ octets, and 4096 is the limit.*'big' 5010"
    ) as failure:
        place.visit(put(big=noise(5000)))
    assert failure.value.largest[0] == ("big", 5010)
    assert "get_flashed_messages" not in str(failure.value)


def test_messages_that_no_page_shows_are_named_as_the_cause(place: Site) -> None:
    place.app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(CookieTooLarge, match=r"'_flashes'.*until a page calls get_flashed_messages\(\)"):
        place.visit(lambda _: [flash(noise(300)) for _ in range(20)])


def test_a_save_in_the_view_raises_where_it_can_be_caught(place: Site) -> None:
    def use(current: FlaskSession) -> str:
        current["big"] = noise(5000)
        try:
            current.save()
        except CookieTooLarge as error:
            del current[error.largest[0][0]]
            current["small"] = 1
            return "less"
        return "all"

    assert place.visit(use).text == "less"
    assert place.finds() == {"user": 7, "small": 1}


def test_a_caught_error_does_not_make_the_session_fit(place: Site) -> None:
    def use(current: FlaskSession) -> None:
        current["big"] = noise(5000)
        with pytest.raises(CookieTooLarge):
            current.save()

    assert place.visit(use).status_code == 500
    assert place.finds() == {"user": 7}


def test_an_error_handler_may_make_it_fit() -> None:
    place = Site()

    @place.app.errorhandler(CookieTooLarge)
    def shrink(_: CookieTooLarge) -> tuple[str, int]:
        del session["big"]
        session["note"] = "too much"
        return "too much", 413

    place.visit(put(user=7))
    response = place.visit(lambda current: (current.update(big=noise(5000)), current.save()))
    assert response.status_code == 413
    assert place.finds() == {"user": 7, "note": "too much"}


@pytest.mark.parametrize("use", [put, permanent], ids=["browser session", "permanent"])
def test_the_limit_is_that_of_the_whole_line(use: Any) -> None:
    place = Site(**SCOPE)
    make = (lambda size: put(big=noise(size))) if use is put else permanent
    largest = max(
        len(lines(place.send("", make(size)))[0])
        for size in range(2700, 2900, 8)
        if (response := _tried(place, make(size))) is not None and response
    )
    assert MAX_COOKIE - 32 < largest <= MAX_COOKIE


def _tried(place: Site, use: Any) -> list[str] | None:
    try:
        return lines(place.send("", use))
    except CookieTooLarge:
        return None


# Several cookies.


@pytest.fixture
def chunked() -> Site:
    return Site(IronSessionInterface(PASSWORD, overflow="chunk", max_chunks=3), **SCOPE)


def read(site: Site) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    site.visit(lambda current: found.append(dict(current)))
    return found[0]


@pytest.mark.parametrize("is_permanent", [False, True])
def test_a_large_session_goes_into_several_cookies_of_one_scope(chunked: Site, is_permanent: bool) -> None:  # noqa: FBT001
    use = permanent(6000) if is_permanent else put(big=noise(6000))
    response = chunked.visit(use)
    assert names(response) == [
        ("session.0", True),
        ("session.1", True),
        ("session.2", True),
        ("session", False),
    ]
    scopes = {text.partition("; ")[2] for text in lines(response)[:3]}
    assert len(scopes) == 1
    assert ("Expires=" in scopes.pop()) is is_permanent
    assert all(len(text) <= MAX_COOKIE for text in lines(response))
    assert read(chunked)["big"] == noise(6000)


def test_a_session_that_fits_again_deletes_its_chunks(chunked: Site) -> None:
    chunked.visit(put(big=noise(6000), user=7))
    response = chunked.visit(lambda current: current.pop("big"))
    assert names(response) == [
        ("session", True),
        ("session.0", False),
        ("session.1", False),
        ("session.2", False),
    ]
    for text in lines(response)[1:]:
        assert text.endswith("Secure; HttpOnly; Path=/; SameSite=Lax")
    assert read(chunked) == {"user": 7}


@pytest.mark.parametrize("how", ["destroy", "clear"])
def test_the_end_of_a_large_session_deletes_every_chunk(chunked: Site, how: str) -> None:
    chunked.visit(put(big=noise(6000)))
    response = chunked.visit(lambda current: getattr(current, how)())
    assert names(response) == [("session.0", False), ("session.1", False), ("session.2", False)]
    assert read(chunked) == {}


def test_chunks_are_renewed_together_on_an_untouched_request(chunked: Site) -> None:
    chunked.visit(permanent(6000))
    response = chunked.visit()
    assert names(response) == [
        ("session.0", True),
        ("session.1", True),
        ("session.2", True),
        ("session", False),
    ]


def test_more_chunks_than_allowed_are_an_error(chunked: Site) -> None:
    with pytest.raises(CookieTooLarge, match="max_chunks is 3"):
        chunked.visit(put(big=noise(20_000)))


def test_a_missing_chunk_is_an_anonymous_visitor_and_all_are_deleted(chunked: Site) -> None:
    chunked.visit(put(big=noise(6000)))
    chunked.client.delete_cookie("session.1")
    response = chunked.visit(lambda current: str(dict(current)))
    assert response.text == "{}"
    assert names(response) == [("session.0", False), ("session.2", False)]


def test_the_names_of_chunks_follow_a_name_chosen_by_request() -> None:
    def name(_self: IronSessionInterface, _app: Flask) -> str:
        return "s" + request.path.replace("/", "_")

    kind = type("ByPath", (IronSessionInterface,), {"get_cookie_name": name})
    place = Site(kind(PASSWORD, overflow="chunk"))
    place.visit(put(big=noise(4000)), path="/shop")
    assert place.client.get_cookie("s_shop.0") is not None
    assert place.visit(lambda current: str(len(current)), path="/shop").text == "1"
    assert place.visit(lambda current: str(len(current)), path="/other").text == "0"
