"""Passwords by id: which one seals, which ones still open, and passwords derived from them."""

from __future__ import annotations

import re
import secrets
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeAlias, final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from iron_wsgi.errors import ConfigError, WeakPasswordWarning, opaque

from .keys import CheckedPassword

DEFAULT_ID = "default"  # what @hapi/iron looks up for a seal that names no id
MIN_DISTINCT_CHARACTERS = 12

_ID = re.compile(r"[1-9][0-9]{0,15}")

# Found in public documentation and test suites, so an attacker's first guesses.
_PUBLISHED = frozenset(
    {
        "complex_password_at_least_32_characters_long",
        "Gbm49ATjnqnkCCCdhV4uDBhbfnPqsCW0",
        "some_not_random_password_that_is_also_long_enough",
        "2gyZ3GDw3LHZQKDhPmPDL3sjREVRXPr8",
        "80d42cfb-1cd2-462c-8f17-e3237d9027e9",
        "this-is-a-very-long-password-for-iron-session",
        "this_is_a_complex_password_at_least_32_characters_long",
    }
)


def generate_password() -> str:
    """Return a new password: 256 bits from the operating system, as 43 characters of base64url."""
    return secrets.token_urlsafe(32)


@final
class Passwords:
    """All configured passwords, each under its id, and the one that seals.

    Made by `parse` or `from_secret_keys`; immutable, and masked wherever it is shown.

    Attributes:
        ids: The ids, newest first; ``"default"``, which only reads, is last.
        sealing_id: The id written into new seals.
    """

    __slots__ = ("_by_id", "_outdated", "ids", "sealing_id")

    _by_id: dict[str, CheckedPassword]
    _outdated: frozenset[str]
    ids: tuple[str, ...]
    sealing_id: str

    def __init__(self, by_id: Mapping[str, str], *, sealing_id: str) -> None:
        """Hold *by_id*, whose order is newest first. Use `parse`, which also warns of weak passwords."""
        set_once = super().__setattr__
        set_once("_by_id", {password_id: _checked(password) for password_id, password in by_id.items()})
        ids = tuple(by_id)
        set_once("ids", ids)
        set_once("sealing_id", sealing_id)
        set_once("_outdated", frozenset(ids[ids.index(sealing_id) + 1 :]))

    @classmethod
    @opaque
    def parse(cls, password: Password, *, seal_with: int | None = None) -> Passwords:
        """Return the passwords in any of the accepted forms.

        Args:
            password: One of:

                - a string: the only password, id 1;
                - a mapping of integers to strings, ``{2: new, 1: old}``: the highest number seals
                  (iron-session); the key ``"default"`` opens seals that name no id, and never seals;
                - a list of ``{"id": 2, "password": "..."}``: the first seals (next-iron-session).
            seal_with: The id that seals instead. A rolling deployment first gives every server the new
                password with ``seal_with`` at the old id, then drops ``seal_with``: nobody is signed out.

        Raises:
            ConfigError: A password is too short, an id is not a positive integer, two ids are the same.

        Warns:
            WeakPasswordWarning: A password was published, or has fewer than 12 different characters.
        """
        if isinstance(password, Passwords):
            by_id = dict(password._by_id)  # noqa: SLF001 - of the same class
            sealing_id = password.sealing_id
        else:
            by_id = {password_id: _checked(secret) for password_id, secret in _entries(password)}
            sealing_id = next(iter(by_id))
        for secret in by_id.values():
            _warn_if_weak(secret)
        if seal_with is not None:
            sealing_id = _number(seal_with)
        if sealing_id not in by_id or sealing_id == DEFAULT_ID:
            numbers = ", ".join(sorted(by_id))
            msg = f"no password to seal with: id {sealing_id} is wanted, and there are: {numbers}"
            raise ConfigError(msg)
        return cls(by_id, sealing_id=sealing_id)

    @classmethod
    @opaque
    def from_secret_keys(cls, secret_keys: Sequence[str | bytes]) -> Passwords:
        """Return a password derived from each of a framework's secret keys; the first seals.

        For Flask's and Django's ``SECRET_KEY`` and ``SECRET_KEY_FALLBACKS``, of whatever length. The id comes
        from the key, never from its place in the list, so a key keeps its id when it moves into the
        fallbacks.

        Raises:
            ConfigError: There is no key, or one is empty.
        """
        by_id: dict[str, str] = {}
        for secret_key in secret_keys:
            material = secret_key.encode() if isinstance(secret_key, str) else secret_key
            if not material:
                msg = "a secret key is empty"
                raise ConfigError(msg)
            number = int.from_bytes(_hkdf(material, "iron_wsgi/secret-key-id/v1")[:4], "big") >> 1
            by_id.setdefault(str(number or 1), _hkdf(material, "iron_wsgi/secret-key/v1").hex())
        if not by_id:
            msg = "no secret key to derive a session password from"
            raise ConfigError(msg)
        return cls(by_id, sealing_id=next(iter(by_id)))

    def followed_by(self, older: Passwords) -> Passwords:
        """Return these passwords, and those of *older* for reading; an id that both have is this one's."""
        by_id = dict(self._by_id)
        for password_id, password in older._by_id.items():
            by_id.setdefault(password_id, password)
        return Passwords(by_id, sealing_id=self.sealing_id)

    @property
    def sealing(self) -> CheckedPassword:
        """The password that seals."""
        return self._by_id[self.sealing_id]

    def get(self, password_id: str) -> CheckedPassword | None:
        """Return the password for an id as a seal names it ('' for none), or None."""
        return self._by_id.get(password_id or DEFAULT_ID)

    def is_outdated(self, password_id: str) -> bool:
        """Tell whether a seal under this id should be written again under the sealing one."""
        return (password_id or DEFAULT_ID) in self._outdated

    def derive(self, *purpose: str) -> Passwords:
        """Return the passwords for a purpose: a seal made for one purpose opens under no other.

        Each is 64 hexadecimal digits of HKDF-SHA256 (RFC 5869) over the password, with no salt and the info
        ``iron_wsgi/purpose/v1`` followed by each part of the purpose behind its length in four octets. Any
        implementation of Fe26.2 opens such seals with the derived password.

        Raises:
            ConfigError: No purpose is given, or it is empty.
        """
        if not purpose or not all(purpose):
            msg = "a purpose must not be empty; name what the seal is for, such as 'magic-link'"
            raise ConfigError(msg)
        derived = {
            password_id: _hkdf(password.encode(), "iron_wsgi/purpose/v1", *purpose).hex()
            for password_id, password in self._by_id.items()
        }
        return Passwords(derived, sealing_id=self.sealing_id)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse: passwords never change in place."""
        msg = "Passwords cannot be changed"
        raise AttributeError(msg)

    def __repr__(self) -> str:
        """Name the ids, not the passwords."""
        return f"<Passwords {', '.join(self.ids)}; {self.sealing_id} seals>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied."""
        msg = "passwords are not to be pickled"
        raise TypeError(msg)


