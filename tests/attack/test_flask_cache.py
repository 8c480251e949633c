"""T-CACHE for Flask: no shared cache gives one visitor's response, or cookie, to another."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest
from flask import Response, flash, get_flashed_messages, render_template_string, stream_with_context
from flask.sessions import SecureCookieSessionInterface

from iron_wsgi import HeadersAlreadySent
from iron_wsgi.sessions.events import notices
from iron_wsgi.testing import FakeClock
from iron_wsgi_flask import FlaskSession, IronSessionInterface, session
from tests.unit.flask_site import ERRORS, Site, Use, look_away

from .seals import NEW, OLD, TTL, forged
from .test_cache import ENDS, NO_READS, READS, WRITES

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

pytestmark = pytest.mark.slow("over a thousand requests, each of another kind")

PLAIN: Final = {"user": 1, "cart": [1]}
COMINGS: Final[dict[str, str]] = {
    "no cookie": "theme=dark",
    "a session": f"session={forged(PLAIN)}",
    "a permanent one": f"session={forged({**PLAIN, '_permanent': True})}",
    "an expired one": f"session={forged(PLAIN, expiration='1000')}",
    "junk": "session=junk",
    "one of a newer server": f"session={forged(PLAIN, NEW, password_id='2')}",
}
OPENS: Final = ("a session", "a permanent one")
BAD: Final = ("an expired one", "junk")

# What Flask adds to what every session can do.
FLASK_READS: Final[dict[str, Use]] = {
    "permanent": lambda current: current.permanent,
    "new": lambda current: current.new,
    "messages": lambda _: get_flashed_messages(),
    "a template": lambda _: render_template_string("{{ session.user }}"),
    "a template that asks": lambda _: render_template_string("{% if session %}in{% endif %}"),
    "cookie_expires": lambda current: current.cookie_expires,
    # The language does not take a proxy for a mapping.
    "match": lambda current: READS["match"](current._get_current_object()),  # type: ignore[attr-defined]
}
UNTOUCHED: Final[dict[str, Use]] = {
    "nothing": look_away,
    "the proxy, not used": lambda _: session is None,
    "a template without it": lambda _: render_template_string("ok"),
}
MENTIONS: Final = {form: use for form, use in NO_READS.items() if form != "nothing"}
"""What looks at the session and reads nothing; whether that is an access is for Flask to say."""
FLASK_WRITES: Final[dict[str, Use]] = {
    "flash()": lambda _: flash("hello"),
    "permanent = True": lambda current: setattr(current, "permanent", True),
    "permanent = False": lambda current: setattr(current, "permanent", False),
    "popped and put back": lambda current: current.__setitem__("user", current.pop("user", 1)),
}
# Without data these have nothing to write.
NEED_DATA: Final = frozenset(
    {"del", "unset", "pop", "popitem", "nested", "touch", "modified = True", "regenerate", "set_expiry"}
)

ALL_READS: Final[dict[str, Use]] = {**READS, **FLASK_READS}
ALL_WRITES: Final[dict[str, Use]] = {**WRITES, **FLASK_WRITES}

# A session that was saved before it ended has a cookie to delete, whatever came.
ENDS_OF_ANY: Final = {
    "no cookie": ("save and destroy",),
    "one of a newer server": ("save and destroy", "destroy"),
}

# What the application says of caches, and what is left of it where a session's cookie goes out.
CONTROLS: Final[dict[str | None, str]] = {
    None: "private, no-store",
    "public, max-age=60": "max-age=60, private",
    "s-maxage=600": "private",
    "max-age=60": "max-age=60, private",
    "private, max-age=60": "private, max-age=60",
    "no-store": "no-store",
}


@cache
def site(*, refresh: bool = False, **options: Any) -> Site:
    return Site(
        IronSessionInterface(OLD, **{"clock": FakeClock(), **options}),
        SESSION_REFRESH_EACH_REQUEST=refresh,
        PERMANENT_SESSION_LIFETIME=TTL,
    )


def under(control: str | None, use: Use, *, status: int = 200) -> Use:
    """Return a view that uses the session, sets a cookie of its own, and says *control* of caches."""

    def view(current: FlaskSession) -> Response:
        use(current)
        response = Response("ok", status)
        response.headers["X-Before"] = "1"
        if control is not None:
            response.headers["Cache-Control"] = control
        response.headers.add("Set-Cookie", 'theme="dark"; Path=/')
        response.headers.add("x-after", "\u00e9")
        return response

    return view


def own(control: str | None) -> list[tuple[str, str]]:
    """The application's headers, as `under` makes them."""
    said = [] if control is None else [("Cache-Control", control)]
    return [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", "2"),
        ("X-Before", "1"),
        *said,
        ("Set-Cookie", 'theme="dark"; Path=/'),
        ("x-after", "\u00e9"),
    ]


