"""For tests: a clock, a browser's cookie jar, sessions in and out of any test client, what jars promise.

Needs no test framework; `JarContract` serves pytest and unittest alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, final

from .cookies import MAX_COOKIE, Cookie, CookieJar, CookieOptions, deletion
from .errors import HeadersAlreadySent
from .middleware import get_iron_session
from .outcome import HeaderList, Outcome
from .passwords import generate_password
from .session import Session

if TYPE_CHECKING:
    from typing import TypeAlias

    from typing_extensions import Unpack

    from .options import Options, SessionOptions

START = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC


class FakeClock:
    """A clock that moves when it is told to; give it as the option ``clock``.

    A session ends when the ttl and the skew are over: ``clock.advance(options.ttl + options.skew)``.

    Attributes:
        now: Epoch seconds; 2027-01-15 08:00:00 UTC at first.
    """

    def __init__(self, now: float = START) -> None:
        """Stand at *now*, in epoch seconds."""
        self.now = now

    def __call__(self) -> float:
        """Return epoch seconds, as `time.time` does."""
        return self.now

    def advance(self, duration: float | timedelta) -> None:
        """Move by seconds or a timedelta; a negative one sets the clock back."""
        self.now += duration.total_seconds() if isinstance(duration, timedelta) else duration


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
        self._is_closed = False

    def read(self, name: str) -> Sequence[str]:
        """Return every value sent under *name*. What was sent back since changes nothing here."""
        came = self._came.get(name, ())
        return (came,) if isinstance(came, str) else tuple(came)

    def send(self, outcome: Outcome) -> None:
        """Put *outcome* on the response, in place of an earlier one of the same session.

        Raises:
            HeadersAlreadySent: It has cookies, and the jar is closed.
        """
        if self._is_closed and outcome.cookies:
            msg = "this DictJar is closed: its response's headers have gone out; save before jar.close()"
            raise HeadersAlreadySent(msg)
        if not self._is_closed:
            self.sent.append(outcome)
            self._standing[outcome.name] = outcome

    def close(self) -> None:
        """Let the response's headers go out: nothing can be sent any more."""
        self._is_closed = True

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