# A Mapping's key is invariant: no narrower type takes {1: ...}, {"1": ...} and {"default": ...} alike.
Password: TypeAlias = str | Mapping[Any, str] | Sequence[Mapping[str, Any]] | Passwords
"""Every form that ``password=`` takes; see `Passwords.parse`."""


def _entries(password: Password) -> list[tuple[str, str]]:
    """Return (id, password) pairs, newest first."""
    if isinstance(password, str):
        return [("1", password)]
    if isinstance(password, Mapping):
        entries = [(_mapping_id(key), secret) for key, secret in password.items()]
        entries.sort(key=lambda entry: -1 if entry[0] == DEFAULT_ID else int(entry[0]), reverse=True)
    elif isinstance(password, Sequence) and not isinstance(password, bytes):
        entries = [_list_entry(item) for item in password]
    else:
        msg = f"password must be a string, a mapping or a list, not {type(password).__name__}"
        raise ConfigError(msg)
    if not entries:
        msg = "password is empty; give at least {1: '...'}"
        raise ConfigError(msg)
    if len(dict(entries)) != len(entries):
        msg = "two passwords have the same id"
        raise ConfigError(msg)
    return entries


def _list_entry(item: object) -> tuple[str, Any]:
    if not isinstance(item, Mapping) or not {"id", "password"} <= item.keys():
        msg = 'each entry of a password list is {"id": 1, "password": "..."}'
        raise ConfigError(msg)
    return _number(item["id"]), item["password"]


def _mapping_id(key: object) -> str:
    return DEFAULT_ID if key == DEFAULT_ID else _number(key)


def _number(key: object) -> str:
    text = str(key) if isinstance(key, (int, str)) else ""
    if not _ID.fullmatch(text):
        # No text is quoted: in a mapping turned round by mistake it is the password.
        given = key if isinstance(key, int) else f"a {type(key).__name__}"
        msg = f"a password id is an integer of at least 1, not {given}"
        raise ConfigError(msg)
    return text


def _checked(password: object) -> CheckedPassword:
    if isinstance(password, CheckedPassword):
        return password
    if not isinstance(password, str):
        msg = f"a password is a string, not {type(password).__name__}"
        raise ConfigError(msg)
    return CheckedPassword(password)


def _warn_if_weak(password: str) -> None:
    if password in _PUBLISHED or len(set(password)) < MIN_DISTINCT_CHARACTERS:
        warnings.warn(
            "the session password was published or is too uniform; make one with `iron-wsgi keygen`",
            WeakPasswordWarning,
            stacklevel=2,
        )


def _hkdf(material: bytes, label: str, *parts: str) -> bytes:
    info = label.encode()
    for part in parts:
        # Length prefixes keep ("ab", "c") apart from ("a", "bc").
        octets = part.encode()
        info += len(octets).to_bytes(4, "big") + octets
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(material)