def check(response: TestResponse, control: str | None, *, goes_out: str, varies: bool = True) -> None:
    """Check all headers of a response of `under`: nothing but what is due was added, and at the end."""
    headers = response.headers.to_wsgi_list()
    expected = own(control)
    if varies:
        expected.append(("Vary", "Cookie"))
    if goes_out:
        name, line = headers.pop()
        assert name == "Set-Cookie"
        assert line.startswith("session=")
        assert ("Max-Age=0" in line) is (goes_out == "deletion")
        if control is None:
            expected.append(("Cache-Control", CONTROLS[None]))
        expected = [
            (name, CONTROLS[control] if name == "Cache-Control" else value) for name, value in expected
        ]
    assert headers == expected


def renewed(coming: str, *, refresh: bool) -> str:
    """What goes out for a session that was not changed."""
    return "cookie" if refresh and coming == "a permanent one" else ""


each_coming = pytest.mark.parametrize("coming", COMINGS)
each_writing = pytest.mark.parametrize(
    ("form", "coming"),
    [
        (form, coming)
        for coming in (*OPENS, "no cookie", "junk")
        for form in ALL_WRITES
        if coming in OPENS or form not in NEED_DATA
    ],
)
each_refresh = pytest.mark.parametrize("refresh", [False, True], ids=["", "refresh"])


@each_refresh
@each_coming
@pytest.mark.parametrize("form", UNTOUCHED)
def test_an_untouched_response_is_byte_identical_unless_flask_renews_permanent_sessions(
    form: str, coming: str, *, refresh: bool
) -> None:
    goes_out = renewed(coming, refresh=refresh)
    for control in CONTROLS:
        response = site(refresh=refresh).send(COMINGS[coming], under(control, UNTOUCHED[form]))
        check(response, control, goes_out=goes_out, varies=bool(goes_out))


@each_refresh
@each_coming
@pytest.mark.parametrize("form", MENTIONS)
def test_looking_at_the_session_opens_nothing_and_varies_as_flask_says(
    form: str, coming: str, *, refresh: bool
) -> None:
    flasks_own = Site(SecureCookieSessionInterface(), SECRET_KEY="any")
    varies = "Vary" in flasks_own.visit(repr).headers
    response = site(refresh=refresh).send(COMINGS[coming], under(None, MENTIONS[form]))
    goes_out = renewed(coming, refresh=refresh)
    if coming in BAD and varies and refresh:  # then it had to be opened, and Flask says that it was looked at
        goes_out = "deletion"
    check(response, None, goes_out=goes_out, varies=varies or bool(goes_out))


@each_refresh
@each_coming
@pytest.mark.parametrize("form", ALL_READS)
def test_every_form_of_reading_varies(form: str, coming: str, *, refresh: bool) -> None:
    goes_out = "deletion" if coming in BAD else renewed(coming, refresh=refresh)
    for control in CONTROLS:
        response = site(refresh=refresh).send(COMINGS[coming], under(control, ALL_READS[form]))
        check(response, control, goes_out=goes_out)


