"""What users write, as type checkers see it. Nothing here runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from blinker import NamedSignal
from cachelib import SimpleCache
from flask import Flask
from flask.json.tag import JSONTag
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from redis import Redis
from sqlalchemy import create_engine
from typing_extensions import assert_type

from iron_wsgi import (
    Cookie,
    CookieJar,
    CookieOptions,
    CookieTooLarge,
    EnvironJar,
    Event,
    IdVault,
    IronSessionMiddleware,
    Outcome,
    Passwords,
    PayloadError,
    Refused,
    Sealer,
    SealError,
    Session,
    SessionOptions,
    WerkzeugJar,
    apply_session,
    generate_password,
    get_iron_session,
    seal_data,
    session_from,
    unseal_data,
    with_iron_session,
)
from iron_wsgi.engine.engine import Engine
from iron_wsgi.errors import RefusalReason, SealReason
from iron_wsgi.revocation import CachedRevocations, MemoryRevocations, Revocations
from iron_wsgi.revocation.redis import RedisRevocations
from iron_wsgi.revocation.sql import SqlRevocations
from iron_wsgi.seals import seal
from iron_wsgi.stores import CacheStore, MemoryStore, Record, Store, StoredSession, TieredStore
from iron_wsgi.stores.redis import RedisStore
from iron_wsgi.stores.sql import SqlStore
from iron_wsgi.testing import (
    AtomicStoreContract,
    DictJar,
    FakeClock,
    RevocationsContract,
    dump_session,
    load_session,
)
from iron_wsgi_flask import (
    FlaskSession,
    IronSessionInterface,
    session,
    session_created,
    session_destroyed,
    session_refused,
    session_renewed,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from werkzeug.wrappers import Request, Response

password = generate_password()
assert_type(password, str)


# ---- WSGI ----


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session = session_from(environ)
    assert_type(session, Session)
    session["visits"] = session.get("visits", 0) + 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


wrapped: WSGIApplication = IronSessionMiddleware(app, password=password, cookie_name="session")
rewrapped: WSGIApplication = IronSessionMiddleware(
    wrapped, password=password, cookie_name="other", prime=False
)


@with_iron_session(password=password, cookie_name="session", ttl=timedelta(hours=1))
def decorated(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session_from(environ, "iron_wsgi.session")["user"] = {"id": 7}
    start_response("204 No Content", [])
    return []


assert_type(decorated, IronSessionMiddleware)


def applied(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session, start_response = apply_session(environ, start_response, password=password, cookie_name="session")
    session.destroy()
    start_response("200 OK", [])
    return []


applied_app: WSGIApplication = applied


# ---- options ----


def report(event: Event) -> None:
    assert_type(event.reason, RefusalReason | None)
    assert_type(event.session, str | None)


options = SessionOptions(
    password={2: generate_password(), 1: password},
    seal_with=1,
    cookie_name="__Host-session",
    ttl=900,
    absolute_timeout=timedelta(hours=8),
    refresh_after=60.5,
    cookie_options={"secure": True, "samesite": "Strict", "max_age": None},
    overflow="chunk",
    max_chunks=4,
    accept=("next-iron-session",),
    auto_commit=True,
    save_on_error=False,
    skew=timedelta(seconds=30),
    iterations=1,
    generate_id=lambda: "id",
    environ_key="session",
    on_event=report,
    clock=FakeClock(),
)
assert_type(options, SessionOptions)
assert_type(options.ttl, float)
assert_type(options.password, Passwords)
assert_type(options.absolute_timeout, float | None)
assert_type(options.cookie_options, CookieOptions)
assert_type(options.replace(ttl=60, cookie_options=CookieOptions(secure=False)), SessionOptions)


def per_request(environ: WSGIEnvironment) -> SessionOptions:
    return options.replace(cookie_name=environ["HTTP_HOST"])


IronSessionMiddleware(app, options=options)
IronSessionMiddleware(app, options=per_request)

only: Mapping[int, str] = {1: password}
for form in (password, only, Passwords.parse(password), [{"id": 2, "password": password}]):
    SessionOptions(password=form, cookie_name="session")
SessionOptions(password={"1": password}, cookie_name="session")
SessionOptions(password={"default": password, 1: password}, cookie_name="session")
assert_type(Passwords.from_secret_keys(["a", b"b"]), Passwords)


# ---- sessions ----


def use(session: Session) -> None:
    assert_type(session["user"], Any)
    assert_type(session.get("user"), Any | None)
    assert_type(session.pop("user", None), Any)
    assert_type(session.pop_flash("note"), Any)
    assert_type(session.copy(), dict[str, Any])
    assert_type(session | {"a": 1}, dict[str, Any])
    assert_type({"a": 1} | session, dict[str, Any])
    assert_type(dict(session), dict[str, Any])
    assert_type(list(session), list[str])
    assert_type("user" in session, bool)
    assert_type(session.sid, str)
    assert_type(session.is_new, bool)
    assert_type(session.accessed, bool)
    assert_type(session.modified, bool)
    assert_type(session.issued_at, float)
    assert_type(session.expires_at, float | None)
    assert_type(session.size, int)
    session["user"] = {"id": 7}
    session["cart"].append(1)
    session |= {"a": 1}
    session.update(a=1)
    session.set("a", 1)
    session.unset("a")
    session.flash("note", "saved")
    session.modified = True
    session.touch()
    session.regenerate(clear=True)
    for expiry in (60, 0.5, timedelta(days=30), datetime.now(timezone.utc), None):
        session.set_expiry(expiry)
    session.update_options(ttl=60, cookie_options={"secure": False})
    session.save()
    session.destroy()


# ---- jars ----


def without_middleware(environ: WSGIEnvironment, headers: list[tuple[str, str]]) -> None:
    with get_iron_session(EnvironJar(environ, headers), password=password, cookie_name="session") as session:
        assert_type(session, Session)
    get_iron_session(EnvironJar(environ), options)
    get_iron_session(EnvironJar(environ), options, ttl=60)


def with_werkzeug(request: Request, response: Response) -> None:
    assert_type(get_iron_session(WerkzeugJar(request, response), options), Session)


class OwnJar:
    def read(self, name: str, /) -> Sequence[str]:
        return [name]

    def send(self, outcome: Outcome, /) -> None:
        for cookie in outcome.cookies:
            assert_type(cookie, Cookie)
            assert_type(cookie.header, str)
            assert_type(cookie.max_age, int | None)


jar: CookieJar = OwnJar()
for one in (jar, DictJar({"session": "x"}), EnvironJar({})):
    get_iron_session(one, options)

engine = Engine(options)
assert_type(engine.commit(engine.open(jar), status=404), Outcome)


# ---- seals ----


def failed(reason: SealReason, error: SealError) -> None:
    assert_type(error.reason, SealReason)
    raise ValueError(reason)


token = seal_data({"user_id": 7}, password=password, ttl=timedelta(minutes=15))
assert_type(token, str)
assert_type(unseal_data(token, password=password, on_unseal_error=failed), dict[str, Any])

links = Sealer(password, purpose="magic-link")
assert_type(links.seal({"user_id": 7}, ttl=900), str)
assert_type(links.unseal(token), dict[str, Any])
assert_type(IronSessionMiddleware(app, options=options).sealer("magic-link"), Sealer)

sealed = seal.seal(b"octets", bytes(32), password_id="1", ttl=60, algorithm="aes-256-cbc", iterations=8192)
assert_type(seal.unseal(sealed, seal.KeyPair(password, bytes(32))).plaintext, bytes)
assert_type(seal.unseal(sealed, password).expires_at, float | None)


# ---- Flask ----

site = Flask(__name__)
site.session_interface = IronSessionInterface()
site.session_interface = IronSessionInterface(password)
site.session_interface = IronSessionInterface(
    password={1: password, 2: generate_password()},
    seal_with=1,
    cookie_name="__Host-session",
    ttl=timedelta(days=14),
    absolute_timeout=timedelta(days=90),
    refresh_after=60,
    accept=("flask", "secret-key", "next-iron-session"),
    cookie_options={"secure": True, "samesite": "Strict"},
    overflow="chunk",
    max_chunks=4,
    save_on_error=False,
    skew=30.5,
    generate_id=lambda: "id",
    on_event=report,
    clock=FakeClock(),
    serializer="json",
)
IronSessionInterface(
    Passwords.parse(password), cookie_options=CookieOptions(secure=False), serializer="tagged"
)


class Bytes:
    def dumps(self, data: Any, /) -> bytes:
        return repr(data).encode()

    def loads(self, payload: bytes, /) -> Any:
        return {"payload": payload}


class TagSet(JSONTag):
    key = " s"


interface = IronSessionInterface(serializer=Bytes())
assert_type(interface.sealer("magic-link").seal({"user_id": 7}, ttl=900), str)
assert_type(interface.sealer("magic-link").unseal(token), dict[str, Any])


class Wary(IronSessionInterface):
    """Flask's small methods are the places to override."""

    def get_cookie_name(self, app: Flask) -> str:
        return f"{app.name}-{super().get_cookie_name(app)}"

    def get_cookie_secure(self, app: Flask) -> bool:
        return not app.debug

    def get_expiration_time(self, app: Flask, session: SessionMixin) -> datetime | None:
        assert_type(super().get_expiration_time(app, session), datetime | None)
        return None

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        return session.modified and not app.testing


