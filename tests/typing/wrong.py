"""Mistakes that type checkers must see. Every marked line is one, and no other line is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask
from flask.sessions import SessionMixin

from iron_wsgi import (
    CookieOptions,
    EnvironJar,
    Event,
    IronSessionMiddleware,
    Passwords,
    Sealer,
    Session,
    SessionOptions,
    get_iron_session,
    seal_data,
    session_from,
    unseal_data,
    with_iron_session,
)
from iron_wsgi.seals import seal
from iron_wsgi_flask import FlaskSession, IronSessionInterface, session, session_refused

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PASSWORD = "made by keygen"


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    session = session_from(environ)
    session.user = 7  # wrong
    session["again"] = session.user  # wrong
    session[7] = "user"  # wrong
    session.set_expiry("tomorrow")  # wrong
    session.regenerate(True)  # wrong
    session.update_options(ttl="60")  # wrong
    session.update_options(timeToLive=60)  # wrong
    session.is_new = False  # wrong
    session.sid = "mine"  # wrong
    start_response("200 OK", [])
    return []


SessionOptions(PASSWORD, "session")  # wrong
SessionOptions(password=PASSWORD, cookieName="session")  # wrong
SessionOptions(password=PASSWORD.encode(), cookie_name="session")  # wrong
SessionOptions(password=7, cookie_name="session")  # wrong
SessionOptions(password=PASSWORD, cookie_name=b"session")  # wrong
SessionOptions(password=PASSWORD, cookie_name="session", ttl="60")  # wrong
SessionOptions(password=PASSWORD, cookie_name="session", ttl=None)  # wrong
SessionOptions(password=PASSWORD, cookie_name="session", overflow="truncate")  # wrong
SessionOptions(password=PASSWORD, cookie_name="session", accept=("pickle",))  # wrong
SessionOptions(password=PASSWORD, cookie_name="session", accept="next-iron-session")  # wrong
SessionOptions(password=PASSWORD, cookie_name="session", serializer=object())  # wrong
SessionOptions(password=PASSWORD, cookie_name="session", clock=5.0)  # wrong
SessionOptions(password=PASSWORD, cookie_name="session").ttl = 60  # wrong
IronSessionMiddleware(app, PASSWORD)  # wrong
IronSessionMiddleware(app, options={"password": PASSWORD})  # wrong
with_iron_session(app)  # wrong
CookieOptions(samesite="Sloppy")  # wrong
CookieOptions(httpOnly=True)  # wrong
CookieOptions(False)  # wrong
get_iron_session({}, password=PASSWORD, cookie_name="session")  # wrong
get_iron_session(EnvironJar({}), PASSWORD)  # wrong
session_from("environ")  # wrong
Event(kind="stolen", cookie_name="session")  # wrong
Passwords(PASSWORD)  # wrong
Sealer(PASSWORD)  # wrong
Sealer(PASSWORD, purpose="links").seal({})  # wrong
Sealer(PASSWORD, purpose="links").unseal(None)  # wrong
name = Sealer(PASSWORD, purpose="links").unseal("x").user  # wrong
seal_data({7: "x"}, password=PASSWORD)  # wrong
seal_data({})  # wrong
unseal_data(b"x", password=PASSWORD)  # wrong
seal.seal("text", PASSWORD)  # wrong
seal.seal(b"octets", PASSWORD, algorithm="aes-256-gcm")  # wrong


class Mine(Sealer):  # wrong
    pass


class Shop(Session):  # a session may be given names
    pass


IronSessionInterface(ttl="60")  # wrong
IronSessionInterface(time_to_live=60)  # wrong
IronSessionInterface(PASSWORD, "json")  # wrong
IronSessionInterface(password=7)  # wrong
IronSessionInterface(serializer="pickle")  # wrong
IronSessionInterface(serializer=object())  # wrong
IronSessionInterface(accept=("signed_cookies",))  # wrong
IronSessionInterface(accept="flask")  # wrong
IronSessionInterface(cookie_options=True)  # wrong
IronSessionInterface(environ_key="session")  # wrong
IronSessionInterface(overflow="truncate")  # wrong
SessionOptions(password=PASSWORD, cookie_name="session", storage="redis")  # wrong
SessionOptions(password=PASSWORD, cookie_name="session", store={})  # wrong
SessionOptions(password=PASSWORD, cookie_name="session", revocations=["an id"])  # wrong
SessionOptions(password=PASSWORD, cookie_name="session", subject=7)  # wrong
SessionOptions(password=PASSWORD, cookie_name="session", on_outage="ignore")  # wrong
SessionOptions(password=PASSWORD, cookie_name="session", on_conflict="retry")  # wrong
IronSessionInterface.sealer("links")  # wrong
IronSessionInterface().sealer()  # wrong
IronSessionInterface().sealer("links").seal({})  # wrong
Flask(__name__).session_interface = IronSessionInterface  # wrong
FlaskSession()  # wrong
session_refused.connect()  # wrong


def view() -> str:
    session.user = 7  # wrong
    session["again"] = session.user  # wrong
    session[7] = "user"  # wrong
    session.permanent = "yes"  # wrong
    session.regenerate(True)  # wrong
    session.set_expiry("tomorrow")  # wrong
    session.sid = "mine"  # wrong
    session.new = False  # wrong
    return session.size  # wrong


class Loose(IronSessionInterface):
    def get_cookie_secure(self, app: Flask) -> str:  # wrong
        return app.name

    def should_set_cookie(self, app: Flask) -> bool:  # wrong
        return app.debug

    def get_expiration_time(self, app: Flask, session: SessionMixin) -> float:  # wrong
        return app.debug + len(session)
