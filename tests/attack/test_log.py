"""T-LOG: no log, text of an object, copy or traceback with locals shows a password, a cookie or data."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
import pickle
import traceback
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import pytest

import iron_wsgi
from iron_wsgi import (
    CookieTooLarge,
    EnvironJar,
    Event,
    IronSessionMiddleware,
    Passwords,
    Sealer,
    Session,
    SessionOptions,
    get_iron_session,
    seal_data,
    unseal_data,
)
from iron_wsgi.engine.engine import Engine
from iron_wsgi.seals import seal
from iron_wsgi.sessions.events import notices
from iron_wsgi.testing import DictJar
from iron_wsgi.vaults.seal_vault import SealVault

from .seals import NOW, forged, milliseconds
from .site import Browser, environ, page, serve, sessions

PASSWORD = "CANARYpassword-8sJc5MfD2pGa7oHiE1tKx4Uw"
SHORT_PASSWORD = "CANARYpassword-short"
VALUE = "CANARYvalue-3f9a"
SEAL = forged({"user": VALUE}, PASSWORD)
EXPIRED = forged({"user": VALUE}, PASSWORD, expiration="1000")
ALTERED = SEAL[:-3] + ("AAA" if SEAL[-3:] != "AAA" else "BBB")
UNKNOWN = forged({"user": VALUE}, PASSWORD, password_id="9")
FOREVER = forged({"user": VALUE}, PASSWORD, expiration="")
NO_JSON = forged(VALUE.encode(), PASSWORD)
CIPHERTEXT = SEAL.split("*")[4][:32]
"""All seals here begin with it, since they share salt, IV and data."""
CANARIES = [PASSWORD, SHORT_PASSWORD, VALUE, CIPHERTEXT, NO_JSON.split("*")[4][:20]]


def clock() -> float:
    return NOW


def options(**changes: Any) -> dict[str, Any]:
    return {"password": PASSWORD, "cookie_name": "session", "ttl": 3600, "clock": clock, **changes}


def hits(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text]


def session_of(value: str = SEAL, **changes: Any) -> Session:
    return get_iron_session(DictJar({"session": value}), **options(**changes))


def test_the_canaries_are_found_where_they_are() -> None:
    assert hits(f"the password is {PASSWORD}") == [PASSWORD]
    assert hits(repr({"user": VALUE})) == [VALUE]
    assert hits(f"Cookie: session={SEAL}") == [CIPHERTEXT]
    assert dict(session_of()) == {"user": VALUE}


# Objects.


def opened_session() -> Session:
    session = session_of()
    session["more"] = VALUE
    return session


def state() -> Any:
    session = opened_session()
    return session.state


def sent_outcome() -> Any:
    jar = DictJar({"session": SEAL})
    session = get_iron_session(jar, **options())
    session["more"] = VALUE
    session.save()
    return jar.outcome


def response() -> Any:
    seen: list[Any] = []
    serve(sessions(page(seen.append), password=PASSWORD), environ(f"session={SEAL}"))
    seen[0]["user"] = VALUE
    return seen[0]


OBJECTS: dict[str, Callable[[], Any]] = {
    "Passwords": lambda: Passwords.parse({1: PASSWORD, 2: PASSWORD[::-1]}),
    "derived Passwords": lambda: Passwords.parse(PASSWORD).derive("x"),
    "SessionOptions": lambda: SessionOptions(**options()),
    "Sealer": lambda: Sealer(PASSWORD, purpose="x"),
    "Engine": lambda: Engine(SessionOptions(**options())),
    "SealVault": lambda: SealVault(SessionOptions(**options())),
    "IronSessionMiddleware": lambda: IronSessionMiddleware(page(bool), **options()),
    "Session": opened_session,
    "Session, not opened": session_of,
    "Session of a response": response,
    "State": state,
    "Outcome": sent_outcome,
    "Cookie": lambda: sent_outcome().cookies[0],
    "KeyPair": lambda: seal.KeyPair(PASSWORD, PASSWORD),
    "Fields": lambda: seal.parse(SEAL),
    "Unsealed": lambda: seal.unseal_at(seal.parse(SEAL), PASSWORD, now=NOW),
    "Event": lambda: Event(kind="refused", cookie_name="session", reason="invalid"),
    "EnvironJar": lambda: EnvironJar(environ(f"session={SEAL}"), []),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_no_object_shows_a_secret_however_it_is_turned_into_text(name: str) -> None:
    thing = OBJECTS[name]()
    for text in (repr(thing), str(thing), f"{thing}", f"{thing!r:>200}", repr([thing]), repr({"k": thing})):
        assert hits(text) == [], name


PICKLED = [
    name
    for name in OBJECTS
    if name not in ("Event", "Outcome", "Cookie", "Fields", "Unsealed", "State", "EnvironJar")
]


@pytest.mark.parametrize("name", PICKLED)
@pytest.mark.parametrize("protocol", [0, 2, pickle.HIGHEST_PROTOCOL])
def test_no_object_that_holds_a_password_can_be_pickled(name: str, protocol: int) -> None:
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(OBJECTS[name](), protocol)


@pytest.mark.parametrize("name", OBJECTS)
def test_no_copy_shows_what_the_original_does_not(name: str) -> None:
    for copied in (copy.copy, copy.deepcopy):
        try:
            text = repr(copied(OBJECTS[name]()))
        except TypeError:
            continue
        assert hits(text) == []


def test_options_taken_apart_hold_no_password_in_clear() -> None:
    try:
        text = repr(dataclasses.asdict(SessionOptions(**options())))
    except TypeError:
        return
    assert hits(text) == []


# Errors.


def destroyed() -> Session:
    session = session_of()
    session.destroy()
    return session


def unwritable(**changes: Any) -> Session:
    session = session_of(**changes)
    session["user"] = VALUE
    session["when"] = {VALUE}
    return session


def too_large() -> Session:
    session = session_of()
    session["text"] = VALUE * 1000
    return session


def committed(session: Session) -> None:
    with session:
        session["user"] = VALUE


def answered(use: Callable[[Session], object], body: Iterable[bytes] = (b"ok",), **changes: Any) -> None:
    app = page(use, body=body)
    IronSessionMiddleware(app, **options(**changes))(
        environ(f"session={SEAL}"), lambda *_: lambda _data: None
    )  # type: ignore[arg-type]


def read_only() -> Session:
    return get_iron_session(EnvironJar(environ(f"session={SEAL}")), **options())


class LeakySerializer:
    """Raises errors that hold what it was given, as the standard library's do."""

    def dumps(self, data: dict[str, Any], /) -> bytes:  # noqa: ARG002
        raise ValueError("cannot write")

    def loads(self, payload: bytes, /) -> Any:
        return payload.decode("ascii").encode("ascii").decode("utf-16") if payload else None


