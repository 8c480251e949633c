"""Every error and warning of the package, in one tree.

Three families: faults of the program (`ConfigError` and the other usage errors), data from outside that
cannot be trusted (`SealError`, `Refused`), and parts that do not answer (`Unavailable`). Messages say what
was wrong and what to do; none of them quotes a password, a cookie or a session's value.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

P = ParamSpec("P")
R = TypeVar("R")

SealReason = Literal["expired", "invalid", "unknown-password"]
RefusalReason = Literal["expired", "invalid", "unknown-password", "no-expiry", "revoked", "lost", "too-old"]


class IronError(Exception):
    """Root of all errors of this package. Never raised itself."""


class ConfigError(IronError, ValueError):
    """An option, a password or a cookie attribute is unusable. Raised when it is given, not at a request."""


class PayloadError(IronError, TypeError):
    """The data cannot be written as JSON that every reader reads back equal.

    Attributes:
        path: Where in the data, for example ``session.cart[2].when``.
    """

    def __init__(self, path: str, problem: str) -> None:
        """Say *problem* about the value at *path*."""
        super().__init__(f"{path} {problem}")
        self.path = path


class CookieTooLarge(IronError, ValueError):
    """The session does not fit into its cookies; the browser keeps the cookie that it has.

    Attributes:
        size: Octets that the whole would need.
        limit: Octets that there are.
        largest: The session's largest top-level keys with the octets each takes, largest first.
    """

    def __init__(
        self, message: str, *, size: int, limit: int, largest: Sequence[tuple[str, int]] = ()
    ) -> None:
        """Add the *largest* keys, by name and size, to *message*."""
        keys = ", ".join(f"{key!r} {octets}" for key, octets in largest)
        super().__init__(f"{message} Largest keys, in octets: {keys}." if keys else message)
        self.size = size
        self.limit = limit
        self.largest = tuple(largest)


class HeadersAlreadySent(IronError, RuntimeError):
    """The response's headers have gone out, so a cookie set now would be lost."""


class SessionDestroyed(IronError, RuntimeError):
    """Data was written into a session that has been destroyed; storing it would sign the visitor in again."""


class SessionConflict(IronError, RuntimeError):
    """A parallel request changed the same keys; raised where ``on_conflict="raise"``. Nothing was written.

    Attributes:
        keys: The top-level keys that both changed.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        """Name the *keys*."""
        super().__init__(f"a parallel request changed the same keys of the session: {', '.join(keys)}")
        self.keys = tuple(keys)


class SealError(IronError):
    """A seal cannot be opened. One of the four classes below is raised.

    Attributes:
        reason: ``"invalid"``, ``"expired"`` or ``"unknown-password"``, the words of iron-session 9's
            ``onUnsealError``.
    """

    reason: SealReason = "invalid"


class InvalidSeal(SealError):
    """Not a seal, altered, made under another password, or its payload is not what it should be."""


class ExpiredSeal(SealError):
    """An authentic seal whose time is over. Never said of a seal whose MAC does not match."""

    reason = "expired"


class UnknownPassword(SealError):
    """The seal names a password id that is not configured here."""

    reason = "unknown-password"


class UsedSeal(SealError):
    """The seal was good for one use, and has been used."""


class Refused(IronError):
    """A cookie value was not accepted as a session; the visitor is anonymous.

    Attributes:
        reason: Why, as one of the words in `RefusalReason`.
        password_id: The id that the value names, unauthenticated; None where it names none.
    """

    def __init__(self, reason: RefusalReason, *, password_id: str | None = None) -> None:
        """Refuse for *reason*."""
        super().__init__(f"the session cookie was refused: {reason}")
        self.reason: RefusalReason = reason
        self.password_id = password_id


class Ended(IronError):
    """The session was ended elsewhere while this request ran: what is written now would bring it back."""


class Unavailable(IronError):
    """A store or a revocation list did not answer: answer 503 with ``Retry-After``, delete no cookie."""


class WeakPasswordWarning(UserWarning):
    """A password is long enough but published, or so uniform that it can be guessed."""


def opaque(function: Callable[P, R]) -> Callable[P, R]:
    """Raise this package's errors without the frames below *function*.

    Tools that record tracebacks with local variables (Sentry, Django's debug page) would otherwise store the
    passwords, cookies and payloads that those frames hold.
    """

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except IronError as error:
            failure = error
        del args, kwargs
        failure.__traceback__ = failure.__cause__ = failure.__context__ = None
        try:
            raise failure
        finally:
            del failure  # the error knows this frame, and the frame would know the error

    return guarded
