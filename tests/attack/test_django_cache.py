"""T-CACHE for Django: no shared cache gives one visitor's response, or cookie, to another.

The matrices drive the middleware itself: ours by WSGI and by ASGI, and Django's own, which says nothing of
Cache-Control. Whole pages go through Django's caching middleware further below.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import aget_user, get_user
from django.contrib.messages.storage.session import SessionStorage
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.middleware import SessionMiddleware as DjangoMiddleware
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template import Context, Engine

from iron_wsgi import HeadersAlreadySent, unseal_data
from iron_wsgi.sessions.events import notices
from iron_wsgi.testing import FakeClock
from iron_wsgi_django.middleware import SessionMiddleware
from tests.unit.django_site import NAME, OURS, STOCK, Site, at_once

from .seals import NEW, OLD, TTL, forged

pytestmark = pytest.mark.slow("threads for every request by ASGI")

Use = Callable[[Any], Any]
"""What a view does with the request's session."""

DATA: Final = {"user": 1, "cart": [1]}
COMINGS: Final[dict[str, str]] = {
    "no cookie": "theme=dark",
    "a session": f"{NAME}={forged(DATA)}",
    "an expired one": f"{NAME}={forged(DATA, expiration='1000')}",
    "junk": f"{NAME}=junk-that-is-long-enough",
    "one of a newer server": f"{NAME}={forged(DATA, NEW, password_id='2')}",
}
BAD: Final = ("an expired one", "junk")

UNTOUCHED: Final[dict[str, Use]] = {
    "nothing": lambda _: None,
    "the session, not used": lambda session: session is None,
    "repr": repr,
    "accessed": lambda session: session.accessed,
    "modified": lambda session: session.modified,
    "type": lambda session: isinstance(session, SessionBase),
}
READS: Final[dict[str, Use]] = {
    "[]": lambda session: session["user"] if "user" in session else None,  # noqa: SIM401 - the form is the test
    "get": lambda session: session.get("user"),
    "get with default": lambda session: session.get("missing", 0),
    "in": lambda session: "user" in session,
    "not in": lambda session: "user" not in session,
    "has_key": lambda session: session.has_key("user"),
    "keys": lambda session: list(session.keys()),
    "values": lambda session: list(session.values()),
    "items": lambda session: list(session.items()),
    "dict": lambda session: dict(session.items()),
    "pop of nothing": lambda session: session.pop("missing", None),
    "test_cookie_worked": lambda session: session.test_cookie_worked(),
    "get_expiry_age": lambda session: session.get_expiry_age(),
    "get_expiry_date": lambda session: session.get_expiry_date(),
    "get_expire_at_browser_close": lambda session: session.get_expire_at_browser_close(),
    "get_user": lambda session: get_user(request_of(session)),
    "messages": lambda session: list(SessionStorage(request_of(session))),
    "a template": lambda session: render("{{ session.user }}", session),
    "a template that asks": lambda session: render("{% if session.user %}in{% endif %}", session),
}
# Where the key is the cookie, Django's own middleware does not count these as uses, and nothing here can.
READS_OF_OURS: Final[dict[str, Use]] = {
    "session_key": lambda session: session.session_key,
    "is_empty": lambda session: session.is_empty(),
    "sid": lambda session: session.sid,
    "a template with the key": lambda session: render("{{ session.session_key }}", session),
}
if hasattr(SessionBase, "__bool__"):  # since Django 6.1; before, every session is true
    READS_OF_OURS["bool"] = bool
