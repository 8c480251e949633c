"""What a response must carry for a session: a value that the engine computes and adapters apply."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias, final

from werkzeug.datastructures import ResponseCacheControl
from werkzeug.http import parse_cache_control_header

from .cookie import Cookie

HeaderList: TypeAlias = "list[tuple[str, str]]"

logger = logging.getLogger("iron_wsgi")


@final
class Outcome(NamedTuple):
    """Everything that a response must carry for one session.

    Attributes:
        cookies: The ``Set-Cookie`` lines, deletions among them, one per name.
        vary: The response depends on the session, so it needs ``Vary: Cookie``.
        private: A session cookie goes out, so shared caches must not keep the response.
        name: The session cookie's name, by which a jar tells the sessions of one exchange apart.
    """

    cookies: tuple[Cookie, ...] = ()
    vary: bool = False
    private: bool = False
    name: str = ""

    def added_to(self, headers: Sequence[tuple[str, str]], *, replacing: Outcome | None = None) -> HeaderList:
        """Return *headers* with this outcome in place of the one it is *replacing*.

        Other headers keep their order and their octets. An existing ``Vary`` is extended, and ``*`` is left
        alone. A response without ``Cache-Control`` gets ``private, no-store`` when a cookie is set or
        deleted; one that a shared cache might keep is made ``private``, with a logged warning.
        """
        lines = list(headers)
        if replacing is not None:
            former = {("Set-Cookie", cookie.header) for cookie in replacing.cookies}
            lines = [line for line in lines if line not in former]
        if self.vary:
            _vary_by_cookie(lines)
        if self.private:
            _keep_from_shared_caches(lines)
        lines.extend(("Set-Cookie", cookie.header) for cookie in self.cookies)
        return lines


NOTHING = Outcome()
"""The outcome of a request that never touched its session."""


def _vary_by_cookie(headers: HeaderList) -> None:
    """Add Cookie to Vary, once (RFC 9110 section 12.5.5)."""
    last = None
    for index, (name, value) in enumerate(headers):
        if name.lower() == "vary":
            if {"*", "cookie"} & set(_tokens(value)):
                return
            last = index
    if last is None:
        headers.append(("Vary", "Cookie"))
    else:
        name, value = headers[last]
        headers[last] = (name, f"{value}, Cookie" if value.strip() else "Cookie")


def _tokens(value: str) -> Iterable[str]:
    return (token.strip().lower() for token in value.split(","))


def _keep_from_shared_caches(headers: HeaderList) -> None:
    """Make the response private (RFC 9111 section 7.3): its cookie is one visitor's."""
    places = [index for index, (name, _) in enumerate(headers) if name.lower() == "cache-control"]
    if not places:
        headers.append(("Cache-Control", "private, no-store"))
        return
    given = ", ".join(headers[index][1] for index in places)
    control = parse_cache_control_header(given.lower(), cls=ResponseCacheControl)
    if control.no_store or control.private is True:  # private="field" guards that field only
        return
    if control.public or control.s_maxage is not None:
        logger.warning(
            "a response that sets the session cookie said 'Cache-Control: %s'; it was made private. "
            "Do not touch the session where the response is public.",
            given,
        )
    control.public = False
    control.s_maxage = None
    control.private = True
    headers[places[0]] = (headers[places[0]][0], control.to_header())
    for index in reversed(places[1:]):
        del headers[index]
