"""``python -m benchmarks``: measure, print, and say by the exit status whether every goal was met."""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from typing import Any, Final

from . import django_sessions, flask_sessions, gunicorn, javascript, requests, rivals, seals, stores, sweep
from .report import Group, document, goals_markdown, goals_table, table
from .timing import QUICK, THOROUGH, Effort

GOALS: Final = "goals"
LIBRARIES: Final = ("cryptography", "Werkzeug", "Flask", "Django", "Flask-Session", "redis")


def _goals(effort: Effort) -> Iterator[Group]:
    """Measure what the design asks of speed, in its order."""
    parts = (seals, requests, flask_sessions, django_sessions, stores)
    return itertools.chain.from_iterable(part.goals(effort) for part in parts)


PARTS: Final[dict[str, Callable[[Effort], Iterator[Group]]]] = {
    GOALS: _goals,
    "rivals": rivals.groups,
    "javascript": javascript.groups,
    "requests": requests.groups,
    "flask": flask_sessions.groups,
    "django": django_sessions.groups,
    "gunicorn": gunicorn.groups,
    "stores": stores.groups,
    "sweep": sweep.groups,
}


def main(arguments: list[str]) -> int:
    """Run what was asked for; 1 if a goal or another limit was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Costs as ratios, measured in turns within one run. Times are the least of many turns.",
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; {GOALS} if none is named"
    )
    parser.add_argument("--quick", action="store_true", help="each line once, to see that it works")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="JSON instead of tables")
    form.add_argument("--markdown", action="store_true", help="the table of goals alone, as Markdown")
    given = parser.parse_args(arguments)
    parts = given.parts or [GOALS]
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")

    before = _load()
    groups: dict[str, list[Group]] = {name: [] for name in parts}
    for name in parts:
        for measured in PARTS[name](QUICK if given.quick else THOROUGH):
            group = replace(measured, load=_load())
            groups[name].append(group)
            if not (given.json or given.markdown):
                print(*table(group), "", sep="\n", flush=True)
    about = {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": {library: version(library) for library in LIBRARIES},
        "load": [before, _load()],
        "processors": os.cpu_count(),
    }
    everything = list(itertools.chain.from_iterable(groups.values()))
    if given.json:
        print(document(everything, **about))
    elif given.markdown:
        print(*goals_markdown(groups.get(GOALS, [])), "", _sentence(about), sep="\n")
    else:
        if GOALS in groups:
            print(*goals_table(groups[GOALS]), "", sep="\n")
        print(_sentence(about))
    missed = any(line.is_met is False for group in everything for line in group.lines)
    return 1 if missed and not given.quick else 0


def _load() -> float:
    """Return how many processes were at work, or wanted to, in the last minute."""
    return round(os.getloadavg()[0], 1)


def _sentence(about: dict[str, Any]) -> str:
    """Say where the figures come from."""
    libraries = ", ".join(f"{library} {number}" for library, number in about["libraries"].items())
    load = " to ".join(map(str, about["load"]))
    return f"{about['python']}; {libraries}; load {load} on {about['processors']} processors."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