site.session_interface = Wary(ttl=900)


@site.post("/sign-in")
def sign_in() -> str:
    assert_type(session, FlaskSession)
    assert_type(session["user"], Any)
    assert_type(session.get("user"), Any | None)
    assert_type(session.permanent, bool)
    assert_type(session.new, bool)
    assert_type(session.modified, bool)
    assert_type(session.accessed, bool)
    assert_type(session.sid, str)
    assert_type(session.size, int)
    assert_type(session.expires_at, float | None)
    session["user"] = {"id": 7}
    session["cart"].append(1)
    session.setdefault("visits", {"count": 0})["count"] += 1
    session.permanent = True
    session.modified = True
    session.regenerate()
    session.set_expiry(timedelta(days=30))
    session.touch()
    session.save()
    session.destroy()
    session.clear()
    use(session)
    interface.regenerate(session)
    return session.sid


def tell(sender: Flask, event: Event) -> None:
    sender.logger.warning("%s", event.reason)


session_refused.connect(tell)
session_refused.connect(tell, site)
for signal in (session_created, session_renewed, session_destroyed):
    assert_type(signal, NamedSignal)


with site.test_client() as client, client.session_transaction() as transaction:
    assert_type(transaction, SessionMixin)
    transaction["user"] = {"id": 7}

