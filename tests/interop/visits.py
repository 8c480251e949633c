"""One request on either side, asked for in the same words and answered in the same shape.

`here` runs a WSGI application behind the real middleware; `there` runs a library in Node on Node's own
request and response. `Browser` keeps the cookies between them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from werkzeug.test import Client

from iron_wsgi.wsgi.middleware import IronSessionMiddleware, session_from

from .payloads import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from iron_wsgi.engine.session import Session
    from iron_wsgi.sessions.events import Event

    from .peers import Answer, Call, Peers

COOKIE: Final = "session"

Step: TypeAlias = "tuple[Any, ...]"
"""``("set", key, value)``, ``("unset", key)``, ``("save",)`` or ``("destroy",)``."""


class Visit(NamedTuple):
    """What a library found in a request's cookies, and what it put on the response."""

    found: Any
    set_cookie: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


def here(
    cookie: str | None = None, *, steps: Sequence[Step] = (), now_ms: int | None = None, **options: Any
) -> Visit:
    """Make one request to this package."""
    found: list[dict[str, Any]] = []
    reasons: list[str] = []

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        session = session_from(environ)
        found.append(session.copy())
        for step in steps:
            _take(step, session)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"done"]

    def note(event: Event) -> None:
        if event.reason is not None:
            reasons.append(event.reason)

    if now_ms is not None:
        options["clock"] = lambda: now_ms / 1000
    middleware = IronSessionMiddleware(application, **{"cookie_name": COOKIE, "on_event": note, **options})
    headers = {} if cookie is None else {"Cookie": cookie}
    response = Client(middleware, use_cookies=False).get(
        "/", base_url="https://example.test", headers=headers
    )
    assert response.status_code == 200
    return Visit(found[0], tuple(response.headers.getlist("Set-Cookie")), tuple(reasons))


def there(
    peers: Peers,
    peer: str,
    cookie: str | None = None,
    *,
    steps: Sequence[Step] = (),
    now_ms: int | None = None,
    **options: Any,
) -> Visit:
    """Make one request to a library in Node."""
    return visit_of(peers.ask_all([call(peer, cookie, steps=steps, now_ms=now_ms, **options)])[0])


def call(
    peer: str,
    cookie: str | None = None,
    *,
    steps: Sequence[Step] = (),
    now_ms: int | None = None,
    **options: Any,
) -> Call:
    """Return the call for one request, to be made together with others."""
    described: Call = {
        "call": "visit",
        "peer": peer,
        "cookie": cookie,
        "options": {"cookieName": COOKIE, **options},
        "steps": [[*step[:2], text_of(step[2])] if step[0] == "set" else list(step) for step in steps],
    }
    return described if now_ms is None else {**described, "now": now_ms}


def visit_of(answer: Answer) -> Visit:
    """Return what a library answered to a call."""
    assert answer.ok, answer
    value = answer.value
    return Visit(json.loads(value["found"]), tuple(value["setCookie"]), tuple(value["reasons"]))


def _take(step: Step, session: Session) -> None:
    verb, *arguments = step
    if verb == "set":
        session[arguments[0]] = arguments[1]
    elif verb == "unset":
        session.unset(*arguments)
    elif verb == "save":
        session.save()
    elif verb == "destroy":
        session.destroy()
    else:
        raise ValueError(verb)


@dataclass
class Browser:
    """A cookie store for one site: the last value under each name, and deletion by ``Max-Age=0``."""

    cookies: dict[str, str] = field(default_factory=dict)

    def take(self, visit: Visit) -> Visit:
        """Keep what a response sets, and pass the visit on."""
        self.keep(visit.set_cookie)
        return visit

    def keep(self, lines: Iterable[str]) -> None:
        """Keep what the lines set, in their order."""
        for line in lines:
            name, value = pair_of(line)
            if attributes_of(line).get("max-age") == "0":
                self.cookies.pop(name, None)
            else:
                assert len(line.encode()) <= 4096, "a browser would drop this cookie"
                self.cookies[name] = value

    @property
    def header(self) -> str | None:
        """The ``Cookie`` header of the next request."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items()) or None


def pair_of(line: str) -> tuple[str, str]:
    """Return name and value of a ``Set-Cookie`` line."""
    name, _, value = line.partition(";")[0].partition("=")
    return name, value


def attributes_of(line: str) -> dict[str, str]:
    """Return the attributes of a ``Set-Cookie`` line, names in lower case; browsers ignore their order."""
    attributes = [attribute.strip().partition("=") for attribute in line.split(";")[1:]]
    return {name.lower(): value for name, _, value in attributes}
