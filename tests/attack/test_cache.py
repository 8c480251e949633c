"""T-CACHE: no shared cache gives one visitor's response, or cookie, to another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from iron_wsgi import Session, session_from

from .seals import NEW, NOW, OLD, TTL, forged, milliseconds
from .site import Answer, environ, page, serve, sessions

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Use = Callable[[Session], object]

COOKIE = f"session={forged({'user': 1, 'cart': [1]})}"
EXPIRED = f"session={forged({'user': 1}, expiration='1000')}"
UNKNOWN = f"session={forged({'user': 1}, NEW, password_id='2')}"
COMINGS = {
    "no cookie": None,
    "a good cookie": COOKIE,
    "an expired one": EXPIRED,
    "junk": "session=junk",
    "unknown": UNKNOWN,
}

READS: dict[str, Use] = {
    "[]": lambda session: session["user"] if "user" in session else None,  # noqa: SIM401 - the form is the test
    "get": lambda session: session.get("user"),
    "get with default": lambda session: session.get("missing", 0),
    "in": lambda session: "user" in session,
    "not in": lambda session: "user" not in session,
    "len": len,
    "bool": bool,
    "iter": lambda session: next(iter(session), None),
    "list": list,
    "keys": lambda session: list(session.keys()),
    "values": lambda session: list(session.values()),
    "items": lambda session: list(session.items()),
    "==": lambda session: session == {},
    "!=": lambda session: session != {},
    "copy": lambda session: session.copy(),
    "dict": dict,
    "**": lambda session: {**session},
    "|": lambda session: session | {},
    "| reversed": lambda session: {} | session,
    "json": lambda session: str(dict(session)),
    "pop of nothing": lambda session: session.pop("missing", None),
    "unset of nothing": lambda session: session.unset("missing"),
    "pop_flash of nothing": lambda session: session.pop_flash("missing"),
    "sid": lambda session: session.sid,
    "is_new": lambda session: session.is_new,
    "issued_at": lambda session: session.issued_at,
    "expires_at": lambda session: session.expires_at,
    "size": lambda session: session.size,
    "match": lambda session: match(session),  # noqa: PLW0108 - defined below
}
NO_READS: dict[str, Use] = {
    "nothing": lambda _: None,
    "repr": repr,
    "accessed": lambda session: session.accessed,
    "modified": lambda session: session.modified,
    "type": lambda session: isinstance(session, Session),
    "state": lambda session: session.state,
}
WRITES: dict[str, Use] = {
    "[]=": lambda session: session.__setitem__("a", 1),
    "del": lambda session: session.__delitem__("user"),
    "set": lambda session: session.set("a", 1),
    "unset": lambda session: session.unset("user"),
    "pop": lambda session: session.pop("user"),
    "popitem": lambda session: session.popitem(),
    "setdefault": lambda session: session.setdefault("a", 1),
    "update": lambda session: session.update(a=1),
    "|=": lambda session: session.__ior__({"a": 1}),
    "nested": lambda session: session["cart"].append(2),
    "flash": lambda session: session.flash("a", 1),
    "touch": lambda session: session.touch(),
    "modified = True": lambda session: setattr(session, "modified", True),
    "save": lambda session: session.save(),
    "regenerate": lambda session: session.regenerate(),
    "set_expiry": lambda session: session.set_expiry(60),
}
ENDS: dict[str, Use] = {
    "clear": lambda session: session.clear(),
    "destroy": lambda session: session.destroy(),
    "save and destroy": lambda session: (session.save(), session.destroy()),
    "regenerate and clear": lambda session: session.regenerate(clear=True),
}


def match(session: Session) -> Any:
    match session:
        case {"user": user}:
            return user
        case _:
            return None


def answer(
    use: Use,
    cookie: str | None = COOKIE,
    *,
    headers: Iterable[tuple[str, str]] = (),
    status: str = "200 OK",
    **options: Any,
) -> Answer:
    return serve(sessions(page(use, status=status, headers=headers), **options), environ(cookie))


@pytest.mark.parametrize("coming", COMINGS)
@pytest.mark.parametrize("form", READS)
def test_every_form_of_reading_makes_the_response_vary(form: str, coming: str) -> None:
    assert answer(READS[form], COMINGS[coming]).all("Vary") == ["Cookie"]


@pytest.mark.parametrize("coming", COMINGS)
@pytest.mark.parametrize("form", NO_READS)
def test_what_is_no_reading_leaves_the_response_as_it_is(form: str, coming: str) -> None:
    assert answer(NO_READS[form], COMINGS[coming], refresh_after=0).headers == []


@pytest.mark.parametrize("form", [*WRITES, *ENDS])
def test_a_response_that_sets_or_deletes_the_cookie_is_private_and_varies(form: str) -> None:
    given = answer({**WRITES, **ENDS}[form])
    assert len(given.cookies) == 1
    assert ("Max-Age=0" in given.cookies[0]) is (form in ENDS)
    assert given.all("Vary") == ["Cookie"]
    assert given.all("Cache-Control") == ["private, no-store"]


@pytest.mark.parametrize("form", [form for form in READS if form != "sid"])
@pytest.mark.parametrize("why", ["refresh_after", "an older password"])
def test_a_renewal_by_mere_reading_is_private_and_varies(form: str, why: str) -> None:
    options: dict[str, Any] = {
        "refresh_after": {"refresh_after": 60, "clock": lambda: NOW + 61},
        "an older password": {"password": {1: OLD, 2: NEW}},
    }[why]
    given = answer(READS[form], **options)
    assert len(given.cookies) == 1
    assert (given.all("Vary"), given.all("Cache-Control")) == (["Cookie"], ["private, no-store"])


@pytest.mark.parametrize("coming", ["an expired one", "junk"])
def test_the_deletion_of_a_bad_cookie_is_private_and_varies(coming: str) -> None:
    given = answer(bool, COMINGS[coming])
    assert len(given.cookies) == 1
    assert (given.all("Vary"), given.all("Cache-Control")) == (["Cookie"], ["private, no-store"])


def test_a_refused_cookie_that_stays_makes_the_response_vary() -> None:
    given = answer(bool, UNKNOWN)
    assert given.headers == [("Vary", "Cookie")]


@pytest.mark.parametrize("form", READS)
def test_a_304_is_never_renewed(form: str) -> None:
    due: dict[str, Any] = {"refresh_after": 0, "clock": lambda: NOW + 61, "password": {1: OLD, 2: NEW}}
    given = answer(READS[form], status="304 Not Modified", **due)
    if form != "sid":
        assert given.headers == [("Vary", "Cookie")]
    assert len(answer(READS[form], **due).cookies) == 1


@pytest.mark.parametrize("when", ["before the first chunk", "in the first chunk"])
@pytest.mark.parametrize("use", [*READS, *WRITES, *ENDS])
def test_a_streamed_response_is_treated_like_any_other(use: str, when: str) -> None:
    handle = {**READS, **WRITES, **ENDS}[use]

    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        if when == "before the first chunk":
            handle(session_from(request))
        start_response("200 OK", [])
        if when == "in the first chunk":
            handle(session_from(request))
        yield b"ok"

    streamed = serve(sessions(app), environ(COOKIE))
    plain = answer(handle)
    assert streamed.all("Vary") == plain.all("Vary") == ["Cookie"]
    assert streamed.all("Cache-Control") == plain.all("Cache-Control")
    assert len(streamed.cookies) == len(plain.cookies)


def test_a_first_access_after_the_headers_adds_nothing_but_gets_the_session() -> None:
    seen: list[Any] = []

    def app(request: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"first"
        seen.append(session_from(request).get("user"))
        yield b"second"

    assert serve(sessions(app), environ(COOKIE)).headers == []
    assert seen == [1]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param([], ["Cookie"], id="none"),
        pytest.param([("Vary", "*")], ["*"], id="anything"),
        pytest.param([("vary", "*")], ["*"], id="anything, lower case"),
        pytest.param([("Vary", "Accept, *")], ["Accept, *"], id="anything in a list"),
        pytest.param([("Vary", "Cookie")], ["Cookie"], id="it"),
        pytest.param([("Vary", "cookie")], ["cookie"], id="it, lower case"),
        pytest.param([("VARY", "COOKIE")], ["COOKIE"], id="it, upper case"),
        pytest.param([("Vary", "Accept-Encoding")], ["Accept-Encoding, Cookie"], id="another"),
        pytest.param(
            [("vary", "Accept-Encoding , cookie ,Origin")],
            ["Accept-Encoding , cookie ,Origin"],
            id="among others",
        ),
        pytest.param([("Vary", "Cookies")], ["Cookies, Cookie"], id="a longer name"),
        pytest.param([("Vary", "X-Cookie")], ["X-Cookie, Cookie"], id="a name that ends like it"),
        pytest.param([("Vary", "Origin"), ("Vary", "Accept")], ["Origin", "Accept, Cookie"], id="two lines"),
        pytest.param(
            [("Vary", "Cookie"), ("Vary", "Accept")], ["Cookie", "Accept"], id="two lines, one has it"
        ),
        pytest.param([("Vary", "Accept"), ("vary", "*")], ["Accept", "*"], id="two lines, one has anything"),
        pytest.param([("Vary", "")], ["Cookie"], id="an empty one"),
    ],
)
@pytest.mark.parametrize("use", [READS["get"], WRITES["set"], ENDS["destroy"]], ids=["read", "write", "end"])
def test_vary_names_the_cookie_once_and_loses_nothing(
    given: list[tuple[str, str]], expected: list[str], use: Use
) -> None:
    headers = [("X-First", "1"), *given, ("X-Last", "2")]
    found = answer(use, headers=headers)
    assert found.all("Vary") == expected
    assert [header for header in found.headers if header[0].startswith("X-")] == [headers[0], headers[-1]]
    if any("cookie" in value.lower().split(" ,") for _, value in given):
        assert found.headers[: len(headers)] == headers


def directives(lines: Iterable[str]) -> set[str]:
    return {part.strip().lower() for line in lines for part in line.split(",") if part.strip()}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(["private"], {"private"}, id="private stays"),
        pytest.param(["Private"], {"private"}, id="in any case"),
        pytest.param(["no-store"], {"no-store"}, id="no-store stays"),
        pytest.param(["NO-STORE, max-age=0"], {"no-store", "max-age=0"}, id="no-store in any case"),
        pytest.param(["private, max-age=60"], {"private", "max-age=60"}, id="private with an age"),
        pytest.param(["no-cache"], {"no-cache", "private"}, id="no-cache may still be kept"),
        pytest.param(["max-age=60"], {"max-age=60", "private"}, id="an age"),
        pytest.param(["public"], {"private"}, id="public goes"),
        pytest.param(["public, max-age=60"], {"private", "max-age=60"}, id="public goes, the age stays"),
        pytest.param(["Public, S-MaxAge=600"], {"private"}, id="in any case too"),
        pytest.param(["s-maxage=600, max-age=60"], {"private", "max-age=60"}, id="s-maxage goes"),
        pytest.param(["max-age=60", "public"], {"private", "max-age=60"}, id="over two lines"),
        pytest.param(["public", "private"], {"public", "private"}, id="a contradiction is private"),
        pytest.param(['private="X-User"'], {"private"}, id="private for one field only"),
        pytest.param(["must-revalidate, public"], {"private", "must-revalidate"}, id="others stay"),
        pytest.param([""], {"private"}, id="an empty one"),
    ],
)
@pytest.mark.parametrize("use", [WRITES["set"], ENDS["destroy"]], ids=["write", "end"])
def test_a_response_with_a_session_cookie_is_made_private(
    given: list[str], expected: set[str], use: Use, caplog: pytest.LogCaptureFixture
) -> None:
    found = answer(use, headers=[("cache-control", value) for value in given])
    assert directives(found.all("Cache-Control")) == expected
    warned = any("it was made private" in record.getMessage() for record in caplog.records)
    shared = {"public"} & directives(given) or any("s-maxage" in value.lower() for value in given)
    assert warned is (bool(shared) and "private" not in directives(given))


@pytest.mark.parametrize("given", ["public, max-age=600", "no-cache", "s-maxage=60", "private", ""])
def test_a_response_that_sets_no_cookie_keeps_its_cache_control(
    given: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = answer(READS["get"], headers=[("Cache-Control", given)])
    assert found.all("Cache-Control") == [given]
    assert answer(NO_READS["nothing"], headers=[("Cache-Control", given)]).headers == [
        ("Cache-Control", given)
    ]
    assert caplog.records == []


@pytest.mark.parametrize("before", ["nothing", "set", "touch", "regenerate", "save"])
def test_a_destroy_beats_every_renewal_that_is_due(before: str) -> None:
    def write_and_destroy(session: Session) -> None:
        {**NO_READS, **WRITES}[before](session)
        session.destroy()

    due: dict[str, Any] = {"refresh_after": 0, "clock": lambda: NOW + 61, "password": {1: OLD, 2: NEW}}
    found = answer(write_and_destroy, **due)
    (line,) = found.cookies
    assert line.startswith("session=;")
    assert found.all("Cache-Control") == ["private, no-store"]


def test_a_failed_request_varies_though_its_change_is_dropped() -> None:
    found = answer(WRITES["set"], status="500 Internal Server Error")
    assert found.headers == [("Vary", "Cookie")]


@pytest.mark.parametrize("form", ["save", "destroy"])
def test_what_was_saved_or_destroyed_explicitly_goes_out_with_an_error_and_is_private(form: str) -> None:
    found = answer({**WRITES, **ENDS}[form], status="500 Internal Server Error")
    assert len(found.cookies) == 1
    assert (found.all("Vary"), found.all("Cache-Control")) == (["Cookie"], ["private, no-store"])


def test_a_renewal_says_how_long_it_lasts_and_changes_no_data() -> None:
    seal = forged({"user": 1}, expiration=milliseconds(NOW + TTL))
    renewed = serve(
        sessions(page(bool, headers=()), refresh_after=600, clock=lambda: NOW + 600),
        environ(f"session={seal}"),
    )
    (line,) = renewed.cookies
    assert int(line.split(";")[0].split("*")[5]) == round((NOW + 600 + TTL) * 1000)
    assert (
        serve(
            sessions(page(bool, headers=()), refresh_after=600, clock=lambda: NOW + 599),
            environ(f"session={seal}"),
        ).cookies
        == []
    )