ASYNC_READS: Final[dict[str, Use]] = {
    "aget": lambda session: session.aget("user"),
    "ahas_key": lambda session: session.ahas_key("user"),
    "akeys": lambda session: session.akeys(),
    "avalues": lambda session: session.avalues(),
    "aitems": lambda session: session.aitems(),
    "apop of nothing": lambda session: session.apop("missing", None),
    "atest_cookie_worked": lambda session: session.atest_cookie_worked(),
    "aget_expiry_age": lambda session: session.aget_expiry_age(),
    "aget_expiry_date": lambda session: session.aget_expiry_date(),
    "aget_expire_at_browser_close": lambda session: session.aget_expire_at_browser_close(),
    "aget_user": lambda session: aget_user(request_of(session)),
}
WRITES: Final[dict[str, Use]] = {
    "[]=": lambda session: session.__setitem__("a", 1),
    "update": lambda session: session.update({"a": 1}),
    "setdefault": lambda session: session.setdefault("a", 1),
    "set_test_cookie": lambda session: session.set_test_cookie(),
    "set_expiry": lambda session: session.set_expiry(60),
    "set_expiry(0)": lambda session: session.set_expiry(0),
    "save": lambda session: session.save(),
    "create": lambda session: session.create(),
    "written after flush": lambda session: (session.flush(), session.__setitem__("a", 1)),
}
# Without data these have nothing to write.
WRITES_OF_DATA: Final[dict[str, Use]] = {
    "del": lambda session: session.__delitem__("user"),
    "pop": lambda session: session.pop("user"),
    "popped and put back": lambda session: session.__setitem__("user", session.pop("user")),
    "modified = True": lambda session: setattr(session, "modified", True),
    "clear": lambda session: session.clear(),  # Django keeps a session that is empty
    "cycle_key": lambda session: session.cycle_key(),
}
NESTED: Final[dict[str, Use]] = {"nested": lambda session: session["cart"].append(2)}
ASYNC_WRITES: Final[dict[str, Use]] = {
    "aset": lambda session: session.aset("a", 1),
    "aupdate": lambda session: session.aupdate({"a": 1}),
    "asetdefault": lambda session: session.asetdefault("a", 1),
    "aset_test_cookie": lambda session: session.aset_test_cookie(),
    "aset_expiry": lambda session: session.aset_expiry(60),
    "asave": lambda session: session.asave(),
    "acreate": lambda session: session.acreate(),
}
ENDS: Final[dict[str, Use]] = {
    "flush": lambda session: session.flush(),
    "delete": lambda session: session.delete(),
    "save and flush": lambda session: (session.save(), session.flush()),
    "cycle_key and flush": lambda session: (session.cycle_key(), session.flush()),
}
ASYNC_ENDS: Final[dict[str, Use]] = {
    "aflush": lambda session: session.aflush(),
    "adelete": lambda session: session.adelete(),
}

# What the application says of caches, and what is left of it where our middleware sends a cookie.
CONTROLS: Final[dict[str | None, str]] = {
    None: "private, no-store",
    "public, max-age=60": "max-age=60, private",
    "s-maxage=600": "private",
    "max-age=60": "max-age=60, private",
    "private, max-age=60": "private, max-age=60",
    "no-store": "no-store",
}


def request_of(session: Any) -> HttpRequest:
    """A request that has this session."""
    request = HttpRequest()
    request.session = session
    return request


def render(template: str, session: Any) -> str:
    """What a template makes of the session."""
    text: str = Engine().from_string(template).render(Context({"session": session}))
    return text


class Visit:
    """Requests to one of the middlewares under settings.

    Attributes:
        way: ``"ours"``, ``"ours by ASGI"``, or ``"stock"``.
        saves_all: The setting SESSION_SAVE_EVERY_REQUEST.
    """

    def __init__(self, way: str, *, saves_all: bool = False, **settings: Any) -> None:
        self.way = way
        self.saves_all = saves_all
        clock = settings.pop("clock", None) or FakeClock()
        options = {"password": OLD, "serializer": "json", **settings.pop("IRON_SESSION", {})}
        self.site = Site(
            clock,
            middleware=STOCK if way == "stock" else OURS,
            IRON_SESSION=options,
            SESSION_SAVE_EVERY_REQUEST=saves_all,
            **{"SESSION_COOKIE_AGE": TTL, **settings},
        )

    def send(self, coming: str, view: Callable[[HttpRequest], Any]) -> HttpResponse:
        """Return what a request with these cookies is answered; within the settings."""
        request = self.site.request(coming)
        if self.way == "ours by ASGI":

            async def waits(request: HttpRequest) -> HttpResponse:
                response = view(request)
                return await response if inspect.isawaitable(response) else response

            return at_once(SessionMiddleware(waits)(request))
        if self.way == "stock by ASGI":

            async def answers(request: HttpRequest) -> HttpResponse:
                return view(request)

            return async_to_sync(DjangoMiddleware(answers))(request)
        middleware = DjangoMiddleware if self.way == "stock" else SessionMiddleware
        return middleware(view)(request)

    def expects(self, coming: str, *, used: bool) -> str:
        """What goes out for a session that was not changed."""
        if coming in BAD and (used or (self.saves_all and self.way != "stock")):
            return "deletion"
        # Under Django's own middleware the cookie of a newer server goes out again as it came.
        renewed = COMINGS if self.way == "stock" else ("a session",)
        return "cookie" if self.saves_all and coming in renewed and coming != "no cookie" else ""

    def check(
        self, response: HttpResponse, control: str | None, *, goes_out: str, varies: bool = True
    ) -> None:
        """Check all headers of a response of `under`: nothing but what is due was added, at the end."""
        expected = dict(own(control))
        if varies:
            expected["Vary"] = "Cookie"
        if goes_out and self.way.startswith("ours"):
            expected["Cache-Control"] = CONTROLS[control]
        assert dict(response.items()) == expected
        found = {name: morsel.OutputString() for name, morsel in response.cookies.items()}
        assert found.pop("theme") == "theme=dark; Path=/"
        assert list(found) == ([NAME] if goes_out else [])
        if goes_out:
            assert ("Max-Age=0" in found[NAME]) is (goes_out == "deletion")


