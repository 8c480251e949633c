"""The lower floor: one cookie value, and everything that decides whether it is trusted. No HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, final
from urllib.parse import unquote

from . import seal as fe26
from .errors import ConfigError, PayloadError, RefusalReason, Refused, SealError
from .options import SessionOptions
from .sealer import MAX_SECONDS, now, password_for
from .state import FLASH_KEY, MAX_ID, META_KEY, State

MAX_VALUE = 16 * 1024  # characters of a cookie value; four chunks of 4096

NEXT_IRON_SESSION = "next-iron-session"
_READ_BY = {"flask": "Flask", "signed_cookies": "Django", "db": "Django", "secret-key": "Flask and Django"}


class Vault(Protocol):
    """Turns a cookie value into a session's state and back."""

    def load(self, value: str, /) -> State:
        """Return the state that *value* stands for.

        Raises:
            Refused: It cannot be trusted; the reason says why.
            Unavailable: Something that must be asked does not answer.
        """
        ...

    def dump(self, state: State, /, *, expires_at: float | None) -> str:
        """Return the value for *state*, good until *expires_at* (epoch seconds; None for ever)."""
        ...


class Reader(Protocol):
    """Reads the cookie that a site used before, so that the switch to seals signs nobody out."""

    def read(self, value: str, /, *, at: float) -> State:
        """Return the session of an authentic *value*, at the time *at* (epoch seconds).

        Raises:
            Refused: It is not authentic, or its time is over.
        """
        ...


