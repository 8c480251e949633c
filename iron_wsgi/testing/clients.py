"""A browser that is a dict, and sessions in and out of any test client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, final

from iron_wsgi.cookies.cookie import MAX_COOKIE
from iron_wsgi.cookies.outcome import Outcome
from iron_wsgi.engine.session import Session
from iron_wsgi.errors import HeadersAlreadySent
from iron_wsgi.wsgi.middleware import get_iron_session

if TYPE_CHECKING:
    from typing import TypeAlias

    from typing_extensions import Unpack

    from iron_wsgi.sessions.options import Options, SessionOptions


@final
class DictJar:
    """The cookie jar of one exchange with a browser that is a dict.

    ::

        jar = DictJar()
        with get_iron_session(jar, options) as session:
            session["user"] = 7
        following = DictJar(jar.cookies)  # the browser's next request

    The browser drops a cookie whose name and value exceed 4096 octets, and a Secure one that came over plain
    http (RFC 6265bis 5.6 and 5.7). It keeps the others however old they are, since no server may rely on a
    browser that forgets.

    Attributes:
        sent: Every outcome that was sent, in order.
    """

    def __init__(
        self, cookies: Mapping[str, str | Sequence[str]] | None = None, *, https: bool = True
    ) -> None:
        """Begin an exchange.

        Args:
            cookies: What the request sends: names to values, or to lists of values where a name is repeated.
            https: Whether it came over https; over plain http the browser drops cookies that are Secure.
        """
        self.sent: list[Outcome] = []
        self._came = dict(cookies or {})
        self._https = https
        self._standing: dict[str, Outcome] = {}
        self.is_closed = False

    def read(self, name: str) -> Sequence[str]:
        """Return every value sent under *name*. What was sent back since changes nothing here."""
        came = self._came.get(name, ())
        return (came,) if isinstance(came, str) else tuple(came)

    def send(self, outcome: Outcome) -> None:
        """Put *outcome* on the response, in place of an earlier one of the same session.

        Raises:
            HeadersAlreadySent: It has cookies, and the jar is closed.
        """
        if self.is_closed and outcome.cookies:
            msg = "this DictJar is closed: its response's headers have gone out; save before jar.close()"
            raise HeadersAlreadySent(msg)
        if not self.is_closed:
            self.sent.append(outcome)
            self._standing[outcome.name] = outcome

    def close(self) -> None:
        """Let the response's headers go out: nothing can be sent any more."""
        self.is_closed = True

    @property
    def outcome(self) -> Outcome:
        """What the response carries now, of all its sessions; the name is that of the last to come."""
        standing = self._standing.values()
        return Outcome(
            tuple(cookie for outcome in standing for cookie in outcome.cookies),
            vary=any(outcome.vary for outcome in standing),
            private=any(outcome.private for outcome in standing),
            name=next(reversed(self._standing), ""),
        )

    @property
    def cookies(self) -> dict[str, str | Sequence[str]]:
        """What the browser holds after the response. A repeated name is set or deleted as a whole."""
        held = dict(self._came)
        for cookie in self.outcome.cookies:
            fits = len(cookie.name) + len(cookie.value) <= MAX_COOKIE
            if fits and (self._https or not cookie.options.secure):
                held.pop(cookie.name, None)
                if not cookie.is_deletion:
                    held[cookie.name] = cookie.value
        return held


def dump_session(
    data: Mapping[str, Any], options: SessionOptions | None = None, **settings: Unpack[Options]
) -> dict[str, str]:
    """Return the cookies of a new session that holds *data*: name to value, several for chunks.

    So a test begins signed in::

        cookies = dump_session({"user": 7}, password=PASSWORD, cookie_name="session")

        client.cookies.load(cookies)  # Django's client
        for name, value in cookies.items():
            client.set_cookie(name, value)  # Werkzeug's and Flask's client
            driver.add_cookie({"name": name, "value": value})  # Selenium, on a page of the site
            context.add_cookies([{"name": name, "value": value, "url": URL}])  # Playwright

    Args:
        data: What the session holds.
        options: The application's options.
        **settings: Single options, see `SessionOptions`; changes to *options* where both are given.

    Raises:
        ConfigError: An option is unusable.
        CookieTooLarge: The data do not fit.
        PayloadError: A value is not JSON.
    """
    jar = DictJar()
    session = get_iron_session(jar, options, **settings)
    session.update(data)
    session.save()
    return {cookie.name: cookie.value for cookie in jar.outcome.cookies if not cookie.is_deletion}


class HasValue(Protocol):
    """A cookie as test clients keep it: Werkzeug's ``Cookie``, the standard library's ``Morsel``."""

    @property
    def value(self) -> str:
        """The cookie's value."""
        ...


HeldCookies: TypeAlias = "Mapping[str, str | Sequence[str] | HasValue | None] | Iterable[Mapping[str, Any]]"


def load_session(
    cookies: HeldCookies, options: SessionOptions | None = None, **settings: Unpack[Options]
) -> Session:
    """Return the session that a test client holds, as the application would open it now.

    It is for reading; to change it, give ``dump_session({**session, ...})`` to the client. It is empty, and
    ``is_new``, where the cookies hold no session that can be trusted::

        load_session({"session": client.get_cookie("session")}, options)  # Werkzeug's and Flask's client
        load_session(client.cookies, options)  # Django's client
        load_session(driver.get_cookies(), options)  # Selenium
        load_session(context.cookies(), options)  # Playwright

    Args:
        cookies: Names to values (strings, lists of strings, objects with a ``value``, None for no cookie), or
            dicts with a ``name`` and a ``value``. Other cookies may be among them.
        options: The application's options.
        **settings: Single options, see `SessionOptions`; changes to *options* where both are given.

    Raises:
        ConfigError: An option is unusable.
    """
    held: dict[str, list[str]] = {}
    if isinstance(cookies, Mapping):
        held = {str(name): _values(cookie) for name, cookie in cookies.items()}
    else:
        for cookie in cookies:
            held.setdefault(cookie["name"], []).append(cookie["value"])
    jar = DictJar(held)
    jar.close()
    session = get_iron_session(jar, options, **settings)
    len(session)  # opened here, so that its clock is read here
    return session


def _values(cookie: str | Sequence[str] | HasValue | None) -> list[str]:
    if cookie is None:
        return []
    if isinstance(cookie, str):
        return [cookie]
    return list(cookie) if isinstance(cookie, Sequence) else [cookie.value]
