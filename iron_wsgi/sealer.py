"""Sealing values for other carriers than the session: links, forms, headers.

`Sealer` is the one to use: its seals are bound to a purpose. `seal_data` and `unseal_data` are iron-session's
``sealData`` and ``unsealData``, for what has to be exchanged with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, NoReturn, TypeAlias, final

from . import seal as fe26
from .errors import ConfigError, InvalidSeal, PayloadError, SealError, SealReason, UnknownPassword, opaque
from .keys import check_iterations
from .passwords import Password, Passwords
from .payload import StrictJSON

DEFAULT_TTL = 1_209_600  # 14 days, as iron-session 9
MAX_SECONDS = 253_402_300_800  # the year 10000; larger numbers are milliseconds by mistake, or an attack

Clock: TypeAlias = Callable[[], float]
"""A function that returns epoch seconds, as `time.time` does."""

_JSON = StrictJSON()


@opaque
def seal_data(
    data: Mapping[str, Any],
    *,
    password: Password,
    ttl: float | timedelta = DEFAULT_TTL,
    seal_with: int | None = None,
    iterations: int = 1,
    clock: Clock | None = None,
) -> str:
    """Return *data* as a seal, what iron-session's ``sealData`` writes.

    Under the session's password the result IS a session: whoever holds it can send it as the session cookie.
    For anything else than exchanging data with iron-session use `Sealer`, whose seals open for one purpose
    only.

    Args:
        data: A mapping with string keys and JSON values.
        password: Any form that `Passwords.parse` takes.
        ttl: Seconds, or a timedelta, until it expires; 0 for never.
        seal_with: The password id to seal under, when it is not the newest.
        iterations: PBKDF2 rounds; every peer but h3 uses 1.
        clock: Returns epoch seconds; `time.time` if None.

    Raises:
        PayloadError: *data* is not JSON that JavaScript reads back equal.
        ConfigError: The password or the ttl is unusable.
    """
    passwords = Passwords.parse(password, seal_with=seal_with)
    lifetime = seconds(ttl, "ttl")
    expires_at = now(clock) + lifetime if lifetime else None
    return _seal(data, passwords, expires_at, iterations, root="data")


@opaque
def unseal_data(
    seal: str,
    *,
    password: Password,
    iterations: int = 1,
    on_unseal_error: Callable[[SealReason, SealError], object] | None = None,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Return what a seal holds, or ``{}`` if it cannot be opened, as iron-session's ``unsealData``.

    Like iron-session's it accepts a seal without expiry, and an expired one for another 60 seconds.

    Args:
        seal: A seal, with or without iron-session's ``~2``.
        password: Any form that `Passwords.parse` takes.
        iterations: PBKDF2 rounds it was made with.
        on_unseal_error: Called with the reason (``"expired"``, ``"invalid"``, ``"unknown-password"``) and the
            error before ``{}`` is returned. What it raises is passed on.
        clock: Returns epoch seconds; `time.time` if None.

    Raises:
        ConfigError: The password is unusable.
    """
    passwords = Passwords.parse(password)
    try:
        return _unseal(seal, passwords, now(clock), iterations)
    except SealError as error:
        failure = error
    if on_unseal_error is not None:
        on_unseal_error(failure.reason, failure)
    return {}


