"""The response while a store or a list of revocations does not answer: 503."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from werkzeug.exceptions import ServiceUnavailable

from iron_wsgi import Unavailable
from iron_wsgi.servers.outages import RETRY_AFTER

if TYPE_CHECKING:
    from flask.wrappers import Response


@final
class SessionUnavailable(ServiceUnavailable, Unavailable):
    """A store or a list of revocations does not answer. Raised in views; error handlers for 503 get it."""

    description = "Sessions cannot be reached at the moment. Please try again in a few seconds."

    def __init__(self) -> None:
        """Say when to try again (``Retry-After``)."""
        super().__init__(retry_after=RETRY_AFTER)

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
        """Return the headers, among them one that keeps caches from storing the response."""
        return [*super().get_headers(environ, scope), ("Cache-Control", "no-store")]


def refuse(response: Response) -> None:
    """Make *response* a 503. Its body is closed, and no header stays: the session behind it was not saved."""
    close = getattr(response.response, "close", None)
    if close is not None:
        close()
    error = SessionUnavailable()
    response.direct_passthrough = False
    response.status_code = 503
    response.headers.clear()
    response.headers.extend(error.get_headers())
    response.set_data(error.get_body())