def under(control: str | None, use: Use, *, status: int = 200) -> Callable[[HttpRequest], Any]:
    """Return a view that uses the session, sets a cookie of its own, and says *control* of caches."""

    def view(request: HttpRequest) -> Any:
        used = use(request.session)
        return wait(used) if inspect.isawaitable(used) else respond()

    async def wait(used: Any) -> HttpResponse:
        await used
        return respond()

    def respond() -> HttpResponse:
        response = HttpResponse("ok", status=status, headers=dict(own(control)))
        response.set_cookie("theme", "dark")
        return response

    return view


def own(control: str | None) -> list[tuple[str, str]]:
    """The application's headers, as `under` makes them."""
    said = [] if control is None else [("Cache-Control", control)]
    return [("Content-Type", "text/html; charset=utf-8"), ("X-Before", "1"), *said, ("x-after", "1")]


def check_all(visit: Visit, coming: str, use: Use, *, goes_out: str, varies: bool = True) -> None:
    """Check the response of a view that does this with the session, whatever it says of caches."""
    with visit.site.holds():
        for control in CONTROLS:
            response = visit.send(COMINGS[coming], under(control, use))
            visit.check(response, control, goes_out=goes_out, varies=varies)


@pytest.fixture(params=["ours", "ours by ASGI", "stock"])
def way(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


each_coming = pytest.mark.parametrize("coming", COMINGS)
each_saving = pytest.mark.parametrize("saves_all", [False, True], ids=["", "saves all"])


def forms(way: str, both: dict[str, Use], ours: dict[str, Use], waiting: dict[str, Use]) -> dict[str, Use]:
    """The forms of use that this way of life has."""
    if way == "stock":
        return both
    return {**both, **ours, **(waiting if way == "ours by ASGI" else {})}


# Nobody looks, one reads, one writes, one ends it.


@each_saving
@each_coming
def test_an_untouched_response_is_byte_identical_unless_every_request_saves(
    way: str, coming: str, *, saves_all: bool
) -> None:
    visit = Visit(way, saves_all=saves_all)
    goes_out = visit.expects(coming, used=False)
    for use in UNTOUCHED.values():
        check_all(visit, coming, use, goes_out=goes_out, varies=varies_unread(visit, coming))


def varies_unread(visit: Visit, coming: str) -> bool:
    """Whether the response to one who does not look depends on the cookie: it is renewed, or deleted.

    CVE-2026-35192: a renewal of a session that nobody read must vary too.
    """
    return visit.saves_all and coming != "no cookie"


@each_saving
@each_coming
def test_every_form_of_reading_varies(way: str, coming: str, *, saves_all: bool) -> None:
    visit = Visit(way, saves_all=saves_all)
    for use in forms(way, READS, READS_OF_OURS, ASYNC_READS).values():
        check_all(visit, coming, use, goes_out=visit.expects(coming, used=True))


@each_saving
@each_coming
def test_every_form_of_writing_varies_and_is_private(way: str, coming: str, *, saves_all: bool) -> None:
    visit = Visit(way, saves_all=saves_all)
    for form, use in forms(way, WRITES, {}, ASYNC_WRITES).items():
        # An empty save leaves the cookie of a newer server as it is.
        is_kept = coming == "one of a newer server" and form in ("save", "asave")
        goes_out = visit.expects(coming, used=True) if is_kept else "cookie"
        check_all(visit, coming, use, goes_out=goes_out)


@each_saving
def test_every_form_of_writing_what_is_there_varies_and_is_private(way: str, *, saves_all: bool) -> None:
    visit = Visit(way, saves_all=saves_all)
    for use in forms(way, WRITES_OF_DATA, NESTED, {}).values():
        check_all(visit, "a session", use, goes_out="cookie")


@each_saving
@each_coming
def test_every_end_varies_and_is_private(way: str, coming: str, *, saves_all: bool) -> None:
    visit = Visit(way, saves_all=saves_all)
    for form, use in forms(way, ENDS, {}, ASYNC_ENDS).items():
        is_nothing = (
            way == "stock" and form == "delete" and coming == "no cookie"
        )  # it looks at the key alone
        check_all(visit, coming, use, goes_out=deleted(visit, form, coming), varies=not is_nothing)


def deleted(visit: Visit, form: str, coming: str) -> str:
    """What goes out when a session ends: a deletion, where there is something to delete."""
    return "deletion" if coming != "no cookie" or ("save" in form and visit.way != "stock") else ""


# Renewals.


@pytest.mark.parametrize("why", ["refresh_after", "an older password"])
def test_a_renewal_by_mere_reading_varies_and_is_private(way: str, why: str) -> None:
    visit = due(way, why)
    for form, use in forms(way, READS, READS_OF_OURS, ASYNC_READS).items():
        # There Django's own pop() forgets what its first look at the session has marked; the next one renews.
        is_forgotten = way == "stock" and form == "pop of nothing"
        check_all(visit, "a session", use, goes_out="" if is_forgotten else "cookie")
    for use in UNTOUCHED.values():
        check_all(visit, "a session", use, goes_out="", varies=False)


def due(way: str, why: str) -> Visit:
    """A site at which reading renews, a minute later."""
    options: dict[str, Any] = {
        "refresh_after": {"refresh_after": 60},
        "an older password": {"password": {1: OLD, 2: NEW}},
    }[why]
    clock = FakeClock()
    clock.advance(61)
    return Visit(way, clock=clock, IRON_SESSION=options)


@pytest.mark.parametrize("why", ["refresh_after", "an older password"])
def test_a_304_is_never_renewed_by_reading(why: str) -> None:
    for way in ("ours", "ours by ASGI"):
        visit = due(way, why)
        with visit.site.holds():
            for use in forms(way, READS, READS_OF_OURS, ASYNC_READS).values():
                for control in CONTROLS:
                    response = visit.send(COMINGS["a session"], under(control, use, status=304))
                    visit.check(response, control, goes_out="")


@each_coming
@pytest.mark.parametrize("status", [500, 503])
def test_an_error_of_the_server_saves_nothing_and_varies(way: str, coming: str, status: int) -> None:
    visit = Visit(way)
    with visit.site.holds():
        for form, use in {**READS, **WRITES}.items():
            response = visit.send(COMINGS[coming], under("public, max-age=60", use, status=status))
            assert response["Vary"] == "Cookie"
            values = [morsel.value for name, morsel in response.cookies.items() if name != "theme"]
            if way == "stock":  # Django's own deletes what it found to be no session
                is_deleted = coming in BAD and form in READS
            else:  # what was ended has ended
                is_deleted = coming != "no cookie" and form == "written after flush"
            assert values == ([""] if is_deleted else [])


@pytest.mark.parametrize("given", ["*", "cookie", "Accept, COOKIE", "Accept-Encoding"])
def test_an_existing_vary_is_extended_or_left_alone(way: str, given: str) -> None:
    visit = Visit(way)
    for use in (READS["get"], WRITES["[]="]):
        with visit.site.holds():
            response = visit.send(COMINGS["a session"], lambda request, use=use: varied(request, use, given))
        assert response["Vary"] == (f"{given}, Cookie" if given == "Accept-Encoding" else given)


def varied(request: HttpRequest, use: Use, given: str) -> HttpResponse:
    use(request.session)
    return HttpResponse("ok", headers={"Vary": given})


def test_by_asgi_djangos_own_middleware_varies_as_by_wsgi() -> None:
    for saves_all in (False, True):
        by_wsgi = Visit("stock", saves_all=saves_all)
        by_asgi = Visit("stock by ASGI", saves_all=saves_all)
        for coming in COMINGS.values():
            for use in (UNTOUCHED["nothing"], READS["get"], WRITES["[]="], ENDS["flush"]):
                with by_wsgi.site.holds():
                    answers = [visit.send(coming, under(None, use)) for visit in (by_wsgi, by_asgi)]
                assert len({str(dict(answer.items())) for answer in answers}) == 1
                assert len({str(list(answer.cookies)) for answer in answers}) == 1


# Streamed bodies.


def streamed(use: Use, *, when: str) -> Callable[[HttpRequest], StreamingHttpResponse]:
    """Return a view whose streamed body has two chunks, and which uses the session at some time."""

    def view(request: HttpRequest) -> StreamingHttpResponse:
        def body() -> Iterator[str]:
            if when == "in the first chunk":
                use(request.session)
            yield "one"
            if when == "in the second chunk":
                use(request.session)
            yield "two"

        if when == "in the view":
            use(request.session)
        return StreamingHttpResponse(body())

    return view


@each_coming
def test_what_a_view_does_before_it_streams_counts_as_anywhere(way: str, coming: str) -> None:
    visit = Visit(way)
    writes = {**WRITES, **(WRITES_OF_DATA if coming == "a session" else {})}
    with visit.site.holds():
        for use in {**forms(way, READS, READS_OF_OURS, {}), **writes, **ENDS}.values():
            plain = visit.send(COMINGS[coming], under(None, use))
            response = visit.send(COMINGS[coming], streamed(use, when="in the view"))
            assert response.getvalue() == b"onetwo"
            for name in ("Vary", "Cache-Control"):
                assert response.get(name) == plain.get(name)
            assert sorted([*response.cookies, "theme"]) == sorted(plain.cookies)


@pytest.mark.parametrize("when", ["in the first chunk", "in the second chunk"])
def test_a_first_reading_in_a_streamed_body_is_named_in_the_log(
    when: str, caplog: pytest.LogCaptureFixture
) -> None:
    visit = Visit("ours")
    with visit.site.holds():
        for form, use in {**READS, **READS_OF_OURS}.items():
            notices.forget()
            caplog.clear()
            response = visit.send(COMINGS["a session"], streamed(use, when=when))
            assert response.getvalue() == b"onetwo"
            response.close()
            assert "Vary" not in response.headers
            assert "it was first read after the response's headers had gone out" in caplog.text, form


def test_a_change_in_a_streamed_body_is_refused_or_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    visit = Visit("ours")
    explicit = {"save", "create", *ENDS, "written after flush"}
    with visit.site.holds():
        for form, use in {**WRITES, **WRITES_OF_DATA, **NESTED, **ENDS}.items():
            notices.forget()
            caplog.clear()
            response = visit.send(COMINGS["a session"], streamed(use, when="in the second chunk"))
            if form in explicit:
                with pytest.raises(HeadersAlreadySent):
                    response.getvalue()
            else:
                assert response.getvalue() == b"onetwo"
                response.close()
                assert "it was changed after the response's headers had gone out" in caplog.text, form
            assert not response.cookies


# Django's caches of whole pages. What is answered is what a visitor sees: pages name whom they are for.


CACHES: Final = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "t-cache"}
}
UPDATE: Final = "django.middleware.cache.UpdateCacheMiddleware"
FETCH: Final = "django.middleware.cache.FetchFromCacheMiddleware"
CONDITIONAL: Final = "django.middleware.http.ConditionalGetMiddleware"
GZIP: Final = "django.middleware.gzip.GZipMiddleware"
EVERYBODY: Final = [*COMINGS, "somebody else"]
ELSE: Final = f"{NAME}={forged({'user': 2, 'cart': []})}"