@final
class Sealer:
    """Seals for one purpose. A seal made for one purpose opens neither under another nor as a session.

    Made once, used by any number of threads::

        links = Sealer(PASSWORD, purpose="magic-link")
        token = links.seal({"user_id": 7}, ttl=900)
        links.unseal(token)  # {'user_id': 7}

    The seals are ordinary Fe26.2 seals under a derived password (see `Passwords.derive`).
    """

    __slots__ = ("_clock", "_iterations", "_passwords")

    @opaque
    def __init__(
        self,
        password: Password,
        *,
        purpose: str,
        seal_with: int | None = None,
        iterations: int = 1,
        clock: Clock | None = None,
    ) -> None:
        """Derive the passwords for *purpose*.

        Raises:
            ConfigError: The password is unusable or the purpose is empty.
        """
        check_iterations(iterations)
        self._passwords = Passwords.parse(password, seal_with=seal_with).derive(purpose)
        self._iterations = iterations
        self._clock = clock

    @opaque
    def seal(self, data: Mapping[str, Any], *, ttl: float | timedelta) -> str:
        """Return *data* as a seal for this purpose.

        Args:
            data: A mapping with string keys and JSON values.
            ttl: Seconds, or a timedelta, until it expires; more than 0.

        Raises:
            PayloadError: *data* is not JSON.
            ConfigError: The ttl is not positive.
        """
        lifetime = seconds(ttl, "ttl")
        if not lifetime:
            msg = "ttl must be positive: a seal that leaves the server needs an end"
            raise ConfigError(msg)
        return _seal(data, self._passwords, now(self._clock) + lifetime, self._iterations, root="data")

    @opaque
    def unseal(self, token: str) -> dict[str, Any]:
        """Return what *token* holds.

        Raises:
            InvalidSeal: Not a seal, altered, or made for another purpose or under another password.
            ExpiredSeal: Authentic, but its time (and 60 seconds) is over.
            UnknownPassword: It names a password id that is not configured.
        """
        return _unseal(token, self._passwords, now(self._clock), self._iterations)

    def __repr__(self) -> str:
        """Show no secret."""
        return f"<Sealer {self._passwords!r}>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: the password would go with it."""
        msg = "a Sealer is not to be pickled"
        raise TypeError(msg)


def _seal(
    data: Mapping[str, Any], passwords: Passwords, expires_at: float | None, iterations: int, *, root: str
) -> str:
    sealed = fe26.seal_at(
        _JSON.dumps(_as_dict(data, root), root=root),
        passwords.sealing,
        password_id=passwords.sealing_id,
        expires_at=expires_at,
        iterations=iterations,
    )
    return sealed + fe26.VERSION_MARK


def _as_dict(data: Mapping[str, Any], root: str) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise PayloadError(root, f"is a {type(data).__name__}; what is sealed must be a mapping")
    return dict(data)


def _unseal(text: str, passwords: Passwords, at: float, iterations: int) -> dict[str, Any]:
    fields = fe26.parse(text)
    opened = fe26.unseal_at(fields, password_for(fields, passwords), now=at, iterations=iterations)
    try:
        data = _JSON.loads(opened.plaintext)
    except (ValueError, RecursionError):
        msg = "the seal is authentic but its payload is not JSON"
        raise InvalidSeal(msg) from None
    if data is None:  # iron-session reads null as an empty session
        return {}
    if not isinstance(data, dict):
        msg = f"the seal is authentic but holds {type(data).__name__} instead of an object"
        raise InvalidSeal(msg)
    return data


def password_for(fields: fe26.Fields, passwords: Passwords) -> str:
    """Return the password that a seal names.

    Raises:
        UnknownPassword: It is not configured.
    """
    password = passwords.get(fields.password_id)
    if password is None:
        msg = (
            "the seal names a password id that is not configured"
            if fields.password_id
            else ("the seal names no password id, and there is no 'default' password")
        )
        raise UnknownPassword(msg)
    return password


def seconds(duration: float | timedelta, name: str) -> float:
    """Return a duration in seconds.

    Raises:
        ConfigError: It is negative, infinite or no number; the message calls it *name*.
    """
    value = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < MAX_SECONDS:
        msg = f"{name} must be a number of seconds or a timedelta, 0 or more, not {duration!r}"
        raise ConfigError(msg)
    return value


def epoch(moment: datetime) -> float:
    """Return a datetime as epoch seconds; one without a zone is UTC, as in Werkzeug."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def now(clock: Clock | None) -> float:
    """Return the clock's time; `time.time` is looked up at each call, so tests can freeze it from outside."""
    return time.time() if clock is None else clock()
