"""A second, independent Fe26.2 in a few lines: it makes authentic seals that no library would write.

Whoever holds the password can sign anything, so these reach the checks behind the MAC. Nothing here imports
the package under test.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

OLD = "q3Vd0k7hXw9LmZt2sB5yRf8cJn4uPgE1aT6iKoQxY-0"
"""The password with id 1."""
NEW = "Hz1_n8Wb5uKdS3eVtG7xMqCy0LrP4jFa9oTiX2wEkQc"
"""The password with id 2."""

ENCRYPTION_SALT = "c0ffee" * 10 + "cafe"
INTEGRITY_SALT = "feed5eed" * 8
IV = bytes(range(100, 116))


@dataclass(frozen=True)
class Parts:
    """The eight fields of a seal, as text, each of which a test may spoil before the whole is signed."""

    prefix: str = "Fe26.2"
    password_id: str = "1"
    encryption_salt: str = ENCRYPTION_SALT
    iv: str = ""
    ciphertext: str = ""
    expiration: str = ""
    integrity_salt: str = INTEGRITY_SALT
    mac: str = ""

    def changed(self, **fields: str) -> Parts:
        """Return the parts with some replaced; what is signed is up to the caller."""
        return replace(self, **fields)

    def signed(self, password: str = OLD) -> Parts:
        """Return the parts with the MAC that the others call for."""
        key = derive(password, self.integrity_salt)
        covered = "*".join(self._fields()[:6])
        return replace(self, mac=base64url(hmac.digest(key, covered.encode(), "sha256")))

    def text(self) -> str:
        """Return the seal."""
        return "*".join(self._fields())

    def _fields(self) -> tuple[str, ...]:
        return (
            self.prefix,
            self.password_id,
            self.encryption_salt,
            self.iv,
            self.ciphertext,
            self.expiration,
            self.integrity_salt,
            self.mac,
        )


def encrypted(plaintext: bytes, password: str = OLD, *, salt: str = ENCRYPTION_SALT, iv: bytes = IV) -> Parts:
    """Return the unsigned parts of a seal of *plaintext*."""
    padding = 16 - len(plaintext) % 16
    return raw(plaintext + bytes([padding]) * padding, password, salt=salt, iv=iv)


def raw(blocks: bytes, password: str = OLD, *, salt: str = ENCRYPTION_SALT, iv: bytes = IV) -> Parts:
    """Return the unsigned parts of a seal of whole *blocks*, padding and all, or none."""
    encryptor = Cipher(algorithms.AES256(derive(password, salt)), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(blocks) + encryptor.finalize()
    return Parts(encryption_salt=salt, iv=base64url(iv), ciphertext=base64url(ciphertext))


def derive(password: str, salt: str) -> bytes:
    """Return a password's key: 32 octets of PBKDF2-HMAC-SHA1, one round, the salt as text."""
    return hashlib.pbkdf2_hmac("sha1", password.encode(), salt.encode(), 1, 32)


def base64url(octets: bytes) -> str:
    """Encode without padding."""
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")
