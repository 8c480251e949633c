"""From passwords to the keys of a seal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NoReturn, TypeAlias, final

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from iron_wsgi.errors import ConfigError, InvalidSeal

MIN_PASSWORD_LENGTH = 32  # UTF-16 units, as every peer counts
INTEGRITY_KEY_LENGTH = 32
_SHA1 = SHA1()  # noqa: S303 - the format's; for keys derived from strong passwords it is sound
MAX_ITERATIONS = 2**31 - 1  # what OpenSSL counts

Algorithm = Literal["aes-256-cbc", "aes-128-ctr"]
KEY_LENGTHS: dict[Algorithm, int] = {"aes-256-cbc": 32, "aes-128-ctr": 16}

Iterations: TypeAlias = int | tuple[int, int]
"""PBKDF2 rounds; a pair where encryption and integrity differ."""


@final
@dataclass(frozen=True, slots=True, repr=False)
class KeyPair:
    """Separate passwords, or raw keys, for encryption and integrity, as @hapi/iron allows."""

    encryption: str | bytes
    integrity: str | bytes

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied."""
        msg = "passwords are not to be pickled"
        raise TypeError(msg)


@final
class CheckedPassword(str):
    """A password that is long enough: checked once, when it is made, and not again at each seal."""

    __slots__ = ()

    def __new__(cls, password: str) -> CheckedPassword:
        """Check *password*.

        Raises:
            ConfigError: It has fewer than 32 UTF-16 units, or holds half a surrogate pair.
        """
        # Its characters: a subclass of str, such as a member of an Enum, may show itself as something else.
        text = str.__str__(password)
        check_password(text)
        return super().__new__(cls, text)

    def __repr__(self) -> str:
        """Show no password."""
        return "<CheckedPassword>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied."""
        msg = "passwords are not to be pickled"
        raise TypeError(msg)


Key: TypeAlias = str | bytes | KeyPair
"""A password (32 UTF-16 units or more), a raw key (32 bytes; AES-128-CTR encrypts with 16), or a pair."""


def encryption_key(key: Key, salt: bytes, algorithm: Algorithm, iterations: Iterations) -> bytes:
    """Return the AES key for *salt*, which a raw key ignores.

    Raises:
        ConfigError: The password, raw key, algorithm or number of rounds is unusable.
        InvalidSeal: A password is given and the seal has no salt.
    """
    length = KEY_LENGTHS.get(algorithm)
    if length is None:
        msg = f"algorithm must be one of {', '.join(KEY_LENGTHS)}"
        raise ConfigError(msg)
    secret = key.encryption if isinstance(key, KeyPair) else key
    if isinstance(secret, str):
        return _derive(secret, salt, length, iterations[0] if isinstance(iterations, tuple) else iterations)
    if len(secret) != length:
        msg = f"a raw key for {algorithm} has exactly {length} octets; this one has {len(secret)}"
        raise ConfigError(msg)
    return secret


def integrity_key(key: Key, salt: bytes, iterations: Iterations) -> bytes:
    """Return the HMAC key for *salt*, which a raw key ignores. Raises what `encryption_key` raises."""
    secret = key.integrity if isinstance(key, KeyPair) else key
    if isinstance(secret, str):
        rounds = iterations[1] if isinstance(iterations, tuple) else iterations
        return _derive(secret, salt, INTEGRITY_KEY_LENGTH, rounds)
    if len(secret) < INTEGRITY_KEY_LENGTH:
        msg = f"a raw integrity key has at least {INTEGRITY_KEY_LENGTH} octets; this one has {len(secret)}"
        raise ConfigError(msg)
    return secret


def check_password(password: str) -> None:
    """Check that *password* is long enough for the format.

    Raises:
        ConfigError: It has fewer than 32 UTF-16 units, or holds half a surrogate pair.
    """
    units = len(password)
    if not password.isascii():
        try:
            units = len(password.encode("utf-16-le")) // 2
        except UnicodeEncodeError:
            units = -1
    if units < 0:
        msg = "the password holds half a surrogate pair, which has no UTF-8 form"
        raise ConfigError(msg)
    if units < MIN_PASSWORD_LENGTH:
        msg = (
            f"the password has {units} characters and needs at least {MIN_PASSWORD_LENGTH}; "
            "make one with `iron-wsgi keygen`"
        )
        raise ConfigError(msg)


def check_iterations(iterations: int) -> None:
    """Check a number of PBKDF2 rounds.

    Raises:
        ConfigError: It is no integer, or not between 1 and 2^31-1.
    """
    if type(iterations) is not int or not 1 <= iterations <= MAX_ITERATIONS:
        msg = f"iterations must be between 1 and {MAX_ITERATIONS}"
        raise ConfigError(msg)


def _derive(password: str, salt: bytes, length: int, iterations: int) -> bytes:
    """Return a key. The salt is used as text, as the peers do, never decoded from hexadecimal."""
    if type(password) is not CheckedPassword:
        check_password(password)
    check_iterations(iterations)
    if not salt:
        msg = "the seal has no salt, so it was not made under a password"
        raise InvalidSeal(msg)
    # By the library that encrypts, not by hashlib: that brings another OpenSSL, and both at work in one
    # request cost more than either alone.
    return PBKDF2HMAC(_SHA1, length, salt, iterations).derive(password.encode())
