"""503, in the place of a session that cannot be had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from werkzeug.exceptions import ServiceUnavailable

from iron_wsgi import Unavailable
from iron_wsgi.servers.outages import RETRY_AFTER

if TYPE_CHECKING:
    from flask.wrappers import Response


@final
class SessionUnavailable(ServiceUnavailable, Unavailable):
    """A store or a list of revocations did not answer: what views get, and error handlers for 503."""

    description = "Sessions cannot be reached at the moment. Please try again in a few seconds."

    def __init__(self) -> None:
        """Ask the visitor to come back."""
        super().__init__(retry_after=RETRY_AFTER)

    def get_headers(self, environ: Any = None, scope: Any = None) -> list[tuple[str, str]]:
        """Return the headers; no cache keeps such a response."""
        return [*super().get_headers(environ, scope), ("Cache-Control", "no-store")]


def refuse(response: Response) -> None:
    """Make *response* a 503: nothing stays of what an application answered that took its session for saved.

    Neither the body, which is closed, nor a header, such as a cookie that signs in or out.
    """
    close = getattr(response.response, "close", None)
    if close is not None:
        close()
    error = SessionUnavailable()
    response.direct_passthrough = False
    response.status_code = 503
    response.headers.clear()
    response.headers.extend(error.get_headers())
    response.set_data(error.get_body())
