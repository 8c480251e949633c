"""Sealing values for other carriers than the session: links, forms, headers.

`Sealer` is the one to use: its seals are bound to a purpose. `seal_data` and `unseal_data` are iron-session's
``sealData`` and ``unsealData``, for what has to be exchanged with it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn, final

from iron_wsgi.errors import (
    ConfigError,
    InvalidSeal,
    PayloadError,
    Refused,
    SealError,
    SealReason,
    UnknownPassword,
    UsedSeal,
    opaque,
)
from iron_wsgi.revocation.revocations import MARGIN, Revocations
from iron_wsgi.servers.outages import ask
from iron_wsgi.times import DEFAULT_TTL, Clock, now, seconds

from . import seal as fe26
from .keys import check_iterations
from .passwords import Password, Passwords
from .payload import META_KEY, StrictJSON

_JSON = StrictJSON()
_USED = "the seal was good for one use, and has been used"
_LIST = "list of used seals"


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
    passwords = _parsed(password, seal_with)
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
    passwords = _parsed(password)
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

    __slots__ = ("_clock", "_iterations", "_once", "_passwords")

    @opaque
    def __init__(
        self,
        password: Password,
        *,
        purpose: str,
        seal_with: int | None = None,
        iterations: int = 1,
        clock: Clock | None = None,
        once: Revocations | None = None,
    ) -> None:
        """Derive the passwords for *purpose*.

        Args:
            password: Any form that `Passwords.parse` takes.
            purpose: What the seals are for; one for each kind of link or form.
            seal_with: The password id to seal under, when it is not the newest.
            iterations: PBKDF2 rounds.
            clock: Returns epoch seconds; `time.time` if None.
            once: The list in which `consume` notes the seals that were used.

        Raises:
            ConfigError: The password is unusable or the purpose is empty.
        """
        check_iterations(iterations)
        if once is not None and not isinstance(once, Revocations):
            msg = "once must be a list of revocations, or None; for the sessions' own call .sealer(once=True)"
            raise ConfigError(msg)
        if once is not None and type(once).revoke is Revocations.revoke:
            msg = "this list of revocations notes no single sessions, and so no uses of seals either"
            raise ConfigError(msg)
        self._passwords = Passwords.parse(password, seal_with=seal_with).derive(purpose)
        self._iterations = iterations
        self._clock = clock
        self._once = once

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
        at, stamped = now(self._clock), _as_dict(data, "data")
        if META_KEY in stamped:
            raise PayloadError(f"data.{META_KEY}", "is reserved for stamps; use another key")
        if self._once is not None:
            stamped[META_KEY] = {"iat": round(at, 3)}
        return _seal(stamped, self._passwords, at + lifetime, self._iterations, root="data")

    @opaque
    def unseal(self, token: str) -> dict[str, Any]:
        """Return what *token* holds.

        Raises:
            InvalidSeal: Not a seal, altered, or made for another purpose or under another password.
            ExpiredSeal: Authentic, but its time (and 60 seconds) is over.
            UnknownPassword: It names a password id that is not configured.
            UsedSeal: It was consumed, or the list has lost what it knew (with ``once=``).
            Unavailable: The list of used seals does not answer (with ``once=``).
        """
        return self._opened(token).data

    @opaque
    def consume(self, token: str) -> dict[str, Any]:
        """Return what *token* holds, for the first time and the last: of parallel calls one alone succeeds.

        Call it when the visitor acts (POST), not when a link is opened: programs that scan mail open links.

        Raises:
            ConfigError: The sealer was made without ``once=``.
            UsedSeal: It was consumed before, or the list has lost what it knew.
            Unavailable: The list of used seals does not answer; the seal is not used.
            InvalidSeal, ExpiredSeal, UnknownPassword: As `unseal`.
        """
        once = self._once
        if once is None:
            msg = "consume() needs a list of used seals: Sealer(password, purpose=..., once=revocations)"
            raise ConfigError(msg)
        opened = self._opened(token)
        end = None if opened.expires_at is None else opened.expires_at + fe26.SKEW + MARGIN
        if not ask(_LIST, lambda: once.revoke(opened.use, expires_at=end)):
            raise UsedSeal(_USED)
        return opened.data

    def _opened(self, token: str) -> _Opened:
        """Open *token*, and see that it was not used, if somebody keeps count."""
        opened = _open(token, self._passwords, now(self._clock), self._iterations)
        once, stamps = self._once, opened.data.pop(META_KEY, None)
        if once is None:
            return opened
        # One without a stamp was made before there was a list: what was lost since, it is older than.
        issued_at = stamps.get("iat", 0) if isinstance(stamps, dict) else 0
        try:
            is_used = ask(_LIST, lambda: once.is_revoked(opened.use, None, issued_at))
        except Refused:
            is_used = True
        if is_used:
            raise UsedSeal(_USED)
        return opened

    def __repr__(self) -> str:
        """Show no secret."""
        return f"<Sealer {self._passwords!r}>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: the password would go with it."""
        msg = "a Sealer is not to be pickled"
        raise TypeError(msg)


def _parsed(password: Password, seal_with: int | None = None) -> Passwords:
    """Return the passwords; a text that was parsed before is not parsed again."""
    if isinstance(password, str) and seal_with is None:
        return _parsed_text(password)
    return Passwords.parse(password, seal_with=seal_with)


@lru_cache(maxsize=16)
def _parsed_text(password: str) -> Passwords:
    return Passwords.parse(password)


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


class _Opened(NamedTuple):
    data: dict[str, Any]
    fields: fe26.Fields
    expires_at: float | None

    def __repr__(self) -> str:
        """Show no content."""
        return "<_Opened>"

    @property
    def use(self) -> str:
        """The id of the seal's one use: a hash of its MAC's octets."""
        octets = base64.urlsafe_b64decode(self.fields.mac + b"=")
        return "once " + base64.urlsafe_b64encode(hashlib.sha256(octets).digest()).decode()


def _unseal(text: str, passwords: Passwords, at: float, iterations: int) -> dict[str, Any]:
    return _open(text, passwords, at, iterations).data


def _open(text: str, passwords: Passwords, at: float, iterations: int) -> _Opened:
    fields = fe26.parse(text)
    opened = fe26.unseal_at(fields, password_for(fields, passwords), now=at, iterations=iterations)
    try:
        data = _JSON.loads(opened.plaintext)
    except (ValueError, RecursionError):
        msg = "the seal is authentic but its payload is not JSON"
        raise InvalidSeal(msg) from None
    if data is None:  # iron-session reads null as an empty session
        data = {}
    if not isinstance(data, dict):
        msg = f"the seal is authentic but holds {type(data).__name__} instead of an object"
        raise InvalidSeal(msg)
    return _Opened(data, fields, opened.expires_at)


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
