"""What was measured, as a table for people or JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, final

LEFT_OUT: Final = "left out"


class Target(NamedTuple):
    """What a line must show.

    Attributes:
        kind: ``"at most"`` and ``"at least"`` limit the ratio; ``"extra"`` the microseconds that ours takes
            longer.
        limit: The number.
        aim: The better number that is aimed for, if there is one.
    """

    kind: Literal["at most", "at least", "extra"]
    limit: float
    aim: float | None = None

    def __str__(self) -> str:
        """Say it."""
        if self.kind == "extra":
            return f"at most {self.limit:g} µs more"
        aim = "" if self.aim is None else f", aim {self.aim:g}"
        return f"{self.kind} {self.limit:g}{aim}"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One comparison.

    Attributes:
        what: What was done.
        ours: Seconds that it takes here; None if it could not run.
        against: What it is compared with.
        theirs: Seconds that it takes there; None if it could not run.
        target: What the ratio must be.
        is_speed: The ratio says how many times faster ours is, not what part of theirs it costs.
    """

    what: str
    ours: float | None
    against: str
    theirs: float | None
    target: Target | None = None
    is_speed: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours to theirs, or theirs to ours where speed is meant."""
        if self.ours is None or self.theirs is None:
            return None
        return self.theirs / self.ours if self.is_speed else self.ours / self.theirs

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None where there is none, or nothing to judge by."""
        if self.ours is None or self.theirs is None or self.ratio is None or self.target is None:
            return None
        if self.target.kind == "extra":
            return (self.ours - self.theirs) * 1e6 <= self.target.limit
        if self.target.kind == "at least":
            return self.ratio >= self.target.limit
        return self.ratio <= self.target.limit

    @property
    def verdict(self) -> str:
        """One word or two for the last column."""
        if self.ratio is None:
            return LEFT_OUT
        return {None: "", True: "met", False: "MISSED"}[self.is_met]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Lines that belong together.

    Attributes:
        title: What they are about, as a sentence.
        lines: The lines.
        note: Why some were left out, if any were.
    """

    title: str
    lines: Sequence[Line]
    note: str = ""


HEAD: Final = ("", "ours µs", "theirs µs", "against", "ratio", "target", "")
RIGHT: Final = frozenset({1, 2, 4})  # columns of numbers


def table(group: Group) -> Iterator[str]:
    """Yield the lines of a group's table."""
    rows = [HEAD, *(_cells(line) for line in group.lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield group.title
    for row in rows:
        cells = [
            cell.rjust(width) if index in RIGHT else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield ("  " + "  ".join(cells)).rstrip()
    if group.note:
        yield f"  {group.note}"


def document(groups: Sequence[Group]) -> str:
    """Return all groups as JSON; times in microseconds."""
    return json.dumps(
        [
            {
                "title": group.title,
                "note": group.note,
                "lines": [
                    {
                        "what": line.what,
                        "ours_us": _microseconds(line.ours),
                        "against": line.against,
                        "theirs_us": _microseconds(line.theirs),
                        "ratio": line.ratio,
                        "target": None if line.target is None else line.target._asdict(),
                        "met": line.is_met,
                    }
                    for line in group.lines
                ],
            }
            for group in groups
        ],
        indent=2,
    )


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.what,
        _number(_microseconds(line.ours)),
        _number(_microseconds(line.theirs)),
        line.against,
        "-" if line.ratio is None else f"{line.ratio:.2f}",
        "" if line.target is None else str(line.target),
        line.verdict,
    )


def _microseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e6


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"