theirs: SecureCookieSessionInterface = SecureCookieSessionInterface()
site.session_interface = theirs


# ---- errors ----

try:
    links.unseal(token)
except SealError as error:
    assert_type(error.reason, SealReason)
except Refused as refused:
    assert_type(refused.reason, RefusalReason)
    assert_type(refused.password_id, str | None)
except CookieTooLarge as large:
    assert_type(large.largest, tuple[tuple[str, int], ...])
except PayloadError as problem:
    assert_type(problem.path, str)


# ---- tests of applications ----

clock = FakeClock()
assert_type(clock(), float)
clock.advance(timedelta(minutes=1))
cookies = dump_session({"user": 7}, options, clock=clock)
assert_type(cookies, dict[str, str])
assert_type(load_session(cookies, options), Session)

make: Callable[[WSGIApplication], IronSessionMiddleware] = with_iron_session(
    password=password, cookie_name="session"
)


# Stores and revocations


def whose(data: Mapping[str, Any]) -> str | None:
    return data.get("user_id")


class Users(Revocations):
    """A table of the application's."""

    def is_revoked(self, sid: str, subject: str | None, issued_at: float) -> bool:
        return sid == "" or (subject == "nobody" and issued_at < 1e9)


stores: list[Store] = [
    MemoryStore(max_records=10),
    CacheStore(SimpleCache(), prefix="sessions:"),
    TieredStore(MemoryStore(), staleness=timedelta(seconds=5)),
]
SessionOptions(
    password=password,
    cookie_name="session",
    storage="store",
    store=stores[0],
    revocations=CachedRevocations(MemoryRevocations(), staleness=5),
    subject=whose,
    on_outage="refuse",
    on_conflict="raise",
)
SessionOptions(
    password=password,
    cookie_name="session",
    overflow="store",
    store="memory:",
    revocations="memory:",
    subject="user_id",
)
IronSessionInterface(storage="store", store=MemoryStore(), revocations=Users(), subject="user_id")
IronSessionInterface(storage="store", store="memory:", on_outage="accept", on_conflict="merge")
assert_type(stores[0].sessions_of("7", current="an id"), list[StoredSession])
assert_type(stores[0].end_sessions_of("7", keep="an id"), int)
assert_type(stores[0].load("0" * 64), Record | None)
assert_type(MemoryRevocations().revoke("an id", expires_at=2e9), bool)
MemoryRevocations().revoke_subject("7", before=1.8e9)
MemoryRevocations().revoke_all()
links = Sealer(password, purpose="magic-link", once=MemoryRevocations())
assert_type(links.consume(links.seal({"user_id": 7}, ttl=900)), dict[str, Any])


def on_servers(client: Redis) -> None:
    engine = create_engine("sqlite:///sessions.db")
    SqlStore(engine), SqlStore.from_url("postgresql://localhost/sessions")
    SqlRevocations(engine), SqlRevocations.from_url("sqlite:///revoked.db")
    RedisStore(client, prefix="shop:", replicas=1), RedisStore.from_url("redis://localhost")
    RedisRevocations(client).initialize()
    IronSessionMiddleware(
        app, password=password, cookie_name="connect.sid", vault=IdVault(client, sign=["secret"])
    )


class TestMine(AtomicStoreContract):
    def store(self, clock: Callable[[], float]) -> Store:
        return MemoryStore(clock=clock)


class TestList(RevocationsContract):
    def revocations(self, clock: Callable[[], float]) -> Revocations:
        return MemoryRevocations(clock=clock)
