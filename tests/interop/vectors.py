"""The seals of other implementations, read from `vectors/*.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from iron_wsgi.seals.seal import KeyPair

if TYPE_CHECKING:
    from iron_wsgi.seals.seal import Algorithm, Key

FOLDER: Final = Path(__file__).parent / "vectors"


@dataclass(frozen=True)
class Vector:
    """A seal, and everything that it was made from."""

    name: str
    made_by: str
    algorithm: Algorithm
    iterations: tuple[int, int]
    password_id: str
    stored_key: dict[str, Any]
    expires_at_ms: int | None
    encryption_salt: str
    integrity_salt: str
    iv: bytes
    plaintext: str
    seal: str

    @property
    def key(self) -> Key:
        """The key as this package takes it."""
        return key_of(self.stored_key)

    @property
    def expires_at(self) -> float | None:
        """The expiry in epoch seconds."""
        return None if self.expires_at_ms is None else self.expires_at_ms / 1000

    @property
    def foreign_key(self) -> Any:
        """The key as the Node program takes it."""
        return _foreign(self.stored_key)


@dataclass(frozen=True)
class Refusal:
    """A seal that must not open, and what @hapi/iron says of it."""

    name: str
    key: Key
    now_ms: int
    seal: str
    error: str
    hapi_says: str


def key_of(stored: dict[str, Any]) -> Key:
    """Return the key that a data file describes."""
    if "password" in stored:
        return str(stored["password"])
    if "raw" in stored:
        return bytes.fromhex(stored["raw"])
    encryption, integrity = key_of(stored["encryption"]), key_of(stored["integrity"])
    assert not isinstance(encryption, KeyPair)
    assert not isinstance(integrity, KeyPair)
    return KeyPair(encryption=encryption, integrity=integrity)


def load(name: str) -> list[Vector]:
    """Return the vectors of ``generate`` or ``verify``."""
    return [
        Vector(
            name=item["name"],
            made_by=item["made_by"],
            algorithm=item["algorithm"],
            iterations=(item["iterations"]["encryption"], item["iterations"]["integrity"]),
            password_id=item["password_id"],
            stored_key=item["key"],
            expires_at_ms=item["expires_at_ms"],
            encryption_salt=item["encryption_salt"],
            integrity_salt=item["integrity_salt"],
            iv=bytes.fromhex(item["iv"]),
            plaintext=item["plaintext"],
            seal=item["seal"],
        )
        for item in _read(name)
    ]


def refusals() -> list[Refusal]:
    """Return the seals that must not open."""
    return [
        Refusal(
            item["name"], key_of(item["key"]), item["now_ms"], item["seal"], item["error"], item["hapi_says"]
        )
        for item in _read("invalid")
    ]


def _read(name: str) -> list[dict[str, Any]]:
    document = json.loads((FOLDER / f"{name}.json").read_text(encoding="ascii"))
    vectors: list[dict[str, Any]] = document["vectors"]
    return vectors


def _foreign(stored: dict[str, Any]) -> Any:
    if "password" in stored:
        return stored["password"]
    if "raw" in stored:
        return {"$hex": stored["raw"]}
    return {part: _foreign(key) for part, key in stored.items()}
