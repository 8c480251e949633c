"""What every cookie jar promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from iron_wsgi.cookies.cookie import Cookie, deletion
from iron_wsgi.cookies.jar import CookieJar
from iron_wsgi.cookies.options import CookieOptions
from iron_wsgi.cookies.outcome import HeaderList, Outcome
from iron_wsgi.errors import HeadersAlreadySent
from iron_wsgi.seals.passwords import generate_password
from iron_wsgi.wsgi.middleware import get_iron_session

from .promise import same


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
        same(list(jar.read("session")), ["2", seal, "1", "2"], "every value, in the order of the header")

    def test_a_name_that_was_not_sent_has_no_values(self) -> None:
        """Neither None nor an error."""
        for sent in ([], [("other", "x")]):
            same(list(self.exchange(sent, [])[0].read("session")), [], "no values where none was sent")

    def test_only_the_very_name_is_read(self) -> None:
        """Names are compared whole, and with regard to case (RFC 6265bis 5.7)."""
        sent = [("Session", "a"), ("session.0", "b"), ("xsession", "c"), ("session", "d")]
        jar, _ = self.exchange(sent, [])
        same(list(jar.read("session")), ["d"], "the values of that very name")
        same(list(jar.read("session.0")), ["b"], "the values of a name with a dot")

    def test_sending_does_not_change_what_is_read(self) -> None:
        """The request stays what it was."""
        jar, _ = self.exchange([("session", "came")], [])
        jar.send(_outcome(_cookie("session", "sent")))
        same(list(jar.read("session")), ["came"], "the request's cookie")

    def test_each_cookie_of_an_outcome_becomes_one_set_cookie_line(self) -> None:
        """With all its attributes; deletions are cookies too."""
        jar, headers = self.exchange([], [])
        cookies = (_cookie("session.0", "a"), _cookie("session.1", "b"), deletion("session", CookieOptions()))
        jar.send(_outcome(*cookies))
        same(_set_cookies(headers()), [cookie.header for cookie in cookies], "one line per cookie")

    def test_a_later_outcome_takes_the_place_of_an_earlier_one(self) -> None:
        """One line per name goes out: the last intent."""
        jar, headers = self.exchange([], [])
        jar.send(_outcome(_cookie("session.0", "a"), _cookie("session.1", "b")))
        last = _cookie("session", "c")
        jar.send(_outcome(last))
        same(_set_cookies(headers()), [last.header], "the last outcome, alone")
        jar.send(_outcome())
        same(_set_cookies(headers()), [], "nothing, as the last outcome says")

    def test_two_sessions_of_one_exchange_both_keep_their_cookies(self) -> None:
        """An outcome takes the place of its own session's, not of another's."""
        jar, headers = self.exchange([], [])
        password = generate_password()
        for name in ("shop", "admin"):
            session = get_iron_session(jar, password=password, cookie_name=name)
            session["user"] = 7
            session.save()
        names = [line.partition("=")[0] for line in _set_cookies(headers())]
        same(sorted(names), ["admin", "shop"], "a line for each session")

    def test_other_headers_keep_their_order_and_their_octets(self) -> None:
        """Those of the application, its own cookies among them."""
        before = [("X-One", "1"), ("Set-Cookie", 'theme="dark"; Path=/'), ("x-one", "\u00e9; 2")]
        jar, headers = self.exchange([], list(before))
        for value in ("a", "b"):
            cookie = _cookie("session", value)
            jar.send(_outcome(cookie))
            others = [line for line in headers() if line[1] != cookie.header]
            same(others, before, "the application's headers")

    def test_caches_are_told(self) -> None:
        """By ``Vary``, and by ``Cache-Control`` where a cookie goes out."""
        jar, headers = self.exchange([], [("Vary", "Accept")])
        jar.send(_outcome(_cookie("session", "a"), vary=True, private=True))
        told = [line for line in headers() if line[0] != "Set-Cookie"]
        expected = [("Vary", "Accept, Cookie"), ("Cache-Control", "private, no-store")]
        same(told, expected, "what caches are told")

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
