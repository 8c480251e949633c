"""What was measured, as tables for people, Markdown for pages, or JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, final

LEFT_OUT: Final = "left out"
MISSED: Final = "MISSED"

Kind: TypeAlias = Literal["ratio", "speed", "longer", "number"]
"""What a line's figure is: the ratio of ours to theirs, how many times faster ours is, how many microseconds
longer ours takes, or ours itself, which is a number and no time."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One comparison.

    Attributes:
        what: What was done.
        ours: Seconds that it takes here; None if it could not run.
        against: What it is compared with.
        theirs: Seconds that it takes there; None if it could not run.
        kind: What its figure is.
        limit: The most that the figure may be; None for a line that nothing is judged by.
    """

    what: str
    ours: float | None
    against: str
    theirs: float | None
    kind: Kind = "ratio"
    limit: float | None = None

    @property
    def figure(self) -> float | None:
        """What counts; None if it could not be measured."""
        if self.ours is None or self.theirs is None:
            return None
        if self.kind == "longer":
            return (self.ours - self.theirs) * 1e6
        if self.kind == "number":
            return self.ours
        return self.theirs / self.ours if self.kind == "speed" else self.ours / self.theirs

    @property
    def is_met(self) -> bool | None:
        """Whether the figure keeps to its limit; None where there is no limit or no figure."""
        return None if self.figure is None or self.limit is None else self.figure <= self.limit

    @property
    def measured(self) -> str:
        """The figure as text."""
        return (
            "-" if self.figure is None else self._text(self.figure, ".1f" if self.kind == "longer" else ".2f")
        )

    @property
    def target(self) -> str:
        """The limit as text."""
        return "" if self.limit is None else f"at most {self._text(self.limit, 'g')}"

    @property
    def verdict(self) -> str:
        """One word or two for the last column."""
        return LEFT_OUT if self.figure is None else {None: "", True: "met", False: MISSED}[self.is_met]

    def _text(self, number: float, form: str) -> str:
        if self.kind == "number":
            return f"{number:g}"
        return f"{number:{form}}" + (" µs more" if self.kind == "longer" else "")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Lines that belong together.

    Attributes:
        title: What they are about.
        lines: The lines. Those of a goal that have a limit decide whether it is met.
        note: Why some were left out, or what helps to read them.
        load: How many processes were at work while they were measured, or wanted to be.
    """

    title: str
    lines: Sequence[Line]
    note: str = ""
    load: float | None = None


HEAD: Final = ("", "ours µs", "theirs µs", "against", "figure", "target", "")
GOALS_HEAD: Final = ("goal", "target", "measured", "beside it", "met")


def table(group: Group) -> Iterator[str]:
    """Yield the lines of a group's table."""
    rows = [
        (
            line.what,
            _number(line, line.ours),
            _number(line, line.theirs),
            line.against,
            line.measured,
            line.target,
            line.verdict,
        )
        for line in group.lines
    ]
    yield group.title + ("" if group.load is None else f" (load {group.load})")
    yield from _columns([HEAD, *rows], right={1, 2, 4})
    if group.note:
        yield f"  {group.note}"


def goals_table(goals: Iterable[Group]) -> Iterator[str]:
    """Yield the lines of a table with one row for each goal."""
    yield from _columns([GOALS_HEAD, *map(_goal, goals)], right={2})


def goals_markdown(goals: Iterable[Group]) -> Iterator[str]:
    """Yield the same table as Markdown."""
    for row in (GOALS_HEAD, ("---", "---", "---:", "---", "---"), *map(_goal, goals)):
        yield f"| {' | '.join(row)} |"


def document(groups: Sequence[Group], **about: Any) -> str:
    """Return all groups as JSON, times in microseconds, and what is to be said *about* the run."""
    return json.dumps({**about, "groups": [_group(group) for group in groups]}, indent=2)


def _goal(group: Group) -> tuple[str, ...]:
    """Return a goal's row: of its lines that have a limit the worst decides, the others stand beside it."""
    limited = [line for line in group.lines if line.limit is not None]
    worst = max(limited, key=lambda line: math.inf if line.figure is None else line.figure)
    measured = worst.measured if len(limited) == 1 else f"{worst.what}: {worst.measured}"
    beside = [f"{line.what}: {line.measured}" for line in group.lines if line is not worst]
    met = {"met": "yes", MISSED: "NO"}.get(worst.verdict, worst.verdict)
    return group.title, worst.target, measured, "; ".join(beside), met


def _group(group: Group) -> Mapping[str, Any]:
    lines = [
        {
            "what": line.what,
            "ours": _shown(line, line.ours),
            "against": line.against,
            "theirs": _shown(line, line.theirs),
            "kind": line.kind,
            "figure": line.figure,
            "limit": line.limit,
            "met": line.is_met,
        }
        for line in group.lines
    ]
    return {"title": group.title, "note": group.note, "load": group.load, "lines": lines}


def _columns(rows: Sequence[Sequence[str]], *, right: set[int]) -> Iterator[str]:
    """Yield rows with their columns in line, those of numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield ("  " + "  ".join(cells)).rstrip()


def _shown(line: Line, value: float | None) -> float | None:
    """Return microseconds, or what is no time as it is."""
    return value if value is None or line.kind == "number" else value * 1e6


def _number(line: Line, value: float | None) -> str:
    shown = _shown(line, value)
    return "-" if shown is None else f"{shown:,.2f}"