class JarContract:
    """What every cookie jar promises, as tests. Inherit from it, and write two methods.

    ::

        class TestMyJar(JarContract):
            def exchange(self, cookies, headers):
                request = MyRequest(cookie="; ".join(f"{name}={value}" for name, value in cookies))
                response = MyResponse(headers=headers)
                return MyJar(request, response), lambda: response.header_list

            def closed_jar(self):
                return MyJar(MyRequest(), MyResponse(is_sent=True))
    """

    def exchange(
        self, cookies: Sequence[tuple[str, str]], headers: HeaderList
    ) -> tuple[CookieJar, Callable[[], Iterable[tuple[str, str]]]]:
        """Begin an exchange.

        Args:
            cookies: What the request sends, in this order; a name may come repeatedly.
            headers: What the application has put on the response so far.

        Returns:
            The jar, and a function that returns all headers which the response has by then.
        """
        raise NotImplementedError

    def closed_jar(self) -> CookieJar:
        """Return the jar of an exchange that can set no cookie any more, or never could."""
        raise NotImplementedError

    def test_every_value_sent_under_a_name_is_read_unchanged_in_the_order_of_the_header(self) -> None:
        """Of several cookies the engine chooses, so it has to see them all."""
        seal = "Fe26.2*1*0a*A-_z*B*1800000000000*0b*C~2"
        sent = [("session", "2"), ("other", "x"), ("session", seal), ("session", "1"), ("session", "2")]
        jar, _ = self.exchange(sent, [])
        _same(list(jar.read("session")), ["2", seal, "1", "2"], "every value, in the order of the header")

    def test_a_name_that_was_not_sent_has_no_values(self) -> None:
        """Neither None nor an error."""
        for sent in ([], [("other", "x")]):
            _same(list(self.exchange(sent, [])[0].read("session")), [], "no values where none was sent")

    def test_only_the_very_name_is_read(self) -> None:
        """Names are compared whole, and with regard to case (RFC 6265bis 5.7)."""
        sent = [("Session", "a"), ("session.0", "b"), ("xsession", "c"), ("session", "d")]
        jar, _ = self.exchange(sent, [])
        _same(list(jar.read("session")), ["d"], "the values of that very name")
        _same(list(jar.read("session.0")), ["b"], "the values of a name with a dot")

    def test_sending_does_not_change_what_is_read(self) -> None:
        """The request stays what it was."""
        jar, _ = self.exchange([("session", "came")], [])
        jar.send(_outcome(_cookie("session", "sent")))
        _same(list(jar.read("session")), ["came"], "the request's cookie")

    def test_each_cookie_of_an_outcome_becomes_one_set_cookie_line(self) -> None:
        """With all its attributes; deletions are cookies too."""
        jar, headers = self.exchange([], [])
        cookies = (_cookie("session.0", "a"), _cookie("session.1", "b"), deletion("session", CookieOptions()))
        jar.send(_outcome(*cookies))
        _same(_set_cookies(headers()), [cookie.header for cookie in cookies], "one line per cookie")

    def test_a_later_outcome_takes_the_place_of_an_earlier_one(self) -> None:
        """One line per name goes out: the last intent."""
        jar, headers = self.exchange([], [])
        jar.send(_outcome(_cookie("session.0", "a"), _cookie("session.1", "b")))
        last = _cookie("session", "c")
        jar.send(_outcome(last))
        _same(_set_cookies(headers()), [last.header], "the last outcome, alone")
        jar.send(_outcome())
        _same(_set_cookies(headers()), [], "nothing, as the last outcome says")

    def test_two_sessions_of_one_exchange_both_keep_their_cookies(self) -> None:
        """An outcome takes the place of its own session's, not of another's."""
        jar, headers = self.exchange([], [])
        password = generate_password()
        for name in ("shop", "admin"):
            session = get_iron_session(jar, password=password, cookie_name=name)
            session["user"] = 7
            session.save()
        names = [line.partition("=")[0] for line in _set_cookies(headers())]
        _same(sorted(names), ["admin", "shop"], "a line for each session")

    def test_other_headers_keep_their_order_and_their_octets(self) -> None:
        """Those of the application, its own cookies among them."""
        before = [("X-One", "1"), ("Set-Cookie", 'theme="dark"; Path=/'), ("x-one", "\u00e9; 2")]
        jar, headers = self.exchange([], list(before))
        for value in ("a", "b"):
            cookie = _cookie("session", value)
            jar.send(_outcome(cookie))
            others = [line for line in headers() if line[1] != cookie.header]
            _same(others, before, "the application's headers")

    def test_caches_are_told(self) -> None:
        """By ``Vary``, and by ``Cache-Control`` where a cookie goes out."""
        jar, headers = self.exchange([], [("Vary", "Accept")])
        jar.send(_outcome(_cookie("session", "a"), vary=True, private=True))
        told = [line for line in headers() if line[0] != "Set-Cookie"]
        expected = [("Vary", "Accept, Cookie"), ("Cache-Control", "private, no-store")]
        _same(told, expected, "what caches are told")

    def test_what_would_be_lost_is_refused(self) -> None:
        """A cookie that is never set must not pass for a saved session; without one nothing is lost."""
        jar = self.closed_jar()
        jar.send(_outcome(vary=True))
        try:
            jar.send(_outcome(_cookie("session", "a")))
        except HeadersAlreadySent:
            return
        msg = "send() on a jar that cannot send must raise HeadersAlreadySent"
        raise AssertionError(msg)


def _cookie(name: str, value: str) -> Cookie:
    return Cookie(name=name, value=value, options=CookieOptions(), max_age=60)


def _outcome(*cookies: Cookie, vary: bool = False, private: bool = False) -> Outcome:
    return Outcome(cookies, vary=vary, private=private, name="session")


def _set_cookies(headers: Iterable[tuple[str, str]]) -> list[str]:
    return [value for name, value in headers if name.lower() == "set-cookie"]


def _values(cookie: str | Sequence[str] | HasValue | None) -> list[str]:
    if cookie is None:
        return []
    if isinstance(cookie, str):
        return [cookie]
    return list(cookie) if isinstance(cookie, Sequence) else [cookie.value]


def _same(found: object, expected: object, promise: str) -> None:
    """Fail with both sides. Not an ``assert``, which ``python -O`` leaves out."""
    if found != expected:
        msg = f"{promise}: expected {expected!r}, found {found!r}"
        raise AssertionError(msg)
