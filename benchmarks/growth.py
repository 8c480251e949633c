"""What the cost depends on, and what it must not depend on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Final

from iron_wsgi import Passwords, Sealer, SealError, SessionOptions, generate_password
from iron_wsgi.errors import Refused
from iron_wsgi.seals import seal
from iron_wsgi.vaults.seal_vault import SealVault

from .payloads import NOW, PASSWORD, SIZES, TTL, data_of, text_of
from .report import Group, Line, Target
from .timing import Effort, compare, line, python

CHEAPER: Final = Target("at most", 1.0)
FLAT: Final = Target("at most", 1.1)
LINEAR: Final = Target("at most", 1.25)

COUNTS: Final = (10, 100)  # passwords
SMALL: Final = 32_768  # octets; four times as much still fits into a processor's cache
FACTORS: Final = (2, 4)


def groups(effort: Effort) -> Iterator[Group]:
    """Measure refusals, many passwords and large payloads."""
    yield Group(
        title="Refusing a seal whose MAC does not match against opening a good one",
        lines=[one for size in SIZES for one in _refusals(size, effort)],
    )
    yield Group(
        title="Many passwords, made into Passwords once, against one (the oldest made the seal)",
        lines=list(_passwords(effort)),
    )
    yield Group(
        title=f"Large payloads: per octet, against {SMALL:,} octets",
        lines=list(_sizes(effort)),
    )


def _refusals(size: int, effort: Effort) -> Iterator[Line]:
    good = seal.seal_at(text_of(data_of(size)), PASSWORD, expires_at=NOW + TTL, password_id="1")
    forged = good[:-1] + ("A" if good[-1] != "A" else "E")

    def opening() -> None:
        seal.unseal_at(seal.parse(good), PASSWORD, now=NOW)

    def refusing() -> None:
        with suppress(SealError):
            seal.unseal_at(seal.parse(forged), PASSWORD, now=NOW)

    yield line(f"octets, {size}", refusing, opening, effort, against="a good one", target=CHEAPER)

    options = SessionOptions(password=PASSWORD, cookie_name="session", clock=lambda: NOW)
    vault = SealVault(options)

    def loading() -> None:
        vault.load(good)

    def refusing_load() -> None:
        with suppress(Refused):
            vault.load(forged)

    yield line(f"session, {size}", refusing_load, loading, effort, against="a good one", target=CHEAPER)


def _passwords(effort: Effort) -> Iterator[Line]:
    data = data_of(SIZES[1])
    sealers = {}
    for count in (1, *COUNTS):
        by_id = {number: generate_password() for number in range(count, 1, -1)}
        sealers[count] = Sealer(Passwords.parse({**by_id, 1: PASSWORD}), purpose="benchmark")
    token = sealers[1].seal(data, ttl=TTL)
    writing = {str(count): python(partial(one.seal, data, ttl=TTL)) for count, one in sealers.items()}
    reading = {str(count): python(partial(one.unseal, token)) for count, one in sealers.items()}
    for verb, timers in (("seal", writing), ("unseal", reading)):
        seconds = compare(timers, effort)
        for count in COUNTS:
            yield Line(
                what=f"{verb} under {count} passwords",
                ours=seconds[str(count)],
                against="1 password",
                theirs=seconds["1"],
                target=FLAT,
            )


def _sizes(effort: Effort) -> Iterator[Line]:
    sealer = Sealer(PASSWORD, purpose="benchmark")
    data = {factor: data_of(SMALL * factor) for factor in (1, *FACTORS)}
    tokens = {factor: sealer.seal(one, ttl=TTL) for factor, one in data.items()}
    writing = {factor: partial(sealer.seal, data[factor], ttl=TTL) for factor in data}
    reading = {factor: partial(sealer.unseal, tokens[factor]) for factor in data}
    for verb, functions in (("seal", writing), ("unseal", reading)):
        seconds = compare({str(factor): python(one) for factor, one in functions.items()}, effort)
        for factor in FACTORS:
            yield Line(
                what=f"{verb} {SMALL * factor:,} octets, by {factor}",
                ours=seconds[str(factor)] / factor,
                against=f"{SMALL:,} octets",
                theirs=seconds["1"],
                target=LINEAR,
            )