FAILURES: dict[str, Callable[[], object]] = {
    "short password": lambda: SessionOptions(**options(password=SHORT_PASSWORD)),
    "short password in a mapping": lambda: Passwords.parse({1: PASSWORD, 2: SHORT_PASSWORD}),
    "short password of a sealer": lambda: Sealer(SHORT_PASSWORD, purpose="x"),
    "password of octets": lambda: Passwords.parse({1: PASSWORD.encode()}),  # type: ignore[dict-item]
    "mapping turned round": lambda: Passwords.parse({PASSWORD: 1}),  # type: ignore[dict-item]
    "entry turned round": lambda: Passwords.parse([{"id": PASSWORD, "password": 1}]),
    "list of passwords": lambda: Passwords.parse([PASSWORD]),  # type: ignore[list-item]
    "password for seal_with": lambda: Passwords.parse({1: PASSWORD}, seal_with=PASSWORD),  # type: ignore[arg-type]
    "unknown seal_with": lambda: Passwords.parse({1: PASSWORD}, seal_with=3),
    "empty secret key": lambda: Passwords.from_secret_keys([PASSWORD, ""]),
    "empty purpose": lambda: Sealer(PASSWORD, purpose=""),
    "unknown option": lambda: SessionOptions(**options(pasword=PASSWORD)),
    "wrong option": lambda: SessionOptions(**options(ttl="soon")),
    "wrong cookie option": lambda: SessionOptions(**options(cookie_options={"path": "x"})),
    "wrong middleware option": lambda: IronSessionMiddleware(page(bool), **options(ttl=-1)),
    "no cookie name": lambda: SessionOptions(password=PASSWORD),
    "wrong changes": lambda: session_of().update_options(ttl=-1),
    "seal_data of a set": lambda: seal_data({"user": VALUE, "when": {VALUE}}, password=PASSWORD),
    "seal_data for a negative time": lambda: seal_data({"user": VALUE}, password=PASSWORD, ttl=-1),
    "seal_data under a short password": lambda: seal_data({"user": VALUE}, password=SHORT_PASSWORD),
    "unseal_data under a short password": lambda: unseal_data(SEAL, password=SHORT_PASSWORD),
    "Sealer.seal of a set": lambda: Sealer(PASSWORD, purpose="x").seal(
        {"user": VALUE, "when": {VALUE}}, ttl=60
    ),
    "Sealer.seal for no time": lambda: Sealer(PASSWORD, purpose="x").seal({"user": VALUE}, ttl=0),
    "Sealer.unseal of a session": lambda: Sealer(PASSWORD, purpose="x", clock=clock).unseal(SEAL),
    "Sealer.unseal of junk": lambda: Sealer(PASSWORD, purpose="x").unseal(VALUE),
    "Sealer.unseal of an unknown id": lambda: Sealer(PASSWORD, purpose="x").unseal(UNKNOWN),
    "low level: altered": lambda: seal.unseal(ALTERED, PASSWORD),
    "low level: expired": lambda: seal.unseal(EXPIRED, PASSWORD),
    "low level: no seal": lambda: seal.unseal(VALUE, PASSWORD),
    "low level: short password": lambda: seal.unseal(SEAL, SHORT_PASSWORD),
    "low level: sealing": lambda: seal.seal(VALUE.encode(), SHORT_PASSWORD),
    "low level: wrong id": lambda: seal.seal(VALUE.encode(), PASSWORD, password_id="*"),
    "low level: raw key": lambda: seal.seal(VALUE.encode(), b"CANARYpassword-short"),
    "save of a set": lambda: unwritable().save(),
    "save of too much": lambda: too_large().save(),
    "size of a set": lambda: unwritable().size,
    "commit of a set": lambda: committed(unwritable()),
    "save where nothing can be sent": lambda: read_only().save(),
    "destroy where nothing can be sent": lambda: read_only().destroy(),
    "write into a destroyed session": lambda: destroyed().__setitem__("user", VALUE),
    "set in a destroyed session": lambda: destroyed().set("user", VALUE),
    "flash in a destroyed session": lambda: destroyed().flash("user", VALUE),
    "regenerate of a destroyed session": lambda: destroyed().regenerate(),
    "missing key": lambda: session_of()["missing"],
    "deletion of a missing key": lambda: session_of().__delitem__("missing"),
    "pop of a missing key": lambda: session_of().pop("missing"),
    "attribute": lambda: session_of().user,
    "attribute set": lambda: setattr(session_of(), "user", VALUE),
    "expiry that has passed": lambda: session_of().set_expiry(0),
    "reserved key": lambda: opened_with_reserved_key().save(),
    "answer with a set": lambda: answered(lambda session: session.set("when", {VALUE})),
    "answer with too much": lambda: answered(lambda session: session.set("text", VALUE * 1000)),
    "stream with a set": lambda: answered(lambda session: session.set("when", {VALUE}), iter([b"ok"])),
    "no middleware": lambda: iron_wsgi.session_from(environ(f"session={SEAL}")),
}


