"""The id of a session in a cookie: plain, or signed as by npm's ``cookie-signature``."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from iron_wsgi.errors import ConfigError, Refused

Encode: TypeAlias = Callable[[str], str]
Decode: TypeAlias = Callable[[str], "str | None"]

_SIGNED = re.compile(r"s:[!-~]+\.[A-Za-z0-9+/]{43}")  # 32 octets in base64, without its padding


def id_codec(sign: Any) -> tuple[Encode, Decode]:
    """Return the functions that turn an id into a cookie's value and back.

    Args:
        sign: A secret, several secrets, a pair of functions, or None for plain ids.

    Raises:
        ConfigError: *sign* is none of these.
    """
    if sign is None:
        return str, str
    parts = tuple(sign) if isinstance(sign, (list, tuple)) else (sign,)
    if len(parts) == 2 and all(map(callable, parts)):
        return parts
    if not parts or not all(isinstance(part, str) and part for part in parts):
        msg = "sign must be a secret, a list of secrets, the functions (encode, decode), or None"
        raise ConfigError(msg)
    return _signed([part.encode() for part in parts])


def _signed(secrets: Sequence[bytes]) -> tuple[Encode, Decode]:
    """Sign as npm's ``cookie-signature`` and express-session do: ``s:``, the id, and its HMAC-SHA256."""

    def encode(sid: str, secret: bytes = secrets[0]) -> str:
        mac = base64.b64encode(hmac.digest(secret, sid.encode(), "sha256"))
        return f"s:{sid}.{mac.decode().rstrip('=')}"

    def decode(text: str) -> str | None:
        if not _SIGNED.fullmatch(text):
            return None
        sid = text[2:].rpartition(".")[0]
        if not any([hmac.compare_digest(encode(sid, secret), text) for secret in secrets]):  # noqa: C419 - all
            raise Refused("unknown-password")  # it may be a secret that Node was given first
        return sid

    return encode, decode
