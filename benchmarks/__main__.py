"""``python -m benchmarks``: measure, print, and say by the exit status whether every target was met."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Final

from . import (
    django_sessions,
    flask_sessions,
    growth,
    gunicorn,
    javascript,
    requests,
    rivals,
    seals,
    stores,
    sweep,
)
from .report import Group, document, table
from .timing import QUICK, THOROUGH, Effort

PARTS: Final[dict[str, Callable[[Effort], Iterator[Group]]]] = {
    "seals": seals.groups,
    "rivals": rivals.groups,
    "javascript": javascript.groups,
    "growth": growth.groups,
    "requests": requests.groups,
    "flask": flask_sessions.groups,
    "django": django_sessions.groups,
    "gunicorn": gunicorn.groups,
    "stores": stores.groups,
    "sweep": sweep.groups,
}


def main(arguments: list[str]) -> int:
    """Run what was asked for; 1 if a target was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Ratios of costs, measured in turns within one run. Times are the least of many turns.",
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all if none is named"
    )
    parser.add_argument("--quick", action="store_true", help="each line once, to see that it works")
    parser.add_argument("--json", action="store_true", help="JSON instead of tables")
    given = parser.parse_args(arguments)
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")

    groups: list[Group] = []
    for name in given.parts or PARTS:
        for group in PARTS[name](QUICK if given.quick else THOROUGH):
            groups.append(group)
            if not given.json:
                print(*table(group), "", sep="\n", flush=True)
    if given.json:
        print(document(groups))
    missed = any(line.is_met is False for group in groups for line in group.lines)
    return 1 if missed and not given.quick else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
