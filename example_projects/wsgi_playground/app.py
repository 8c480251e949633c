"""A playground for sealed sessions: sign in, look at the cookie, change it, break it.

No framework: Werkzeug reads requests and finds routes, iron_wsgi keeps the session. `application` is what a
WSGI server serves; nothing is kept on the server but the passwords.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

from werkzeug.exceptions import BadRequest, Forbidden, HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.security import check_password_hash
from werkzeug.utils import redirect
from werkzeug.wrappers import Request as WerkzeugRequest
from werkzeug.wrappers import Response

from iron_wsgi import (
    Cookie,
    CookieTooLarge,
    EnvironJar,
    IronSessionMiddleware,
    Session,
    session_from,
    unseal_data,
)

from . import pages, session_page
from .anatomy import cut, tampered
from .keyring import COOKIE, Keyring
from .session_page import Visit

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ACCOUNT: Final = ("ada", "lovelace")
# What a site keeps of a password, made once by werkzeug.security.generate_password_hash.
PASSWORD_HASH: Final = (
    "scrypt:32768:8:1$AXWI6buRzP2hL66Z$"
    "00904ca693afc2a5a38d7e78e56f5f957c1a4dc88d73c732878d33b85d73d1ca"
    "28e5a0485035e6d78559f19f5fa5c0bd861e5076ce9b6d66b66fd724c733cac6"
)
PADDING: Final = 500  # octets that one press of the button adds

STYLE: Final = Path(__file__).with_name("style.css")

HEADERS: Final = {
    # No script at all: whatever a visitor types, nothing on these pages runs.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

STALE: Final = (
    "The form was not made for the session you have now, so nothing was done. Perhaps the session ended, or "
    "you signed in or out in another window. Go back, load the page again, and try once more."
)

MARK_CHANGED: Final = (
    "You changed the mark, and you are still signed in: it is not authenticated, so nothing depends on it."
)


@final
class Request(WerkzeugRequest):
    """A request whose form is small."""

    max_content_length = 16 * 1024
    max_form_memory_size = 16 * 1024


@final
class Playground:
    """The site. Needs `IronSessionMiddleware` around it."""

    def __init__(self, keyring: Keyring, clock: Callable[[], float]) -> None:
        """Show what *keyring* does, by *clock*."""
        self._keyring = keyring
        self._clock = clock
        self._style = STYLE.read_bytes()
        self._routes = Map(
            [
                Rule("/", endpoint=self.start, methods=["GET"]),
                Rule("/style.css", endpoint=self.style, methods=["GET"]),
                Rule("/session", endpoint=self.session, methods=["GET"]),
                Rule("/sign-in", endpoint=self.sign_in_form, methods=["GET"]),
                Rule("/sign-in", endpoint=self.sign_in, methods=["POST"]),
                Rule("/sign-out", endpoint=self.sign_out, methods=["POST"]),
                Rule("/items", endpoint=self.add_item, methods=["POST"]),
                Rule("/apples", endpoint=self.add_apple, methods=["POST"]),
                Rule("/padding", endpoint=self.add_padding, methods=["POST"]),
                Rule("/emptying", endpoint=self.empty, methods=["POST"]),
                Rule("/rotation", endpoint=self.rotate, methods=["POST"]),
                Rule("/tampering", endpoint=self.tamper, methods=["POST"]),
            ],
            merge_slashes=False,
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        request = Request(environ)
        session = session_from(environ)
        try:
            endpoint, _ = self._routes.bind_to_environ(environ).match()
            if request.method == "POST":
                _check_token(request, session)
            response: Response = endpoint(request, session)
        except HTTPException as error:
            response = _page(pages.problem(error.name, error.description or ""), status=error.code or 500)
            response.headers.extend(
                (name, value) for name, value in error.get_headers(environ) if name == "Allow"
            )
        response.headers.extend(HEADERS)
        return response(environ, start_response)

    # What everybody may see. Neither of the two touches the session.

    def start(self, request: Request, _session: Session) -> Response:
        """Show the start page."""
        page = pages.start(ACCOUNT, is_secure=request.is_secure, is_signed_out="signed-out" in request.args)
        return Response(page, mimetype="text/html")

    def style(self, request: Request, _session: Session) -> Response:
        """Send the style sheet, or say that the browser has it."""
        response = Response(self._style, mimetype="text/css")
        response.cache_control.public = True
        response.cache_control.max_age = 60 * 60
        response.set_etag(hashlib.sha256(self._style).hexdigest()[:16])
        return response.make_conditional(request)

    # Signing in and out.

    def sign_in_form(self, _request: Request, session: Session) -> Response:
        """Show the form, with a token in a session of its own: no other site can sign a visitor in."""
        if "user" in session:
            return redirect("/session", 303)
        token = session.setdefault("csrf", secrets.token_urlsafe(16))
        return _page(pages.sign_in(ACCOUNT, token))

    def sign_in(self, request: Request, session: Session) -> Response:
        """Begin a session, under a new id and with a new token, if name and password are right."""
        name, password = request.form.get("name", ""), request.form.get("password", "")
        # Both are always looked at: how long it takes does not tell which of them was wrong.
        is_right = check_password_hash(PASSWORD_HASH, password)
        if name != ACCOUNT[0] or not is_right:
            return _page(pages.sign_in(ACCOUNT, session["csrf"], wrong_name=name[:100]), status=403)
        session.regenerate(clear=True)
        session.update(user=name, csrf=secrets.token_urlsafe(16), items=[], cart={"apples": 0})
        return _saved(
            session, "Welcome. This message is a flash: it was in your cookie, and it is gone already."
        )

    def sign_out(self, _request: Request, session: Session) -> Response:
        """End the session."""
        session.destroy()
        return redirect("/?signed-out", 303)

    # The session.

    def session(self, request: Request, session: Session) -> Response:
        """Show the session and its cookie, or why there is none."""
        changed = request.args.get("changed")
        if "user" not in session:
            state = session.state
            reason, is_kept = (state.refused, state.keep_cookie) if state else (None, False)
            return _page(pages.anonymous(reason=reason, is_kept=is_kept, changed=changed))
        notice = session.pop_flash("notice")
        if changed == "mark":
            notice = MARK_CHANGED
        options = self._keyring.options(request.environ)
        came, payload = self._cookie(request)
        visit = Visit(
            user=session["user"],
            token=session["csrf"],
            notice=notice,
            is_secure=request.is_secure,
            now=self._clock(),
            data=session.copy(),
            sid=session.sid,
            issued_at=session.issued_at,
            expires_at=session.expires_at or 0,
            ends_at=session.issued_at + (options.absolute_timeout or 0),
            size=session.size,
            cookie=cut(came),
            payload=payload,
            password_ids=options.password.ids,
            sealing_id=options.password.sealing_id,
        )
        return _page(session_page.session(visit))

    def add_item(self, request: Request, session: Session) -> Response:
        """Change a list inside the session."""
        item = request.form.get("item", "").strip()[:100]
        if not item:
            raise BadRequest("There was nothing to add.")
        session["items"].append(item)
        return _saved(session, f"“{item}” was added. Changes inside a list are noticed by themselves.")

    def add_apple(self, _request: Request, session: Session) -> Response:
        """Change a number inside a mapping inside the session."""
        session["cart"]["apples"] += 1
        return _saved(session, f"Apples in the cart: {session['cart']['apples']}.")

    def add_padding(self, _request: Request, session: Session) -> Response:
        """Make the session larger, until it does not fit."""
        session["padding"] = session.get("padding", "") + PADDING * "x"
        return _saved(session, f"{PADDING} octets more.")

    def empty(self, _request: Request, session: Session) -> Response:
        """Take out what was put in."""
        session["items"].clear()
        session["cart"]["apples"] = 0
        session.unset("padding")
        return _saved(session, "Everything that you put in is out again.")

    def rotate(self, _request: Request, _session: Session) -> Response:
        """Make a new password. Sessions follow by themselves, each when it is used next."""
        self._keyring.rotate()
        return redirect("/session#rotation", 303)

    def tamper(self, request: Request, session: Session) -> Response:
        """Send the visitor's own cookie back, with one character changed."""
        part = request.form.get("part", "")
        try:
            value = tampered(self._cookie(request)[0], part)
        except KeyError:
            raise BadRequest("The cookie has no such part.") from None
        # Otherwise a renewal that is due just now would put a good cookie behind the bad one.
        session.update_options(auto_commit=False)
        options = self._keyring.options(request.environ)
        bad = Cookie(name=COOKIE, value=value, options=options.cookie_options, max_age=int(options.ttl))
        response = redirect(f"/session?changed={part}", 303)
        response.headers.add("Set-Cookie", bad.header)
        response.cache_control.no_store = True
        return response

    def _cookie(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Return the session's cookie as it came in, and what it holds."""
        password = self._keyring.options(request.environ).password
        # There may be others of its name, from another folder or another program on this machine.
        for cookie in EnvironJar(request.environ).read(COOKIE):
            if payload := unseal_data(cookie, password=password, clock=self._clock):
                return cookie, payload
        raise Forbidden(STALE)


def create_application(
    clock: Callable[[], float] = time.time, keyring: Keyring | None = None
) -> IronSessionMiddleware:
    """Return a playground, by default with passwords of its own. *clock* returns epoch seconds."""
    keyring = keyring or Keyring(clock)
    return IronSessionMiddleware(Playground(keyring, clock), options=keyring.options)


application = create_application()


def _check_token(request: Request, session: Session) -> None:
    """Refuse a form that was not made for this session: another site may have sent it."""
    token, given = session.get("csrf", ""), request.form.get("csrf", "")
    if not token or not hmac.compare_digest(token.encode(), given.encode()):
        raise Forbidden(STALE)
    if "user" not in session and request.path != "/sign-in":
        raise Forbidden("Sign in first.")


def _saved(session: Session, notice: str) -> Response:
    """Save *session* with a message for the next page, or explain that it does not fit."""
    session.flash("notice", notice)
    try:
        session.save()
    except CookieTooLarge as error:
        # The change is forgotten: without this it would be tried again, and fail, at the end of the request.
        session.update_options(auto_commit=False)
        return _page(pages.too_large(error), status=409)
    return redirect("/session", 303)


def _page(html: str, status: int = 200) -> Response:
    """Return a page about one visitor, which no cache may keep."""
    response = Response(html, status, mimetype="text/html")
    response.cache_control.private = True
    response.cache_control.no_store = True
    return response
