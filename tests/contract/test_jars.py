from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from werkzeug.test import create_environ
from werkzeug.wrappers import Request, Response

from iron_wsgi import CookieJar, EnvironJar, WerkzeugJar
from iron_wsgi.cookies.outcome import HeaderList
from iron_wsgi.testing import DictJar, JarContract

Pairs = Sequence[tuple[str, str]]
Headers = Callable[[], Iterable[tuple[str, str]]]


def header_of(cookies: Pairs) -> dict[str, str]:
    """The request's headers; a browser with no cookies sends no such line."""
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies)} if cookies else {}


class TestEnvironJar(JarContract):
    def exchange(self, cookies: Pairs, headers: HeaderList) -> tuple[CookieJar, Headers]:
        return EnvironJar(create_environ(headers=header_of(cookies)), headers), lambda: headers

    def closed_jar(self) -> CookieJar:
        return EnvironJar(create_environ())


class TestWerkzeugJar(JarContract):
    def exchange(self, cookies: Pairs, headers: HeaderList) -> tuple[CookieJar, Headers]:
        response = Response()
        response.headers.clear()  # of the content type that Werkzeug puts there
        response.headers.extend(headers)
        request = Request(create_environ(headers=header_of(cookies)))
        return WerkzeugJar(request, response), response.headers.to_wsgi_list

    def closed_jar(self) -> CookieJar:
        return WerkzeugJar(Request(create_environ()))


class TestDictJar(JarContract):
    def exchange(self, cookies: Pairs, headers: HeaderList) -> tuple[CookieJar, Headers]:
        values: dict[str, list[str]] = {}
        for name, value in cookies:
            values.setdefault(name, []).append(value)
        jar = DictJar(values)
        return jar, lambda: jar.outcome.added_to(headers)

    def closed_jar(self) -> CookieJar:
        jar = DictJar()
        jar.close()
        return jar
