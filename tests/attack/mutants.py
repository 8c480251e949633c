"""Altered seals by the million: none may open.

``python -m tests.attack.mutants`` from a checkout tries every one, prints one line of figures, and exits with
1 if any was accepted or raised anything but `SealError`. Every byte of three seals is replaced by each of the
255 others, deleted, doubled and exchanged with its neighbour; fields are emptied, dropped, doubled, swapped,
spoilt and taken from other seals; the mark behind the seal is replaced. Needs nothing but the package.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from iron_wsgi import Passwords, SealError
from iron_wsgi.seals.seal import VERSION_MARK, parse, seal_from_parts, unseal_at
from iron_wsgi.seals.sealer import password_for

OLD: Final = "n0XrT5yKb2Vw8LqZc7HmD4sJf1GpUeA3-iRk6Oz9tYx"
NEW: Final = "Wq3-eR7tYu1iOp5aSd9fGh2jKl6zXc0vBn4mQ8wEr_T"
PASSWORDS: Final = Passwords.parse({1: OLD, 2: NEW, 3: OLD})
NOW: Final = 1_800_000_000.0
EXPIRES_AT: Final = NOW + 1000

Opened: TypeAlias = object
"""What a seal opened to; None for a seal that was refused."""
Opener: TypeAlias = Callable[[str], Opened]

MARKS: Final = (
    *(
        "",
        "~",
        "~1",
        "~2",
        "~02",
        "~2x",
        "~2~x",
        "~ 2",
        "~3",
        "~2~2",
        "~\uff12",
        "~\x00",
        "~\n",
        "~*",
        "~*~2",
    ),
    *("~" + "x" * 200, "~2" + "~" * 200, "~Fe26.2*1*a*b*c*d*e*f", "~%7E2", "~é", "~\ud800"),
)
"""What may stand behind a seal without changing what it says."""


def sealed(size: int, *, password_id: str = "1", number: int = 0, expires_at: float = EXPIRES_AT) -> str:
    """Return a seal whose payload has *size* octets; the same at every run, and another for each *number*."""
    filler = size - len(json.dumps({"user": number, "text": ""}))
    payload = json.dumps({"user": number, "text": ("text" * size)[:filler]}).encode()
    password = PASSWORDS.get(password_id)
    assert password is not None
    text = seal_from_parts(
        payload,
        password,
        password_id=password_id,
        encryption_salt=f"{0xC0FFEE + number:064x}",
        integrity_salt=f"{0xFACADE + number:064x}",
        iv=bytes(range(number, number + 16)),
        expires_at=expires_at,
    )
    return text + VERSION_MARK


SHORT: Final = sealed(52)
MIDDLE: Final = sealed(496)
LONG: Final = sealed(2704)
"""Seals of 308, 905 and 3,849 characters."""


def unsealed(text: str) -> Opened:
    """Return what the package opens *text* to, or None if it refuses. Nothing but `SealError` is caught."""
    try:
        fields = parse(text)
        return unseal_at(fields, password_for(fields, PASSWORDS), now=NOW)
    except SealError:
        return None


def byte_mutants(text: str, values: Iterable[int] = range(256), step: int = 1) -> Iterator[str]:
    """Yield *text* with the byte at every *step*-th place replaced by each of the other *values*."""
    for place in range(0, len(text), step):
        head, byte, tail = text[:place], text[place], text[place + 1 :]
        for value in values:
            if chr(value) != byte:
                yield f"{head}{chr(value)}{tail}"


def slips(text: str) -> Iterator[str]:
    """Yield *text* with one byte deleted, doubled, or exchanged with the next, and cut off at every place."""
    for place, byte in enumerate(text):
        head, tail = text[:place], text[place + 1 :]
        yield head + tail
        yield head + byte + byte + tail
        yield head + tail[:1] + byte + tail[1:]
        yield head
        yield byte + tail


def field_mutants(text: str, others: Iterable[str]) -> Iterator[str]:
    """Yield *text* with fields emptied, dropped, doubled, swapped, spoilt, or taken from *others*."""
    fields = text.removesuffix(VERSION_MARK).split("*")

    def joined(parts: Iterable[str]) -> str:
        return "*".join(parts) + VERSION_MARK

    for place, value in enumerate(fields):
        before, after = fields[:place], fields[place + 1 :]
        for spoilt in _spoilt(value):
            yield joined([*before, spoilt, *after])
        yield joined([*before, *after])
        yield joined([*before, value, value, *after])
        for source, donor in itertools.product(range(8), (text, *others)):
            yield joined([*before, donor.removesuffix(VERSION_MARK).split("*")[source], *after])
    for count in (2, 3, 4):
        for places in itertools.combinations(range(8), count):
            for donor in others:
                donated = donor.removesuffix(VERSION_MARK).split("*")
                yield joined(donated[i] if i in places else fields[i] for i in range(8))
    for first, second in itertools.combinations(range(8), 2):
        swapped = list(fields)
        swapped[first], swapped[second] = fields[second], fields[first]
        yield joined(swapped)


def _spoilt(value: str) -> Iterator[str]:
    yield from (
        "",
        value.upper(),
        value.lower(),
        value.swapcase(),
        value[::-1],
        value[:-1],
        value[1:],
        value * 2,
    )
    for extra in (
        "=",
        "==",
        " ",
        "\x00",
        "\n",
        "\r\n",
        "\t",
        "\x85",
        "\u2028",
        "\u00a0",
        "\ufeff",
        "A",
        "0",
        ".",
        "%00",
    ):
        yield value + extra
        yield extra + value
    # Digits and letters that Python's \d, \w and int() take for the ASCII ones.
    yield value.translate({ord(digit): 0xFF10 + int(digit) for digit in "0123456789"})
    yield value.translate({ord(digit): 0x0660 + int(digit) for digit in "0123456789"})
    yield value.translate({ord(letter): ord(letter) + 0xFEE0 for letter in "abcdefABCDEF"})
    # The standard base64 alphabet, and padding to full groups.
    yield value.replace("-", "+").replace("_", "/")
    yield value + "=" * (-len(value) % 4)


def mark_mutants(text: str) -> Iterator[str]:
    """Yield *text* with other marks behind it."""
    sealed_part = text.removesuffix(VERSION_MARK)
    for mark in MARKS:
        yield sealed_part + mark


@dataclass
class Tally:
    """What became of the mutants."""

    tried: int = 0
    refused: int = 0
    same: int = 0
    """Opened to the same data: only what stands behind the sealed part had changed."""
    accepted: int = 0
    """Opened though the sealed part had changed, or to other data. Any is a defect."""
    failed: int = 0
    """Raised something that is no SealError. Any is a defect."""
    example: str = ""

    def count(self, original: str, mutants: Iterable[str], opened: Opener = unsealed) -> None:
        """Try *mutants* of *original*."""
        truth = opened(original)
        assert truth is not None, "the original must open"
        sealed_part = original.partition("~")[0]
        for mutant in mutants:
            if mutant == original:
                continue
            self.tried += 1
            try:
                result = opened(mutant)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what this looks for
                self.failed += 1
                self.example = f"{type(error).__name__}: {mutant!r:.4000}"
                continue
            if result is None:
                self.refused += 1
            elif result == truth and mutant.partition("~")[0] == sealed_part:
                self.same += 1
            else:
                self.accepted += 1
                self.example = f"accepted: {mutant!r:.4000}"

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.tried:,} altered seals: {self.accepted} accepted, {self.failed} exceptions but our own, "
            f"{self.same} opened to the same data: only what is behind the seal differed"
        )


def full() -> Tally:
    """Try every mutant of all three seals."""
    tally = Tally()
    others = [
        sealed(36, number=1, expires_at=EXPIRES_AT + 1),
        sealed(36, password_id="2", number=2),
        sealed(36, password_id="3", number=3),
        sealed(480, number=4),
    ]
    for original in (SHORT, MIDDLE, LONG):
        tally.count(original, byte_mutants(original))
        tally.count(original, slips(original))
        tally.count(original, field_mutants(original, others))
        tally.count(original, mark_mutants(original))
    return tally


def main() -> int:
    """Print the figures; return the exit code."""
    tally = full()
    print(tally)  # noqa: T201 - a program speaks
    if tally.example:
        print(tally.example)  # noqa: T201
    return 1 if tally.accepted or tally.failed or tally.tried < 1_200_000 else 0


if __name__ == "__main__":
    sys.exit(main())
