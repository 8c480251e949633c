"""Fe26.2 seals: bytes to text and back, under one password.

This is the low level, for foreign formats and for tests. Applications want `iron_wsgi.Sealer`, which binds a
seal to a purpose, or the session middleware.

The format is @hapi/iron's: eight fields joined by ``*``: the prefix, a password id, the encryption salt, the
IV, the ciphertext, the expiration in milliseconds, the integrity salt and the MAC. Keys come from
PBKDF2-HMAC-SHA1, by default with one round: the password is a key, not a passphrase, and PBKDF2 here only
separates the two keys.

Three layers differ only by what is fixed: `seal` (nothing), `seal_at` (the time), `seal_from_parts` (the
time, the salts and the IV), so that seals made elsewhere can be reproduced byte for byte.
"""

from __future__ import annotations

import hmac
import os
import re
import time
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from iron_wsgi.errors import ConfigError, ExpiredSeal, InvalidSeal, opaque

from .base64url import decode, encode
from .keys import Algorithm, Iterations, Key, KeyPair, encryption_key, integrity_key

__all__ = [
    "Algorithm",
    "Fields",
    "Iterations",
    "Key",
    "KeyPair",
    "Unsealed",
    "parse",
    "seal",
    "seal_at",
    "seal_from_parts",
    "unseal",
    "unseal_at",
]

PREFIX = "Fe26.2"
VERSION_MARK = "~2"  # iron-session 6 and 8 treat a seal without it as pre-version-6 data
SKEW = 60.0  # seconds; the peers' timestampSkewSec
MAX_EXPIRATION_MS = 2**53 - 1  # what a JavaScript reader holds exactly

_SHA256 = SHA256()
_BLOCK = 16  # octets; AES
_PASSWORD_ID = re.compile(r"[A-Za-z0-9_]*")


class Fields(NamedTuple):
    """A seal taken apart. Nothing in it is authenticated."""

    password_id: str
    encryption_salt: bytes
    iv: bytes
    ciphertext: bytes
    expiration: bytes
    integrity_salt: bytes
    mac: bytes
    signed: bytes
    """What the MAC covers: the prefix and the first five fields."""

    def __repr__(self) -> str:
        """Name the password id only: a seal is a bearer token."""
        return f"<Fields of a seal, password id {self.password_id!r}>"


class Unsealed(NamedTuple):
    """An opened seal: authentic and in time."""

    plaintext: bytes
    expires_at: float | None
    """Epoch seconds; None for a seal without expiry."""

    def __repr__(self) -> str:
        """Show sizes, not contents."""
        return f"<Unsealed: {len(self.plaintext)} octets, expires at {self.expires_at}>"


@opaque
def seal(
    plaintext: bytes,
    key: Key,
    *,
    password_id: str = "",
    ttl: float = 0,
    algorithm: Algorithm = "aes-256-cbc",
    iterations: Iterations = 1,
) -> str:
    """Seal *plaintext* now, with fresh salts and IV.

    Args:
        plaintext: What to encrypt; the peers put JSON there.
        key: The password, raw key or pair.
        password_id: ASCII letters, digits and ``_``; empty for none.
        ttl: Seconds until the seal expires; 0 for never.
        algorithm: Not recorded in the seal; reader and writer must agree.
        iterations: PBKDF2 rounds. Not recorded in the seal either (h3 uses 8192).

    Raises:
        ConfigError: The key, id, algorithm or number of rounds is unusable.
    """
    expires_at = time.time() + ttl if ttl else None
    return seal_at(
        plaintext,
        key,
        password_id=password_id,
        expires_at=expires_at,
        algorithm=algorithm,
        iterations=iterations,
    )