@final
class SealVault:
    """The vault whose values are seals: the payload is the data, with ``_iron`` where a feature needs it."""

    __slots__ = ("_options", "_readers")

    def __init__(self, options: SessionOptions, *, readers: Mapping[str, Reader] | None = None) -> None:
        """Seal and unseal under *options*.

        Args:
            options: The options.
            readers: What can read older cookies, by the names that the option ``accept`` may enable.

        Raises:
            ConfigError: ``accept`` names what nobody here can read.
        """
        available = dict(readers or {})
        enabled = [name for name in options.accept if name != NEXT_IRON_SESSION]
        for name in enabled:
            if name not in available:
                msg = f"accept: {name!r} is for {_READ_BY[name]}, and cannot be read here"
                raise ConfigError(msg)
        self._options = options
        self._readers = [available[name] for name in enabled]

    def load(self, value: str) -> State:
        """Open a seal and decide whether it is a session. See `Vault.load`."""
        options = self._options
        at = now(options.clock)

        # 1. The size, before any work on the text.
        if len(value) > MAX_VALUE:
            raise Refused("invalid")
        if "%" in value:  # some clients percent-encode '*'; jshttp/cookie, which the peers use, decodes it
            value = unquote(value)

        # 2. What does not even begin as a seal may be what the site used before. A seal never is.
        if self._readers and not value.startswith("Fe26."):
            return self._older(value, at)

        # 3. The parts, the prefix, the MAC, the expiry of the seal, the decryption.
        fields = _parse(value)
        try:
            opened = fe26.unseal_at(
                fields,
                password_for(fields, options.password),
                now=at,
                skew=options.skew,
                iterations=options.iterations,
            )
        except SealError as error:
            raise Refused(error.reason, password_id=fields.password_id) from None

        # 4. A session that never ends is accepted only where sessions never end.
        is_bounded = options.ttl > 0 or options.absolute_timeout is not None
        if opened.expires_at is None and is_bounded:
            raise Refused("no-expiry", password_id=fields.password_id)

        # 5. The payload, its shape, the stamps.
        data, meta, is_legacy = self._decode(opened.plaintext)
        state = State(
            data=data,
            meta=meta,
            mac=fields.mac,
            issued_at=self._issued_at(meta, opened.expires_at, at),
            expires_at=opened.expires_at,
            is_new=False,
            is_outdated=is_legacy or options.password.is_outdated(fields.password_id),
            decode=lambda: self._decode(opened.plaintext)[0],
            encode=options.serializer.dumps,
        )
        if state.issued_at > at + options.skew:
            raise Refused("invalid", password_id=fields.password_id)

        # 6. The absolute timeout, for seals made before it was set, or made in Node.
        if self._is_too_old(state, at):
            raise Refused("too-old", password_id=fields.password_id)
        return state

    def _older(self, value: str, at: float) -> State:
        """Return the session of an older cookie, to be written back as a seal."""
        reasons: list[RefusalReason] = []
        for reader in self._readers:
            try:
                state = reader.read(value, at=at)
            except Refused as refused:
                reasons.append(refused.reason)
                continue
            if self._is_too_old(state, at):
                raise Refused("too-old")
            state.data.pop(META_KEY, None)
            state.is_new, state.is_outdated = False, True
            return state
        raise Refused(reasons[0])

    def _is_too_old(self, state: State, at: float) -> bool:
        timeout = self._options.absolute_timeout
        return timeout is not None and at >= state.issued_at + timeout + self._options.skew

    def dump(self, state: State, *, expires_at: float | None) -> str:
        """Seal *state*. See `Vault.dump`.

        A moment that has passed makes a seal that is expired for every reader.

        Raises:
            PayloadError: The data cannot be written.
        """
        options = self._options
        if META_KEY in state.data:
            raise PayloadError(
                f"session.{META_KEY}", "is reserved for the session's own stamps; use another key"
            )
        if options.absolute_timeout is not None:
            state.meta.setdefault("iat", round(state.issued_at, 3))
        if expires_at is not None and expires_at <= now(options.clock):
            expires_at = now(options.clock) - options.skew - 1
        plaintext = self.encode(state)
        value = fe26.seal_at(
            plaintext,
            options.password.sealing,
            password_id=options.password.sealing_id,
            expires_at=expires_at,
            iterations=options.iterations,
        )
        state.decode = lambda: self._decode(plaintext)[0]
        state.encode = options.serializer.dumps
        return value + fe26.VERSION_MARK

    def encode(self, state: State) -> bytes:
        """Return the payload of *state*.

        Raises:
            PayloadError: The data cannot be written. Its message names the key, and no value.
        """
        data = {**state.data, META_KEY: state.meta} if state.meta else state.data
        try:
            return self._options.serializer.dumps(data)
        except PayloadError:
            raise
        except (TypeError, ValueError, RecursionError) as error:
            problem = str(error)
        raise PayloadError(self._place_of_trouble(data), f"cannot be written: {problem}")

    def _place_of_trouble(self, data: dict[str, Any]) -> str:
        for key, value in data.items():
            try:
                self._options.serializer.dumps({key: value})
            except (TypeError, ValueError, RecursionError):  # noqa: PERF203 - once, and it fails anyway
                return f"session.{key}"
        return "session"

    def _decode(self, plaintext: bytes) -> tuple[dict[str, Any], dict[str, Any], bool]:
        """Return data, metadata, and whether the payload is next-iron-session's."""
        try:
            data = self._options.serializer.loads(plaintext)
        except Exception:  # noqa: BLE001 - a serializer may raise anything
            raise Refused("invalid") from None
        if data is None:
            data = {}
        if not isinstance(data, dict):
            raise Refused("invalid")
        if NEXT_IRON_SESSION in self._options.accept and _is_legacy(data):
            flashes = {FLASH_KEY: data["flash"]} if data["flash"] else {}
            data["persistent"].pop(META_KEY, None)
            return {**data["persistent"], **flashes}, {}, True
        if META_KEY not in data:
            return data, {}, False
        meta = data.pop(META_KEY)
        _check_stamps(meta)
        return data, meta, False

    def _issued_at(self, meta: dict[str, Any], expires_at: float | None, at: float) -> float:
        """Return the time of issue; for a seal without a stamp the earliest that its expiry allows."""
        if "iat" in meta:
            issued_at: float = meta["iat"]
            return issued_at
        if expires_at is None:
            return at
        ttl: float = meta.get("ttl", self._options.ttl)
        return min(at, expires_at - ttl)


def _parse(value: str) -> fe26.Fields:
    try:
        return fe26.parse(value)
    except SealError as error:
        raise Refused(error.reason) from None


def _is_legacy(data: dict[str, Any]) -> bool:
    """Tell iron-store's payload, by its authenticated shape and nothing else."""
    return data.keys() == {"persistent", "flash"} and all(isinstance(part, dict) for part in data.values())


def _check_stamps(meta: object) -> None:
    """Refuse stamps that are not what they should be: comparisons with them decide trust."""
    if not isinstance(meta, dict):
        raise Refused("invalid")
    sid = meta.get("sid", "-")
    if not isinstance(sid, str) or not sid.isascii() or not 0 < len(sid) <= MAX_ID:
        raise Refused("invalid")
    for name in ("iat", "ttl", "exp"):
        stamp = meta.get(name, 1)
        if isinstance(stamp, bool) or not isinstance(stamp, (int, float)) or not 0 < stamp < MAX_SECONDS:
            raise Refused("invalid")
