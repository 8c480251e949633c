"""A second, independent cipher of records: AES-256-GCM-SIV written out from RFC 8452, over AES alone.

It makes authentic records that the package would not write. Nothing here imports the package under test, or
the library's own AES-GCM-SIV.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterator

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from .forge import OLD

NONCE = bytes(range(200, 212))
TAG = 16  # octets, the last of a record
_POLYNOMIAL = 1 << 128 | 1 << 127 | 1 << 126 | 1 << 121 | 1


def record(
    plaintext: bytes,
    name: str,
    password: str = OLD,
    *,
    version: str = "1",
    password_id: str = "1",
    nonce: bytes = NONCE,
) -> str:
    """Return the record of *plaintext* under the key *name* of a store."""
    head = f"{version}.{password_id}."
    sealed = encrypt(key_from(password), nonce, plaintext, (head + name).encode())
    return head + base64.b64encode(nonce + sealed).decode()


def opened(value: str, name: str, password: str = OLD) -> bytes:
    """Return what a record holds, after a look at its tag."""
    head, text = value[: value.rindex(".") + 1], value[value.rindex(".") + 1 :]
    octets = base64.b64decode(text, validate=True)
    nonce, ciphertext = octets[: len(NONCE)], octets[len(NONCE) : -TAG]
    key = key_from(password)
    # Counter mode undoes itself under the same tag.
    plaintext = _counted(_keys(key, nonce)[1], octets[-TAG:], ciphertext)
    assert encrypt(key, nonce, plaintext, (head + name).encode()) == ciphertext + octets[-TAG:]
    return plaintext


def key_from(password: str) -> bytes:
    """Return the key of the records under a password: RFC 5869, with the label that the package gives."""
    info = b"iron_wsgi/purpose/v1"
    for part in (b"iron_wsgi", b"store"):
        info += len(part).to_bytes(4, "big") + part
    pseudorandom = hmac.digest(bytes(32), password.encode(), "sha256")
    return hmac.digest(pseudorandom, info + b"\x01", "sha256")


def encrypt(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """Return ciphertext and tag (RFC 8452 section 4)."""
    authentication, encryption = _keys(key, nonce)
    lengths = b"".join((len(part) * 8).to_bytes(8, "little") for part in (associated, plaintext))
    digest = bytearray(_polyval(authentication, _padded(associated) + _padded(plaintext) + lengths))
    for place, octet in enumerate(nonce):
        digest[place] ^= octet
    digest[15] &= 0x7F
    tag = _block(encryption, bytes(digest))
    return _counted(encryption, tag, plaintext) + tag


def _keys(key: bytes, nonce: bytes) -> tuple[bytes, bytes]:
    halves = [_block(key, number.to_bytes(4, "little") + nonce)[:8] for number in range(6)]
    return b"".join(halves[:2]), b"".join(halves[2:])


def _counted(key: bytes, tag: bytes, octets: bytes) -> bytes:
    """Encrypt or decrypt in counter mode, from the tag on."""
    start, rest = int.from_bytes(tag[:4], "little"), tag[4:15] + bytes([tag[15] | 0x80])
    stream = b"".join(
        _block(key, ((start + number) % 2**32).to_bytes(4, "little") + rest)
        for number in range(len(_padded(octets)) // 16)
    )
    return bytes(one ^ other for one, other in zip(octets, stream, strict=False))


def _polyval(key: bytes, octets: bytes) -> bytes:
    """Return the hash of section 3, bit by bit."""
    factor, total = int.from_bytes(key, "little"), 0
    for block in _blocks(octets):
        term, product = total ^ int.from_bytes(block, "little"), 0
        for place in range(128):
            product ^= (factor << place) * (term >> place & 1)
        for _ in range(128):  # times x to the power of -128
            product ^= _POLYNOMIAL * (product & 1)
            product >>= 1
        total = product
    return total.to_bytes(16, "little")


def _blocks(octets: bytes) -> Iterator[bytes]:
    return (octets[start : start + 16] for start in range(0, len(octets), 16))


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 16)


def _block(key: bytes, block: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES256(key), modes.ECB()).encryptor()  # noqa: S305 - of one block
    return encryptor.update(block) + encryptor.finalize()