def seal_at(
    plaintext: bytes,
    key: Key,
    *,
    expires_at: float | None,
    password_id: str = "",
    algorithm: Algorithm = "aes-256-cbc",
    iterations: Iterations = 1,
) -> str:
    """Seal *plaintext* until the given moment (epoch seconds; None for ever), with fresh salts and IV."""
    random = os.urandom(80)
    return seal_from_parts(
        plaintext,
        key,
        encryption_salt=random[:32].hex(),
        integrity_salt=random[32:64].hex(),
        iv=random[64:],
        expires_at=expires_at,
        password_id=password_id,
        algorithm=algorithm,
        iterations=iterations,
    )


def seal_from_parts(
    plaintext: bytes,
    key: Key,
    *,
    encryption_salt: str,
    integrity_salt: str,
    iv: bytes,
    expires_at: float | None,
    password_id: str = "",
    algorithm: Algorithm = "aes-256-cbc",
    iterations: Iterations = 1,
) -> str:
    """Seal with everything given: a pure function. Salts are ignored, and left empty, for raw keys."""
    if not _PASSWORD_ID.fullmatch(password_id):
        msg = "a password id is made of ASCII letters, digits and '_'"
        raise ConfigError(msg)
    salt = _salt(key.encryption if isinstance(key, KeyPair) else key, encryption_salt)
    cipher = _cipher(algorithm, encryption_key(key, salt, algorithm, iterations), iv)
    encryptor = cipher.encryptor()
    if algorithm == "aes-256-cbc":
        plaintext = _padded(plaintext)
    ciphertext = encryptor.update(plaintext) + encryptor.finalize()
    expiration = b"" if expires_at is None else _expiration(expires_at)
    signed = b"*".join(
        (PREFIX.encode(), password_id.encode(), salt, encode(iv), encode(ciphertext), expiration)
    )
    salt = _salt(key.integrity if isinstance(key, KeyPair) else key, integrity_salt)
    mac = _mac(integrity_key(key, salt, iterations), signed)
    return b"*".join((signed, salt, encode(mac))).decode("ascii")


def parse(text: str) -> Fields:
    """Take a seal apart without trusting any of it.

    Everything from the first ``~`` on is cut off: iron-session's version mark stands outside the MAC, so it
    selects nothing (iron-session 9 does the same; versions 6 and 8 could be made to read other data by it).

    Raises:
        InvalidSeal: There are not eight fields, or the first is not ``Fe26.2``.
    """
    if not isinstance(text, str):
        msg = f"not a seal: text is expected, not {type(text).__name__}"
        raise InvalidSeal(msg)
    head = text.partition("~")[0]
    if not head.isascii():
        msg = "not a seal: it holds characters that no seal has"
        raise InvalidSeal(msg)
    raw = head.encode("ascii")
    fields = raw.split(b"*")
    if len(fields) != 8:
        msg = f"not a seal: 8 fields joined by '*' are expected, {len(fields)} found"
        raise InvalidSeal(msg)
    prefix, password_id, encryption_salt, iv, ciphertext, expiration, integrity_salt, mac = fields
    if prefix != PREFIX.encode():
        msg = "not a seal of this format: it does not begin with 'Fe26.2'"
        raise InvalidSeal(msg)
    signed = raw[: len(raw) - len(integrity_salt) - len(mac) - 2]
    return Fields(
        password_id.decode("ascii"), encryption_salt, iv, ciphertext, expiration, integrity_salt, mac, signed
    )


@opaque
def unseal(
    text: str,
    key: Key,
    *,
    skew: float = SKEW,
    algorithm: Algorithm = "aes-256-cbc",
    iterations: Iterations = 1,
) -> Unsealed:
    """Open a seal now.

    Args:
        text: The seal; whatever follows a ``~`` is ignored.
        key: The password, raw key or pair it was made with. Its id is in ``parse(text).password_id``.
        skew: Seconds that a seal is still accepted after its expiry.
        algorithm: What it was made with.
        iterations: What it was made with.

    Raises:
        InvalidSeal: Not a seal, altered, or made with another key.
        ExpiredSeal: Authentic, but its time is over.
        ConfigError: The key cannot be used.
    """
    return unseal_at(parse(text), key, now=time.time(), skew=skew, algorithm=algorithm, iterations=iterations)


