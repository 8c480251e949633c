"""Base64 for URLs, without padding (RFC 4648 section 5): what a seal's fields are made of."""

from __future__ import annotations

import binascii

from iron_wsgi.errors import InvalidSeal


def encode(raw: bytes) -> bytes:
    """Encode as base64url without padding (RFC 4648 section 5)."""
    text = binascii.b2a_base64(raw, newline=False)
    return text.replace(b"+", b"-").replace(b"/", b"_").rstrip(b"=")


def decode(text: bytes) -> bytes:
    """Decode base64url; only the one spelling that `encode` writes is accepted.

    Raises:
        InvalidSeal: It is another spelling, or none.
    """
    try:
        raw = binascii.a2b_base64(text.replace(b"-", b"+").replace(b"_", b"/") + b"=" * (-len(text) % 4))
    except ValueError:
        raw = b""
    # Python's decoder skips characters that it does not know, so some octets would be missing, and ignores
    # surplus bits, which only the last group can have.
    whole = len(raw) // 3
    is_complete = len(text) % 4 != 1 and len(raw) == len(text) * 3 // 4
    if not is_complete or encode(raw[whole * 3 :]) != text[whole * 4 :] or b"+" in text or b"/" in text:
        msg = "a field of the seal is not base64url"
        raise InvalidSeal(msg)
    return raw
