"""Sealing and unsealing against the library calls that they must make, and what their cost depends on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final, NamedTuple

from iron_wsgi import Passwords, Sealer, generate_password, seal_data, unseal_data
from iron_wsgi.seals import seal

from . import floors
from .payloads import PASSWORD, SIZES, TTL, USUAL, data_of, text_of
from .report import Group, Line
from .timing import Effort, compare, python, same

OCTETS: Final = 1.2
SEALER: Final = 1.4
DATA: Final = 1.6
FLAT: Final = 1.1
LINEAR: Final = 1.25

COUNTS: Final = (1, 10, 100)  # passwords
SMALL: Final = 32_768  # octets; four times as much still fits into a processor's cache
FACTORS: Final = (1, 2, 4)
PURPOSE: Final = "benchmark"


class Layer(NamedTuple):
    """A function of ours and the straight line that it is measured by."""

    name: str
    limit: float
    ours: Callable[[], object]
    floor: Callable[[], object]


def goals(effort: Effort) -> Iterator[Group]:
    """Measure the three layers, many passwords and large payloads."""
    lines: dict[str, list[Line]] = {}
    for size in SIZES:
        for layers in (_sealing(size), _unsealing(size)):
            timers = {f"{kind} {one.name}": python(run) for one in layers for kind, run in _both(one)}
            seconds = compare(timers, effort)
            for one in layers:
                line = Line(
                    what=f"{size:,} octets",
                    ours=seconds[f"ours {one.name}"],
                    against="library calls",
                    theirs=seconds[f"floor {one.name}"],
                    limit=one.limit if size == USUAL else None,
                )
                lines.setdefault(one.name, []).append(line)
    for name in ("seal_at", "unseal_at(parse())", "Sealer.seal", "Sealer.unseal", "seal_data", "unseal_data"):
        yield Group(title=f"{name}, of the library calls it must make", lines=lines[name])
    yield from _passwords(effort)
    yield from _payloads(effort)


def _both(layer: Layer) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "ours", layer.ours
    yield "floor", layer.floor


def _sealing(size: int) -> list[Layer]:
    data, end = data_of(size), time.time() + TTL
    plaintext = text_of(data)
    sealer = Sealer(PASSWORD, purpose=PURPOSE)
    octets = partial(floors.seal, plaintext, PASSWORD, end)
    whole = partial(floors.seal_data, data, PASSWORD, end)
    ours = partial(seal.seal_at, plaintext, PASSWORD, expires_at=end, password_id="1")
    for text in (octets(), whole(), ours(), seal_data(data, password=PASSWORD, ttl=TTL)):
        same(floors.unseal_data(text, PASSWORD, end), data)
    return [
        Layer("seal_at", OCTETS, ours, octets),
        Layer("Sealer.seal", SEALER, partial(sealer.seal, data, ttl=TTL), whole),
        Layer("seal_data", DATA, partial(seal_data, data, password=PASSWORD, ttl=TTL), whole),
    ]


def _unsealing(size: int) -> list[Layer]:
    data, now = data_of(size), time.time()
    text = floors.seal_data(data, PASSWORD, now + TTL)
    sealer = Sealer(PASSWORD, purpose=PURPOSE)
    token = sealer.seal(data, ttl=TTL)
    octets = partial(floors.unseal, text, PASSWORD, now)
    whole = partial(floors.unseal_data, text, PASSWORD, now)

    def ours() -> bytes:
        return seal.unseal_at(seal.parse(text), PASSWORD, now=now).plaintext

    same(ours(), octets())
    for read in (sealer.unseal(token), unseal_data(text, password=PASSWORD), whole()):
        same(read, data)
    return [
        Layer("unseal_at(parse())", OCTETS, ours, octets),
        Layer("Sealer.unseal", SEALER, partial(sealer.unseal, token), whole),
        Layer("unseal_data", DATA, partial(unseal_data, text, password=PASSWORD), whole),
    ]


def _passwords(effort: Effort) -> Iterator[Group]:
    """Measure sealers of many passwords, of which the oldest made the seal."""
    data = data_of(USUAL)
    sealers = {}
    for count in COUNTS:
        by_id = {number: generate_password() for number in range(count, 1, -1)}
        sealers[count] = Sealer(Passwords.parse({**by_id, 1: PASSWORD}), purpose=PURPOSE)
    token = sealers[1].seal(data, ttl=TTL)
    for one in sealers.values():
        same(one.unseal(token), data)
    writing = {count: partial(one.seal, data, ttl=TTL) for count, one in sealers.items()}
    reading = {count: partial(one.unseal, token) for count, one in sealers.items()}
    for verb, functions in (("seal", writing), ("unseal", reading)):
        yield Group(
            title=f"Sealer.{verb} under many passwords, of what it costs under one",
            lines=list(flat(functions, "passwords", effort)),
        )


def flat(functions: Mapping[int, Callable[[], object]], noun: str, effort: Effort) -> Iterator[Line]:
    """Yield what the functions for the counts cost of what the one for 1 costs."""
    seconds = compare({str(count): python(function) for count, function in functions.items()}, effort)
    for count in COUNTS[1:]:
        yield Line(
            what=f"{count} {noun}",
            ours=seconds[str(count)],
            against="1",
            theirs=seconds["1"],
            limit=FLAT,
        )


def _payloads(effort: Effort) -> Iterator[Group]:
    sealer = Sealer(PASSWORD, purpose=PURPOSE)
    data = {factor: data_of(SMALL * factor) for factor in FACTORS}
    tokens = {factor: sealer.seal(one, ttl=TTL) for factor, one in data.items()}
    for factor, token in tokens.items():
        same(sealer.unseal(token), data[factor])
    writing = {factor: partial(sealer.seal, data[factor], ttl=TTL) for factor in FACTORS}
    reading = {factor: partial(sealer.unseal, tokens[factor]) for factor in FACTORS}
    for verb, functions in (("seal", writing), ("unseal", reading)):
        seconds = compare({str(factor): python(one) for factor, one in functions.items()}, effort)
        lines = [
            Line(
                what=f"{SMALL * factor:,} octets",
                ours=seconds[str(factor)] / factor,
                against=f"{SMALL:,} octets",
                theirs=seconds["1"],
                limit=LINEAR,
            )
            for factor in FACTORS[1:]
        ]
        yield Group(title=f"Sealer.{verb} of large payloads: per octet, of {SMALL:,} octets", lines=lines)
