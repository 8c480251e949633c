"""Runs other projects' suites by hand: python -m tests.suites [--stock] [NAME ...]."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from .environment import NoPython, install_ours
from .run import run
from .table import SUITES
from .verdict import examine


def main() -> int:
    """Print what each suite came to; 0 if all is as the table says."""
    parser = argparse.ArgumentParser(prog="python -m tests.suites", description="Run other projects' suites.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(SUITES)}; default: all")
    parser.add_argument("--stock", action="store_true", help="without our sessions")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - SUITES.keys():
        parser.error(f"no suite is called {' or '.join(sorted(unknown))}")
    is_right = True
    with tempfile.TemporaryDirectory() as folder:
        installed = Path(folder)
        if not arguments.stock:
            install_ours(installed)
        for name in arguments.names or SUITES:
            suite = SUITES[name]
            try:
                result, sentences = (run(suite, None), []) if arguments.stock else examine(suite, installed)
            except NoPython as missing:
                sys.stdout.write(f"{name}: {missing}\n")
                is_right = False
                continue
            if result.having("failed"):
                sys.stdout.write(result.output)
            sys.stdout.write(f"{name}: {result}\n" + "".join(f"  {one}\n" for one in sentences))
            is_right = is_right and not sentences
    return not is_right


sys.exit(main())
