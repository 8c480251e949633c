"""The options of sessions: checked once, then immutable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict, final

from iron_wsgi.cookies.options import CookieOptions, did_you_mean
from iron_wsgi.errors import ConfigError, opaque
from iron_wsgi.revocation.revocations import Revocations
from iron_wsgi.seals.passwords import Password, Passwords
from iron_wsgi.seals.payload import Serializer
from iron_wsgi.seals.sealer import Sealer
from iron_wsgi.stores.store import Store
from iron_wsgi.times import Clock

from .events import EventHook
from .option_table import OPTIONS, REQUIRED, Legacy, OnConflict, OnOutage, Overflow, Storage, Subject
from .vault import Vault

if TYPE_CHECKING:
    from typing_extensions import Unpack

_NAMES = tuple(option.name for option in OPTIONS)


class Options(TypedDict, total=False):
    """The keyword arguments of everything that makes sessions. `OPTIONS` explains each."""

    password: Password
    seal_with: int | None
    cookie_name: str
    ttl: float | timedelta
    absolute_timeout: float | timedelta | None
    refresh_after: float | timedelta | None
    cookie_options: Mapping[str, Any] | CookieOptions
    overflow: Overflow
    max_chunks: int
    storage: Storage
    store: Store | str | None
    revocations: Revocations | str | None
    subject: Subject | None
    vault: Callable[[SessionOptions], Vault] | None
    on_outage: OnOutage
    on_conflict: OnConflict
    accept: tuple[Legacy, ...]
    auto_commit: bool
    save_on_error: bool
    serializer: Serializer
    skew: float | timedelta
    iterations: int
    generate_id: Callable[[], str] | None
    environ_key: str
    on_event: EventHook | None
    clock: Clock | None


@final
@dataclass(frozen=True, slots=True, init=False, repr=False, eq=False)
class SessionOptions:
    """Checked, immutable options; make them once and share them."""

    password: Passwords
    seal_with: int | None
    cookie_name: str
    ttl: float
    absolute_timeout: float | None
    refresh_after: float | None
    cookie_options: CookieOptions
    overflow: Overflow
    max_chunks: int
    storage: Storage
    store: Store | None
    revocations: Revocations | None
    subject: Subject | None
    vault: Callable[[SessionOptions], Vault] | None
    on_outage: OnOutage
    on_conflict: OnConflict
    accept: tuple[Legacy, ...]
    auto_commit: bool
    save_on_error: bool
    serializer: Serializer
    skew: float
    iterations: int
    generate_id: Callable[[], str]
    environ_key: str
    on_event: EventHook | None
    clock: Clock | None

    @opaque
    def __init__(self, **options: Unpack[Options]) -> None:
        """Check *options*.

        Raises:
            ConfigError: One is unknown, missing, or has an impossible value.
        """
        given: dict[str, Any] = dict(options)
        for name in given:
            if name not in _NAMES:
                msg = f"{name} {did_you_mean(name, _NAMES)}"
                raise ConfigError(msg)
        for option in OPTIONS:
            value = given.get(option.name, option.default)
            if value is REQUIRED:
                msg = f"{option.name} is missing: {option.help}"
                raise ConfigError(msg)
            object.__setattr__(self, option.name, option.parse(value, option.name))
        object.__setattr__(self, "password", Passwords.parse(self.password, seal_with=self.seal_with))
        self.cookie_options.check_name(self.cookie_name)
        self._check_together()

    def _check_together(self) -> None:
        """Check options that depend on each other."""
        if self.store is None and "store" in (self.storage, self.overflow):
            msg = "storage='store' and overflow='store' need a store, such as store='sqlite:///sessions.db'"
            raise ConfigError(msg)
        if self.revocations is not None and not self.ttl and self.absolute_timeout is None:
            msg = "revocations with ttl=0 need an absolute_timeout, or their entries could never be removed"
            raise ConfigError(msg)

    @property
    def has_server_state(self) -> bool:
        """Whether a store or a list of revocations may be asked when a session is opened."""
        return self.store is not None or self.revocations is not None or self.vault is not None

    @property
    def is_timed(self) -> bool:
        """Whether sessions need a stamp of the time at which they began."""
        return self.absolute_timeout is not None or self.revocations is not None

    def subject_of(self, data: Mapping[str, Any]) -> str | None:
        """Return the subject of a session with these *data*, by the option ``subject``; None without one."""
        if self.subject is None:
            return None
        found = self.subject(data) if callable(self.subject) else data.get(self.subject)
        return None if found is None or found == "" else str(found)

    def sealer(self, purpose: str, *, once: bool = False) -> Sealer:
        """Return a sealer for *purpose* under the sessions' password.

        Args:
            purpose: What the seals are for.
            once: Whether each is good for one use (`Sealer.consume`), noted in the option ``revocations``.

        Raises:
            ConfigError: The purpose is empty, or *once* is set without a list of revocations.
        """
        if once and self.revocations is None:
            msg = "seals for one use need a list of those that were used: set the option revocations"
            raise ConfigError(msg)
        return Sealer(
            self.password,
            purpose=purpose,
            iterations=self.iterations,
            clock=self.clock,
            once=self.revocations if once else None,
        )

    def replace(self, **changes: Unpack[Options]) -> SessionOptions:
        """Return these options with *changes*."""
        same: dict[str, Any] = {name: getattr(self, name) for name in _NAMES}
        if "password" in changes:
            same["seal_with"] = None
        elif "seal_with" in changes and changes["seal_with"] is None:
            same["password"] = Passwords.parse(self.password, seal_with=int(self.password.ids[0]))
        same.update(changes)
        return SessionOptions(**same)

    def __repr__(self) -> str:
        """Show every option; passwords mask themselves."""
        return f"SessionOptions({', '.join(f'{name}={getattr(self, name)!r}' for name in _NAMES)})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: the password would go with it."""
        msg = "SessionOptions are not to be pickled"
        raise TypeError(msg)
