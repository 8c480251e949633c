"""The least that the format asks for: the library calls that every implementation makes, in a straight line.

Nothing is checked but the MAC and the time, nothing can be chosen, and no error is explained. The goals are
about what the package adds to this.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.padding import PKCS7

_CIPHER: Final = AESGCMSIV(bytes(32))
_NAME: Final = b"n" * 64


def seal(plaintext: bytes, password: str, expires_at: float) -> str:
    """Seal octets under the password of id 1."""
    random = os.urandom(80)
    salt, mac_salt, iv = random[:32].hex().encode(), random[32:64].hex().encode(), random[64:]
    key = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 1, 32)
    padder = PKCS7(128).padder()
    padded = padder.update(plaintext) + padder.finalize()
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).encryptor()
    ciphertext = encryptor.update(padded) + encryptor.finalize()
    signed = b"Fe26.2*1*%b*%b*%b*%d" % (
        salt,
        base64.urlsafe_b64encode(iv).rstrip(b"="),
        base64.urlsafe_b64encode(ciphertext).rstrip(b"="),
        round(expires_at * 1000),
    )
    mac_key = hashlib.pbkdf2_hmac("sha1", password.encode(), mac_salt, 1, 32)
    mac = base64.urlsafe_b64encode(hmac.digest(mac_key, signed, "sha256")).rstrip(b"=")
    return b"*".join((signed, mac_salt, mac)).decode()


def unseal(text: str, password: str, now: float) -> bytes:
    """Open a seal whose MAC matches and whose time is not over."""
    raw = text.partition("~")[0].encode()
    _, _, salt, iv, ciphertext, expiration, mac_salt, mac = raw.split(b"*")
    mac_key = hashlib.pbkdf2_hmac("sha1", password.encode(), mac_salt, 1, 32)
    signed = raw[: -len(mac_salt) - len(mac) - 2]
    expected = base64.urlsafe_b64encode(hmac.digest(mac_key, signed, "sha256")).rstrip(b"=")
    if not hmac.compare_digest(expected, mac) or int(expiration) <= (now - 60) * 1000:
        raise ValueError
    key = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 1, 32)
    mode = modes.CBC(base64.urlsafe_b64decode(iv + b"=="))
    decryptor = Cipher(algorithms.AES256(key), mode).decryptor()
    padding = b"=" * (-len(ciphertext) % 4)
    padded = decryptor.update(base64.urlsafe_b64decode(ciphertext + padding)) + decryptor.finalize()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(padded) + unpadder.finalize()


def seal_data(data: dict[str, Any], password: str, expires_at: float) -> str:
    """Seal data as JSON."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return seal(text.encode(), password, expires_at) + "~2"


def unseal_data(text: str, password: str, now: float) -> Any:
    """Open a seal of JSON."""
    return json.loads(unseal(text, password, now))


def demanded(text: str, password: str) -> Callable[[], bytes]:
    """Return a program of the four things that opening this very seal demands, and of nothing else.

    It derives a key, computes the MAC, derives the other key and decrypts. What these need was taken out of
    the seal before; nothing is compared and nothing decoded.
    """
    raw, secret = text.partition("~")[0].encode(), password.encode()
    _, _, salt, encoded_iv, encoded, _, mac_salt, mac = raw.split(b"*")
    signed = raw[: -len(mac_salt) - len(mac) - 2]
    iv = base64.urlsafe_b64decode(encoded_iv + b"==")
    ciphertext = base64.urlsafe_b64decode(encoded + b"==")

    def program() -> bytes:
        mac_key = hashlib.pbkdf2_hmac("sha1", secret, mac_salt, 1, 32)
        hmac.digest(mac_key, signed, "sha256")
        key = hashlib.pbkdf2_hmac("sha1", secret, salt, 1, 32)
        decryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).decryptor()
        padded = decryptor.update(ciphertext) + decryptor.finalize()
        unpadder = PKCS7(128).unpadder()
        return unpadder.update(padded) + unpadder.finalize()

    if program() != unseal(text, password, 0):
        msg = "the program does not open the seal"
        raise AssertionError(msg)
    return program


def encrypt_record(data: dict[str, Any]) -> bytes:
    """Encrypt data as a store's record."""
    nonce, text = os.urandom(12), json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return b2a_base64(nonce + _CIPHER.encrypt(nonce, text.encode(), _NAME), newline=False)


def decrypt_record(record: bytes) -> Any:
    """Open a store's record."""
    octets = a2b_base64(record)
    return json.loads(_CIPHER.decrypt(octets[:12], octets[12:], _NAME))