@each_refresh
@each_writing
def test_every_form_of_writing_varies_and_is_private(form: str, coming: str, *, refresh: bool) -> None:
    for control in CONTROLS:
        response = site(refresh=refresh).send(COMINGS[coming], under(control, ALL_WRITES[form]))
        check(response, control, goes_out="cookie")


@each_refresh
@each_coming
@pytest.mark.parametrize("form", ENDS)
def test_every_end_varies_and_is_private(form: str, coming: str, *, refresh: bool) -> None:
    is_there = coming in (*OPENS, *BAD) or form in ENDS_OF_ANY.get(coming, ())
    for control in CONTROLS:
        response = site(refresh=refresh).send(COMINGS[coming], under(control, ENDS[form]))
        check(response, control, goes_out="deletion" if is_there else "")


@pytest.mark.parametrize("form", ALL_READS)
@pytest.mark.parametrize("why", ["refresh_after", "an older password"])
def test_a_renewal_by_mere_reading_varies_and_is_private(form: str, why: str) -> None:
    place = due(why)
    for control in CONTROLS:
        response = place.send(COMINGS["a session"], under(control, ALL_READS[form]))
        check(response, control, goes_out="cookie")
        untouched = place.send(COMINGS["a session"], under(control, look_away))
        check(untouched, control, goes_out="", varies=False)


@cache
def due(why: str) -> Site:
    """A site at which reading renews, a minute later."""
    options: dict[str, Any] = {
        "refresh_after": {"refresh_after": 60},
        "an older password": {"password": {1: OLD, 2: NEW}},
    }[why]
    clock = FakeClock()
    clock.advance(61)
    interface = IronSessionInterface(**{"password": OLD, "clock": clock, **options})
    return Site(interface, SESSION_REFRESH_EACH_REQUEST=False, PERMANENT_SESSION_LIFETIME=TTL)


@pytest.mark.parametrize("coming", OPENS)
@pytest.mark.parametrize("form", [*UNTOUCHED, *ALL_READS])
def test_a_304_is_never_renewed(form: str, coming: str) -> None:
    use = {**UNTOUCHED, **ALL_READS}[form]
    for place in (site(refresh=True), due("refresh_after"), due("an older password")):
        for control in CONTROLS:
            response = place.send(COMINGS[coming], under(control, use, status=304))
            entity = ("Content-Type", "Content-Length")  # which a 304 has not
            expected = [line for line in own(control) if line[0] not in entity]
            if form in ALL_READS:
                expected.append(("Vary", "Cookie"))
            assert [line for line in response.headers.to_wsgi_list() if line[0] not in entity] == expected


@pytest.mark.parametrize("given", ["*", "cookie", "Accept, COOKIE", "Accept-Encoding"])
def test_an_existing_vary_is_extended_or_left_alone(given: str) -> None:
    def view(current: FlaskSession) -> Response:
        len(current)
        return Response("ok", headers={"Vary": given})

    vary = site().send(COMINGS["a session"], view).headers.getlist("Vary")
    assert vary == ([f"{given}, Cookie"] if given == "Accept-Encoding" else [given])


def streamed(use: Use, *, when: str) -> Use:
    """Return a view whose streamed body has two chunks, and which uses the session at some time."""

    def view(current: FlaskSession) -> Response:
        def body() -> Iterator[str]:
            if when == "in the first chunk":
                use(current)
            yield "one"
            if when == "in the second chunk":
                use(current)
            yield "two"

        if when == "in the view":
            use(current)
        return Response(stream_with_context(body()))

    return view


@each_refresh
@pytest.mark.parametrize("coming", COMINGS)
@pytest.mark.parametrize("form", [*ALL_READS, *ENDS])
def test_what_a_view_reads_or_ends_before_it_streams_counts_as_anywhere(
    form: str, coming: str, *, refresh: bool
) -> None:
    check_streamed({**ALL_READS, **ENDS}[form], coming, refresh=refresh)


