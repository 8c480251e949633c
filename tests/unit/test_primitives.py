"""The five primitives, called as the package calls them, against published vectors.

They are those of the ``cryptography_vectors`` package: NIST's AES-256-CBC (AESAVS and the longer messages),
RFC 4231 for HMAC-SHA256, RFC 6070 for PBKDF2-HMAC-SHA1, RFC 5869 for HKDF-SHA256, RFC 8452 for
AES-256-GCM-SIV. Wycheproof's are not in it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from iron_wsgi import InvalidSeal, Passwords
from iron_wsgi.seals import base64url, keys
from iron_wsgi.seals.seal import Fields, KeyPair, parse, seal_from_parts, unseal_at
from tests.interop import forge_record

VECTORS = Path(cryptography_vectors.__file__).parent


def records(path: str, first: str) -> Iterator[dict[str, str]]:
    """Yield the records of a file, each from a line ``first = ...`` on; keys in lower case."""
    record: dict[str, str] = {}
    for line in (VECTORS / path).read_text(encoding="utf-8").splitlines():
        name, equals, value = line.partition("=")
        if not equals or line.startswith("#"):
            continue
        name = name.strip().lower()
        if name == first and record:
            yield record
            record = {}
        record[name] = value.strip()
    yield record


def aes(name: str) -> list[dict[str, str]]:
    return list(records(f"ciphers/AES/CBC/{name}256.rsp", "count"))


AES_FILES = ["CBCGFSbox", "CBCKeySbox", "CBCMMT", "CBCVarKey", "CBCVarTxt"]


@pytest.mark.parametrize("name", AES_FILES)
def test_aes_256_cbc_encrypts_and_decrypts_as_nist_says(name: str) -> None:
    tried = 0
    for vector in aes(name):
        key, iv, plaintext, ciphertext = (
            bytes.fromhex(vector[part]) for part in ("key", "iv", "plaintext", "ciphertext")
        )
        sealed = seal_from_parts(
            plaintext,
            KeyPair(key, b"i" * 32),
            encryption_salt="",
            integrity_salt="",
            iv=iv,
            expires_at=None,
        )
        fields = parse(sealed)
        blocks = base64url.decode(fields.ciphertext)
        # One more block than NIST's: the padding, since these messages fill their blocks.
        assert blocks[: len(ciphertext)] == ciphertext
        assert len(blocks) == len(ciphertext) + 16
        assert unseal_at(fields, KeyPair(key, b"i" * 32), now=0).plaintext == plaintext
        tried += 1
    assert tried >= 10


def test_nist_ciphertexts_without_padding_are_refused() -> None:
    refused = 0
    for vector in aes("CBCMMT"):
        key = bytes.fromhex(vector["key"])
        ciphertext = base64url.encode(bytes.fromhex(vector["ciphertext"]))
        iv = base64url.encode(bytes.fromhex(vector["iv"]))
        signed = b"*".join((b"Fe26.2", b"", b"", iv, ciphertext, b""))
        mac = base64url.encode(hmac.digest(b"i" * 32, signed, "sha256"))
        fields = Fields("", b"", iv, ciphertext, b"", b"", mac, signed)
        with pytest.raises(InvalidSeal):
            unseal_at(fields, KeyPair(key, b"i" * 32), now=0)
        refused += 1
    assert refused >= 10


def test_hmac_sha256_is_that_of_rfc_4231() -> None:
    vectors = list(records("HMAC/rfc-4231-sha256.txt", "len"))
    assert len(vectors) >= 6
    for vector in vectors:
        message = bytes.fromhex(vector["msg"])
        assert hmac.digest(bytes.fromhex(vector["key"]), message, "sha256").hex() == vector["md"]


def test_pbkdf2_hmac_sha1_is_that_of_rfc_6070(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its passwords are shorter than seals allow, so the check of the length is taken out of the way.
    monkeypatch.setattr(keys, "check_password", lambda _: None)
    tried = 0
    for vector in records("KDF/rfc-6070-PBKDF2-SHA1.txt", "count"):
        iterations = int(vector["iterations"])
        if iterations > 100_000:
            continue  # 16,777,216 rounds take half a minute and show nothing more
        password, salt = (
            vector[part].encode().decode("unicode_escape").strip('"').encode()
            for part in ("password", "salt")
        )
        expected = bytes.fromhex(vector["derived_key"])
        derived = keys._derive(password.decode("latin-1"), salt, int(vector["length"]), iterations)
        assert derived == expected
        tried += 1
    assert tried >= 4


def test_a_key_of_32_octets_takes_two_blocks_of_pbkdf2_hmac_sha1() -> None:
    # RFC 8018 5.2 by hand: what the format needs is longer than SHA-1's 20 octets.
    password, salt = "a password of at least 32 characters", b"c0ffee"
    blocks = b"".join(
        hmac.digest(password.encode(), salt + number.to_bytes(4, "big"), hashlib.sha1) for number in (1, 2)
    )
    assert keys.encryption_key(password, salt, "aes-256-cbc", 1) == blocks[:32]
    assert keys.encryption_key(password, salt, "aes-128-ctr", 1) == blocks[:16]
    assert keys.integrity_key(password, salt, 1) == blocks[:32]


def test_hkdf_sha256_is_that_of_rfc_5869() -> None:
    vectors = list(records("KDF/rfc-5869-HKDF-SHA256.txt", "count"))
    assert len(vectors) >= 2
    for vector in vectors:
        salt = bytes.fromhex(vector["salt"])
        derived = HKDF(
            algorithm=SHA256(),
            length=int(vector["l"]),
            salt=salt or None,
            info=bytes.fromhex(vector["info"]),
        ).derive(bytes.fromhex(vector["ikm"]))
        assert derived.hex() == vector["okm"]


def test_a_password_for_a_purpose_is_rfc_5869_by_hand() -> None:
    # Extract with a salt of zeros, then one block of expand: 32 octets are SHA-256's own length.
    password, purpose = "Zt7mXq2LwVb9KcR4yHd6NfJ1sGp8EuA3-0", "magic-link"
    info = b"iron_wsgi/purpose/v1" + len(purpose).to_bytes(4, "big") + purpose.encode()
    pseudorandom = hmac.digest(bytes(32), password.encode(), "sha256")
    expected = hmac.digest(pseudorandom, info + b"\x01", "sha256").hex()
    assert Passwords.parse(password).derive(purpose).sealing == expected


def test_aes_256_gcm_siv_is_that_of_rfc_8452_and_so_is_the_second_implementation() -> None:
    tried = 0
    for vector in records("ciphers/AES/GCM-SIV/openssl.txt", "count"):
        key, nonce, plaintext, associated = (
            bytes.fromhex(vector.get(part, "")) for part in ("key", "iv", "plaintext", "aad")
        )
        if len(key) != 32:
            continue
        expected = bytes.fromhex(vector["ciphertext"] + vector["tag"])
        assert forge_record.encrypt(key, nonce, plaintext, associated) == expected
        if plaintext:  # there is no empty record, and older libraries refuse to encrypt one
            assert AESGCMSIV(key).encrypt(nonce, plaintext, associated) == expected
            assert AESGCMSIV(key).decrypt(nonce, expected, associated) == plaintext
        tried += 1
    assert tried >= 20