def opened_with_reserved_key() -> Session:
    session = session_of()
    session["_iron"] = VALUE
    return session


def told(error: BaseException) -> str:
    """Return all that a tool may record of an error: texts, and all frames with locals but this file's."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    seen: list[str] = [repr(error), str(error), repr(error.args), repr(vars(error))]
    linked: list[traceback.TracebackException | None] = [trace]
    while linked:
        one = linked.pop()
        if one is None:
            continue
        linked += [one.__cause__, one.__context__]
        ours = [frame for frame in one.stack if frame.filename not in (__file__, page.__code__.co_filename)]
        seen += [str(one), *(f"{frame.name} {frame.locals}" for frame in ours)]
    return "\n".join(seen)


@pytest.mark.filterwarnings("ignore::iron_wsgi.WeakPasswordWarning")
@pytest.mark.parametrize("name", FAILURES)
def test_no_error_tells_a_secret_not_even_in_the_local_variables_of_its_frames(name: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each raises what its own tests say
        FAILURES[name]()
    assert hits(told(caught.value)) == []


def test_the_frames_of_an_error_would_give_a_secret_away() -> None:
    def careless(password: str) -> None:
        raise ValueError(len(password))

    code = careless.__code__.replace(co_filename="careless.py")
    careless.__code__ = code
    with pytest.raises(ValueError, match="39") as caught:
        careless(PASSWORD)
    assert hits(told(caught.value)) == [PASSWORD]


# Logs and warnings.


@pytest.fixture
def _all_logs(caplog: pytest.LogCaptureFixture) -> None:
    notices.forget()
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "iron_wsgi")


def recorded(caplog: pytest.LogCaptureFixture) -> str:
    lines = [f"{record.getMessage()} {record.args!r} {vars(record)!r}" for record in caplog.records]
    lines += [told(record.exc_info[1]) for record in caplog.records if record.exc_info and record.exc_info[1]]
    return "\n".join(lines)


@pytest.mark.usefixtures("_all_logs")
@pytest.mark.parametrize(
    "value",
    [
        SEAL,
        EXPIRED,
        ALTERED,
        UNKNOWN,
        FOREVER,
        NO_JSON,
        VALUE,
        "x" * 20_000,
        f"Fe26.2*{'9' * 40}*a*b*c*d*e*f",
    ],
    ids=lambda value: value[-12:],
)
def test_no_log_line_and_no_event_tells_a_secret_whatever_cookie_came(
    value: str, caplog: pytest.LogCaptureFixture
) -> None:
    events: list[Event] = []

    def failing_hook(event: Event) -> None:
        events.append(event)
        raise RuntimeError("the hook fails")

    uses: list[Callable[[Session], object]] = [
        bool,
        lambda session: session.set("more", VALUE),
        lambda session: session.set("text", VALUE * 200),
        lambda session: session.destroy(),
        lambda session: session.regenerate(),
        lambda session: session.save(),
    ]
    for use in uses:
        for changes in ({}, {"on_event": failing_hook}, {"overflow": "chunk"}):
            request = environ(f"session={value}", **{"wsgi.url_scheme": "http"})
            with contextlib.suppress(CookieTooLarge):
                serve(
                    sessions(page(use, headers=[("Cache-Control", "public")]), **options(**changes)), request
                )
    assert events
    assert caplog.records
    assert hits(recorded(caplog)) == []
    assert hits(repr(events)) == []
    assert all(hits(repr(dataclasses.asdict(event))) == [] for event in events)


@pytest.mark.usefixtures("_all_logs")
def test_no_log_line_tells_a_session_id(caplog: pytest.LogCaptureFixture) -> None:
    events: list[Event] = []
    ids: list[str] = []
    browser = Browser()
    for use in (
        lambda session: session.set("user", VALUE),
        lambda session: ids.append(session.sid),
        lambda session: session.touch(),
        lambda session: session.destroy(),
    ):
        browser.visit(sessions(page(use), **options(on_event=events.append, absolute_timeout=3600)))
    assert ids
    assert {event.kind for event in events} >= {"created", "destroyed"}
    text = recorded(caplog) + repr(events)
    assert all(one not in text for one in ids)


def test_no_warning_tells_a_secret() -> None:
    weak = "CANARYpassword-short" * 2
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        uniform = "CANARY" * 8
        for password in (uniform, {1: uniform, 2: weak}):
            SessionOptions(**options(password=password))
            seal_data({"user": VALUE}, password=password)
    assert caught
    for warning in caught:
        assert "CANARY" not in str(warning.message)
        assert warning.filename == __file__ or "iron_wsgi" in warning.filename


def test_an_event_names_a_session_by_a_hash_that_the_password_keys() -> None:
    def hashes(password: str) -> set[str | None]:
        events: list[Event] = []
        browser = Browser()
        value = forged(
            {"user": 1, "_iron": {"sid": "one-and-the-same"}}, password, expiration=milliseconds(NOW + 60)
        )
        browser.cookies["session"] = value
        browser.visit(
            sessions(
                page(lambda session: session.destroy()), **options(password=password, on_event=events.append)
            )
        )
        return {event.session for event in events}

    first, again, other = hashes(PASSWORD), hashes(PASSWORD), hashes(PASSWORD[::-1])
    assert first == again != other
    assert None not in first
    assert len(first) == 1