@each_refresh
@each_writing
def test_what_a_view_writes_before_it_streams_counts_as_anywhere(
    form: str, coming: str, *, refresh: bool
) -> None:
    check_streamed(ALL_WRITES[form], coming, refresh=refresh)


def check_streamed(use: Use, coming: str, *, refresh: bool) -> None:
    place = site(refresh=refresh)
    plain = place.send(COMINGS[coming], use)
    response = place.send(COMINGS[coming], streamed(use, when="in the view"))
    assert response.text == "onetwo"
    for name in ("Vary", "Cache-Control"):
        assert response.headers.getlist(name) == plain.headers.getlist(name)
    assert len(response.headers.getlist("Set-Cookie")) == len(plain.headers.getlist("Set-Cookie"))


LATE_READS: Final = [form for form in ALL_READS if form not in ("messages", "pop of nothing")]


@pytest.mark.parametrize("when", ["in the first chunk", "in the second chunk"])
@pytest.mark.parametrize("form", LATE_READS)
def test_a_first_reading_in_a_streamed_body_is_named_in_the_log(
    form: str, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    notices.forget()
    response = site().send(COMINGS["a session"], streamed(ALL_READS[form], when=when))
    assert response.text == "onetwo"
    assert response.headers.to_wsgi_list() == [("Content-Type", "text/html; charset=utf-8")]
    assert "it was first read after the response's headers had gone out" in caplog.text


# A renewal that comes too late changes nothing, so "touch" is not among them.
@pytest.mark.parametrize("form", [*(form for form in ALL_WRITES if form != "touch"), *ENDS])
def test_a_change_in_a_streamed_body_is_refused_or_named_in_the_log(
    form: str, caplog: pytest.LogCaptureFixture
) -> None:
    notices.forget()
    failures: list[str] = []
    use = {**ALL_WRITES, **ENDS}[form]

    def carefully(current: FlaskSession) -> None:
        try:
            use(current)
        except HeadersAlreadySent as error:
            failures.append(str(error))

    response = site().send(COMINGS["a session"], streamed(carefully, when="in the second chunk"))
    assert response.text == "onetwo"
    assert "Set-Cookie" not in response.headers
    is_refused = form in ("save", "destroy", "save and destroy")
    assert len(failures) == is_refused
    assert ("it was changed after the response's headers had gone out" in caplog.text) is not is_refused


@pytest.mark.parametrize("form", ["[]", "nested", "[]="])
def test_a_session_that_was_read_in_the_view_varies_and_stays_readable_in_the_body(form: str) -> None:
    def both(current: FlaskSession) -> Response:
        {**ALL_READS, **ALL_WRITES}[form](current)
        return Response(stream_with_context(str(current["user"]) for _ in range(2)))

    response = site().send(COMINGS["a session"], both)
    assert response.text == "11"
    assert response.headers.getlist("Vary") == ["Cookie"]
    assert len(response.headers.getlist("Set-Cookie")) == (form != "[]")


@each_refresh
def test_a_message_makes_both_its_responses_private(*, refresh: bool) -> None:
    place = site(refresh=refresh)
    for use in (lambda _: flash("hello"), lambda _: str(get_flashed_messages())):
        response = place.visit(under("public, max-age=60", use))
        check(response, "public, max-age=60", goes_out="deletion" if not place.value else "cookie")


def test_a_response_made_private_against_its_word_is_named_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site().send(COMINGS["a session"], under("public, max-age=60", look_away))
    assert caplog.text == ""
    site().send(COMINGS["a session"], under("public, max-age=60", ALL_WRITES["[]="]))
    assert "it was made private" in caplog.text
    assert "Fe26" not in caplog.text


def test_an_error_page_of_a_visitor_varies() -> None:
    place = site()
    place.app.config.update(ERRORS)

    def fail(current: FlaskSession) -> None:
        current["user"] = current["user"] / 0

    response = place.send(COMINGS["a session"], fail)
    assert response.status_code == 500
    assert response.headers.getlist("Vary") == ["Cookie"]
