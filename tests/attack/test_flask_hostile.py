"""Whatever a browser sends, a Flask site answers, and to whoever holds no seal as to a stranger."""

from __future__ import annotations

import threading
from typing import Any, Final

import pytest
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st

from iron_wsgi_flask import IronSessionInterface, session
from tests.unit.flask_site import Site, put

from .seals import NEW, NOW, OLD, TTL, forged
from .site import environ, serve

THREADS: Final = 8
REQUESTS: Final = 200


def make_site(*accept: Any, **options: Any) -> Site:
    interface = IronSessionInterface(OLD, accept=accept, clock=lambda: NOW, overflow="chunk", **options)
    return Site(
        interface, SECRET_KEY="a secret key", SECRET_KEY_FALLBACKS=["another"], PERMANENT_SESSION_LIFETIME=TTL
    )


SITES: Final = (
    make_site(),
    make_site("flask", "secret-key", "next-iron-session"),
    make_site("flask", serializer="json"),
)
GOOD: Final = forged({"user": "me", "_permanent": True})


def view(current: Any) -> str:
    return str(dict(current))


for place in SITES:
    place._use = view

octets = st.binary(max_size=200).map(lambda raw: raw.decode("latin-1"))
words = st.sampled_from(
    [
        "Fe26.2*",
        "Fe26.2",
        "*",
        "~2",
        ".",
        "=",
        "session",
        "session=",
        "session.0=",
        "; ",
        ",",
        '"',
        "%",
        "%00",
        "\\",
    ]
)
mixed = st.lists(words | octets | st.text(st.characters(max_codepoint=255), max_size=20), max_size=12).map(
    "".join
)
spoiled = st.tuples(st.integers(0, len(GOOD) - 1), st.characters(min_codepoint=33, max_codepoint=255)).map(
    lambda change: GOOD[: change[0]] + change[1] + GOOD[change[0] + 1 :]
)


def ask(cookie: str) -> list[str]:
    """What each of the sites answers; a 500 is raised, as the sites are in testing mode."""
    answers = []
    for place in SITES:
        answer = serve(place.app, environ(cookie))
        assert answer.status == "200 OK"
        assert len([line for line in answer.cookies if line.startswith("session=")]) <= 1
        answers.append(answer.body.decode())
    return answers


@given(value=octets | mixed)
@example(value="é")
@example(value="\x00")
@example(value="a" * 20_000)
@example(value="Fe26.2" + "*" * 7)
@example(value="\xed\xa0\x80.AAAA.AAAA")
@example(value="eyJ1c2VyIjoibWUifQ.AAAAAAAAAAAAAAAA.AAAA")
def test_no_value_is_an_error_or_a_session(value: str) -> None:
    assert ask(f"session={value}") == ["{}"] * 3


@given(header=mixed)
def test_no_header_is_an_error_or_a_session(header: str) -> None:
    assert ask(header) == ["{}"] * 3


@given(value=spoiled)
def test_a_good_seal_with_one_character_changed_opens_nothing(value: str) -> None:
    if value not in (GOOD, GOOD + "~2") and ";" not in value:
        assert ask(f"session={value}") == ["{}"] * 3


@given(value=mixed, before=st.booleans())
def test_junk_beside_a_good_session_signs_nobody_out(value: str, *, before: bool) -> None:
    junk = f"session={value.replace(';', '').replace(chr(34), '')}"
    cookies = [junk, f"session={GOOD}"] if before else [f"session={GOOD}", junk]
    assert ask("; ".join(cookies)) == ["{'user': 'me', '_permanent': True}"] * 3


@pytest.mark.parametrize(
    "payload",
    [
        {"_iron": "x"},
        {"_iron": {"iat": True}},
        {"_iron": {"sid": "é"}},
        {"_iron": {"exp": 1e300}},
        {"_iron": {"ttl": -1}},
        [],
        None,
        "text",
        5,
        b"\xff\xfe",
        b"{",
        b'{"a":1e999}',
        b"[" * 4000,
    ],
    ids=lambda payload: repr(payload)[:40],
)
def test_an_authentic_seal_of_something_else_is_anonymous(payload: Any) -> None:
    answers = ask(f"session={forged(payload)}")
    if payload == b'{"a":1e999}':  # Python's own JSON, which Flask's is, knows infinity
        assert answers == ["{'a': inf}", "{'a': inf}", "{}"]
    else:
        assert answers == ["{}"] * 3


@pytest.mark.parametrize(
    "data",
    [
        {"_permanent": "yes"},
        {"_permanent": [0]},
        {"_flashes": 7},
        {"_flash": 7},
        {"session": {"__class__": "x"}},
        {"accessed": True, "modified": 1, "new": 2, "permanent": 3, "state": 4, "exchange": 5},
        {"_remember": "set", "_user_id": "1"},
    ],
    ids=repr,
)
def test_data_with_the_names_of_ours_are_data(data: dict[str, Any]) -> None:
    assert ask(f"session={forged(data)}") == [str(data)] * 3


def test_a_seal_of_another_cookie_name_or_purpose_is_no_session_here() -> None:
    place = SITES[0]
    interface = place.app.session_interface
    assert isinstance(interface, IronSessionInterface)
    with place.app.app_context():
        token = interface.sealer("magic-link").seal({"user": "me"}, ttl=60)
    assert ask(f"session={token}") == ["{}"] * 3
    assert ask(f"session={forged({'user': 'me'}, NEW)}") == ["{}"] * 3


def make_counter() -> Flask:
    place = Site(IronSessionInterface(OLD, refresh_after=0), SECRET_KEY="k")

    @place.app.get("/count/<name>")
    def count(name: str) -> str:
        session["name"] = session.get("name", name)
        session["count"] = session.get("count", 0) + 1
        session.setdefault("list", []).append(session["count"])
        return f"{session['name']} {session['count']} {len(session['list'])}"

    return place.app


def test_visitors_in_parallel_see_their_own_session_alone() -> None:
    app = make_counter()
    wrong: list[str] = []
    ready = threading.Barrier(THREADS, timeout=30)

    def visit(name: str) -> None:
        client = app.test_client()
        ready.wait()
        for number in range(1, REQUESTS + 1):
            # What the sessions are built from changes while they are in use.
            if number % 50 == 0:
                app.config["IRON_SESSION_TTL"] = 10_000 + number
            text = client.get(f"/count/{name}").text
            if text != f"{name} {number} {number}":
                wrong.append(text)

    threads = [threading.Thread(target=visit, args=(f"visitor-{number}",)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


def test_a_cookie_that_cannot_be_trusted_is_cleared_once() -> None:
    place = make_site()
    place.keep("junk")
    assert "Max-Age=0" in place.visit(len).headers["Set-Cookie"]
    assert "Set-Cookie" not in place.visit(len).headers
    place.keep("junk")
    assert place.visit(put(user=7)).headers["Set-Cookie"].startswith("session=Fe26.2*")
