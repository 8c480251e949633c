"""Authentic seals with content of the attacker's choice, and the vaults that have to judge them.

The seals come from the second implementation in `tests.interop.forge`, so no test here trusts the code
it attacks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from iron_wsgi import Refused, SessionOptions
from iron_wsgi.vaults.seal_vault import SealVault
from tests.interop import forge

OLD: Final = forge.OLD
NEW: Final = forge.NEW
OTHER: Final = "Vb6-yT0eRz9kWqX3uNhL8sJc5MfD2pGa7oHiE1tKx4U"
"""A password that nobody configured."""

NOW: Final = 1_800_000_000.0
"""Epoch seconds at which every test begins."""
TTL: Final = 3600
SKEW: Final = 60


def milliseconds(moment: float) -> str:
    """Return a seal's expiration field for a moment in epoch seconds."""
    return str(round(moment * 1000))


def forged(
    payload: bytes | Mapping[str, Any] | list[Any] | str | float | None,
    password: str = OLD,
    *,
    password_id: str = "1",
    expiration: str | None = None,
    salt: str = forge.ENCRYPTION_SALT,
    integrity_salt: str = forge.INTEGRITY_SALT,
    iv: bytes = forge.IV,
) -> str:
    """Return an authentic seal of *payload*, without the mark that iron-session adds.

    Args:
        payload: Octets as they are; anything else as JSON.
        password: What signs and encrypts.
        password_id: The id that the seal names, whatever it is.
        expiration: The field as text; an hour from `NOW` by default.
        salt: The encryption salt.
        integrity_salt: The integrity salt.
        iv: The initialization vector.
    """
    octets = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    parts = forge.encrypted(octets, password, salt=salt, iv=iv)
    expiration = milliseconds(NOW + TTL) if expiration is None else expiration
    parts = parts.changed(password_id=password_id, expiration=expiration, integrity_salt=integrity_salt)
    return parts.signed(password).text()


def settings(**changes: Any) -> SessionOptions:
    """Return options with one password, a fixed clock and an hour's ttl, but for *changes*."""
    return SessionOptions(
        **{"password": OLD, "cookie_name": "session", "ttl": TTL, "clock": lambda: NOW, **changes}
    )


def vault(**changes: Any) -> SealVault:
    """Return a vault under `settings`."""
    return SealVault(settings(**changes))


def verdict(text: str, judge: SealVault) -> str | dict[str, Any]:
    """Return the data that *judge* reads from *text*, or the reason for which it refuses.

    Nothing but `Refused` is caught: any other exception is a defect.
    """
    try:
        return judge.load(text).data
    except Refused as refused:
        return refused.reason