@pytest.fixture(params=[(OURS, False), (OURS, True), (STOCK, False), (STOCK, True)], ids=str)
def pages(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A site whose pages Django caches, with either middleware, by WSGI and by ASGI."""
    middleware, is_async = request.param
    site = Site(
        FakeClock(),
        is_async=is_async,
        MIDDLEWARE=[UPDATE, CONDITIONAL, GZIP, middleware, FETCH],
        CACHES=CACHES,
        IRON_SESSION={"password": OLD, "serializer": "json"},
        SESSION_COOKIE_AGE=TTL,
    )
    with site.holds():
        cache.clear()
        yield site
        cache.clear()


def ask(site: Site, coming: str, use: Callable[[HttpRequest], Any], **headers: str) -> HttpResponse:
    """Ask for the page with the cookies of somebody, and of nobody else."""
    name, _, value = (ELSE if coming == "somebody else" else COMINGS[coming]).partition("=")
    site.client.cookies.clear()
    site.keep(value, name)
    return site.visit(use, headers=headers)


def personal(use: Use, control: str | None = None) -> Callable[[HttpRequest], HttpResponse]:
    """Return a view that uses the session, and shows whom it is for."""

    def view(request: HttpRequest) -> HttpResponse:
        use(request.session)
        headers = {} if control is None else {"Cache-Control": control}
        return HttpResponse(f"for {request.session.get('user')}", headers=headers)

    return view


def whom(coming: str) -> bytes:
    """Whom the page of a visitor is for."""
    return {"a session": b"for 1", "somebody else": b"for 2"}.get(coming, b"for None")


@each_saving
@pytest.mark.parametrize("control", [None, "public, max-age=60", "private, max-age=60"])
def test_no_visitor_is_shown_the_page_of_another(
    pages: Site, control: str | None, *, saves_all: bool
) -> None:
    pages.settings["SESSION_SAVE_EVERY_REQUEST"] = saves_all
    for use in (READS["get"], WRITES["[]="]):
        cache.clear()
        for _ in range(2):
            for coming in EVERYBODY:
                assert ask(pages, coming, personal(use, control)).content == whom(coming)


@each_saving
@pytest.mark.parametrize(
    "use",
    [UNTOUCHED["nothing"], READS["get"], WRITES["[]="], WRITES["save"], ENDS["flush"], WRITES["create"]],
    ids=["nothing", "read", "write", "save", "flush", "create"],
)
def test_no_visitor_is_given_the_cookie_of_another(pages: Site, use: Use, *, saves_all: bool) -> None:
    # CVE-2026-48588: a cached response must not hold a cookie; CVE-2026-35192: not of a mere renewal either.
    pages.settings["SESSION_SAVE_EVERY_REQUEST"] = saves_all

    def view(request: HttpRequest) -> HttpResponse:
        use(request.session)
        return HttpResponse("public", headers={"Cache-Control": "max-age=60"})

    for first in ("no cookie", "a session", "junk"):
        cache.clear()
        given = []
        for coming in (first, "somebody else", "no cookie", first):
            response = ask(pages, coming, view)
            value = response.cookies[NAME].value if NAME in response.cookies else ""
            if value:
                user = unseal_data(value, password=OLD, clock=FakeClock()).get("user")
                assert user in (None, {"a session": 1, "somebody else": 2}.get(coming))
                given.append(value)
        assert len(given) == len(set(given))


def test_a_page_that_leaves_the_session_alone_is_cached_for_all(pages: Site) -> None:
    views: list[str] = []

    def view(_: HttpRequest) -> HttpResponse:
        views.append("called")
        return HttpResponse("public")

    for coming in EVERYBODY:
        assert ask(pages, coming, view).content == b"public"
    assert len(views) == 1


def test_a_page_that_only_reads_is_cached_for_its_visitor_alone(pages: Site) -> None:
    views: list[str] = []

    def view(request: HttpRequest) -> HttpResponse:
        views.append(request.session.get("user"))
        return HttpResponse(f"for {views[-1]}")

    for _ in range(2):
        for coming in ("a session", "somebody else"):
            assert ask(pages, coming, view).content == whom(coming)
    assert views == [1, 2]


@each_saving
def test_a_304_to_one_visitor_tells_nothing_of_another(pages: Site, *, saves_all: bool) -> None:
    pages.settings["SESSION_SAVE_EVERY_REQUEST"] = saves_all
    tags = {}
    for coming in EVERYBODY:
        response = ask(pages, coming, personal(READS["get"]))
        if "ETag" in response:  # what sets a cookie has none
            tags[coming] = response["ETag"]
    assert {"no cookie", "one of a newer server"} <= tags.keys()
    for coming in EVERYBODY:
        for other, tag in tags.items():
            response = ask(pages, coming, personal(READS["get"]), **{"if-none-match": tag})
            is_same = whom(coming) == whom(other)
            assert response.status_code == 200 or is_same
            assert (
                response.status_code == 304 or not is_same or coming in (*BAD, "a session", "somebody else")
            )
            assert response["Vary"].count("Cookie") == 1
            if response.status_code == 304 and coming == "a session" and not saves_all:
                assert NAME not in response.cookies


def test_a_response_made_private_against_its_word_is_named_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    visit = Visit("ours")
    with visit.site.holds():
        visit.send(COMINGS["a session"], under("public, max-age=60", READS["get"]))
        assert caplog.text == ""
        visit.send(COMINGS["a session"], under("public, max-age=60", WRITES["[]="]))
    assert "it was made private" in caplog.text
    assert "Fe26" not in caplog.text