def unseal_at(
    fields: Fields,
    key: Key,
    *,
    now: float,
    skew: float = SKEW,
    algorithm: Algorithm = "aes-256-cbc",
    iterations: Iterations = 1,
) -> Unsealed:
    """Open parsed *fields* at the given moment (epoch seconds). See `unseal`."""
    # 1. The MAC, before anything that it covers is looked at.
    mac_key = integrity_key(key, fields.integrity_salt, iterations)
    mac = encode(_mac(mac_key, fields.signed))
    if not hmac.compare_digest(mac, fields.mac):
        msg = "the seal was altered, or made under another password"
        raise InvalidSeal(msg)

    # 2. The expiry.
    expires_at = None
    if fields.expiration:
        milliseconds = _milliseconds(fields.expiration)
        expires_at = milliseconds / 1000
        if milliseconds <= round((now - skew) * 1000):
            msg = f"the seal expired {now - expires_at:.0f} seconds ago"
            raise ExpiredSeal(msg)

    # 3. The ciphertext.
    aes_key = encryption_key(key, fields.encryption_salt, algorithm, iterations)
    return Unsealed(_decrypt(fields, aes_key, algorithm), expires_at)


def _mac(key: bytes, octets: bytes) -> bytes:
    mac = HMAC(key, _SHA256)
    mac.update(octets)
    return mac.finalize()


def _salt(secret: str | bytes, salt: str) -> bytes:
    return b"" if isinstance(secret, bytes) else salt.encode("ascii")


def _expiration(expires_at: float) -> bytes:
    milliseconds = round(expires_at * 1000)
    if not 0 < milliseconds <= MAX_EXPIRATION_MS:
        msg = "a seal can only expire after 1970 and within what JavaScript can count"
        raise ConfigError(msg)
    return b"%d" % milliseconds


def _milliseconds(expiration: bytes) -> int:
    """Return the expiration as a number: decimal digits, as JavaScript writes them, and none too many."""
    is_number = len(expiration) <= 16 and expiration.isdigit() and not expiration.startswith(b"0")
    milliseconds = int(expiration) if is_number else 0
    if not 0 < milliseconds <= MAX_EXPIRATION_MS:
        msg = "the seal's expiration is not a number of milliseconds"
        raise InvalidSeal(msg)
    return milliseconds


def _decrypt(fields: Fields, key: bytes, algorithm: Algorithm) -> bytes:
    iv = decode(fields.iv)
    ciphertext = decode(fields.ciphertext)
    if len(iv) != 16:
        msg = "the seal's initialization vector is not 16 octets"
        raise InvalidSeal(msg)
    decryptor = _cipher(algorithm, key, iv).decryptor()
    try:
        plaintext = decryptor.update(ciphertext) + decryptor.finalize()
        if algorithm == "aes-256-cbc":
            plaintext = _unpadded(plaintext)
    except ValueError:
        msg = "the seal is authentic but does not decrypt: it was made with another algorithm or key"
        raise InvalidSeal(msg) from None
    return plaintext


def _cipher(algorithm: Algorithm, key: bytes, iv: bytes) -> Cipher[modes.CBC] | Cipher[modes.CTR]:
    if algorithm == "aes-256-cbc":
        return Cipher(algorithms.AES256(key), modes.CBC(iv))
    return Cipher(algorithms.AES128(key), modes.CTR(iv))


def _padded(plaintext: bytes) -> bytes:
    """Fill the last block, or add one (PKCS #7, RFC 5652 section 6.3)."""
    count = _BLOCK - len(plaintext) % _BLOCK
    return plaintext + bytes([count]) * count


def _unpadded(padded: bytes) -> bytes:
    """Take away what `_padded` added. The MAC has matched before: an error here tells an attacker nothing.

    Raises:
        ValueError: It was not padded so.
    """
    count = padded[-1] if padded else 0
    if not 0 < count <= _BLOCK or not padded.endswith(bytes([count]) * count):
        msg = "wrong padding"
        raise ValueError(msg)
    return padded[:-count]
