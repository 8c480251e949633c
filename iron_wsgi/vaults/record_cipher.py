"""The encryption of records: AES-256-GCM-SIV (RFC 8452), under keys that encrypt nothing else.

A record is ``1.<password id>.<base64 of nonce, ciphertext and tag>``. The text before the base64 and the name
of the record in the store are associated data, so a record opens under its own name alone.
"""

from __future__ import annotations

import binascii
import re
import secrets
from typing import Final, final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from iron_wsgi.errors import ConfigError, Refused
from iron_wsgi.seals.passwords import DEFAULT_ID, Passwords

VERSION: Final = 1
"""The format's version, at the beginning of every record."""

_PURPOSE: Final = ("iron_wsgi", "store")
_HEAD: Final = re.compile(rf"{VERSION}\.([1-9][0-9]{{0,15}})\.")
_NONCE: Final = 12  # octets, RFC 8452 section 4
_TAG: Final = 16  # octets


@final
class RecordCipher:
    """Encrypts records under the password that seals, and opens those under any that is configured.

    One cipher serves all threads.
    """

    __slots__ = ("_ciphers", "_passwords", "_sealing", "_sealing_head")

    def __init__(self, passwords: Passwords) -> None:
        """Derive a key from each of *passwords*.

        Raises:
            ConfigError: The OpenSSL that ``cryptography`` uses has no AES-GCM-SIV.
        """
        self._passwords = derived = passwords.derive(*_PURPOSE)
        try:
            self._ciphers = {
                password_id: AESGCMSIV(bytes.fromhex(password))
                for password_id in derived.ids
                # The password without an id has never encrypted a record.
                if password_id != DEFAULT_ID and (password := derived.get(password_id))
            }
        except UnsupportedAlgorithm:
            msg = (
                "a store needs AES-GCM-SIV, which the OpenSSL behind `cryptography` does not have here: "
                "install its wheel, or build it with OpenSSL 3.2 or later"
            )
            raise ConfigError(msg) from None
        self._sealing = self._ciphers[derived.sealing_id]
        self._sealing_head = f"{VERSION}.{derived.sealing_id}."

    def encrypt(self, plaintext: bytes, name: str) -> str:
        """Return *plaintext* as the record that the store keeps under *name*."""
        head, nonce = self._sealing_head, secrets.token_bytes(_NONCE)
        octets = nonce + self._sealing.encrypt(nonce, plaintext, (head + name).encode())
        return head + binascii.b2a_base64(octets, newline=False).decode()

    def decrypt(self, value: str, name: str) -> tuple[bytes, bool]:
        """Return the plaintext of the record under *name*, and whether an older password encrypted it.

        Raises:
            Refused: ``"invalid"``: it is no record of this version, was altered, or was moved from another
                name. ``"unknown-password"``: it names a password id that is not configured.
        """
        head = _HEAD.match(value)
        if head is None:
            raise Refused("invalid")
        cipher = self._ciphers.get(head[1])
        if cipher is None:
            raise Refused("unknown-password", password_id=head[1])
        try:
            # This skips characters that are not base64. Only the octets have to be authentic.
            octets = binascii.a2b_base64(value[head.end() :])
        except ValueError:
            raise Refused("invalid") from None
        # CVE-2026-45446: some versions of OpenSSL accept an empty ciphertext with a tag of zeros.
        if len(octets) <= _NONCE + _TAG:
            raise Refused("invalid")
        try:
            plaintext = cipher.decrypt(octets[:_NONCE], octets[_NONCE:], (head[0] + name).encode())
        except InvalidTag:
            raise Refused("invalid") from None
        return plaintext, self._passwords.is_outdated(head[1])
