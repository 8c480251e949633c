"""Sealing and unsealing against the library calls that they must make."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from iron_wsgi import seal_data, unseal_data
from iron_wsgi.seals import seal

from . import floors
from .payloads import NOW, PASSWORD, SIZES, TTL, data_of, text_of
from .report import Group, Line, Target
from .timing import Effort, line

OCTETS: Final = Target("at most", 1.3)
DATA: Final = Target("at most", 1.6)


def groups(effort: Effort) -> Iterator[Group]:
    """Measure both layers."""
    yield Group(
        title="Octets: seal_at and unseal_at(parse()) against the calls they must make",
        lines=[one for size in SIZES for one in _octets(size, effort)],
    )
    yield Group(
        title="Data: seal_data and unseal_data against the same calls and json's",
        lines=[one for size in SIZES for one in _data(size, effort)],
    )


def _octets(size: int, effort: Effort) -> Iterator[Line]:
    plaintext, end = text_of(data_of(size)), NOW + TTL
    sealed = floors.seal(plaintext, PASSWORD, end)
    yield line(
        f"seal {size} octets",
        partial(seal.seal_at, plaintext, PASSWORD, expires_at=end, password_id="1"),
        partial(floors.seal, plaintext, PASSWORD, end),
        effort,
        against="primitives",
        target=OCTETS,
    )
    yield line(
        f"unseal {size} octets",
        lambda: seal.unseal_at(seal.parse(sealed), PASSWORD, now=NOW),
        partial(floors.unseal, sealed, PASSWORD, NOW),
        effort,
        against="primitives",
        target=OCTETS,
    )


def _data(size: int, effort: Effort) -> Iterator[Line]:
    data, end = data_of(size), NOW + TTL
    sealed = floors.seal_data(data, PASSWORD, end)
    yield line(
        f"seal {size} octets of JSON",
        partial(seal_data, data, password=PASSWORD, ttl=TTL),
        partial(floors.seal_data, data, PASSWORD, end),
        effort,
        against="primitives",
        target=DATA,
    )
    yield line(
        f"unseal {size} octets of JSON",
        partial(unseal_data, sealed, password=PASSWORD),
        partial(floors.unseal_data, sealed, PASSWORD, NOW),
        effort,
        against="primitives",
        target=DATA,
    )
